package client

import (
	"cmp"
	"context"
	"crypto/rand"
	"crypto/sha256"
	"errors"
	"fmt"
	"log/slog"
	"sync"

	"github.com/picoauth/picoauth/app"
	"github.com/picoauth/picoauth/app/config"
	"github.com/picoauth/picoauth/clientauth/verify"
	"github.com/picoauth/picoauth/serverauth/internal/events"
	"github.com/picoauth/picoauth/serverauth/internal/mac"
	"github.com/picoauth/picoauth/serverauth/store"
)

var (
	// ErrUnknown is returned for a client_id that no client has.
	ErrUnknown = errors.New("no such client")
	// ErrTaken is returned for a client_id that another client has.
	ErrTaken = errors.New("there is a client with this id")
)

// Registry finds clients. It is safe for concurrent use.
type Registry struct {
	configured map[string]*Client
	known      Known
	store      store.ClientStore
	rows       mac.Row
	fetcher    *fetcher
	documents  *documents // nil: off
	now        app.Clock
	log        *slog.Logger

	mu     sync.Mutex
	remote map[remoteKeysID]*verify.RemoteKeySet // of the jwks_uris of clients
}

// RegistryConfig configures a Registry.
type RegistryConfig struct {
	Settings Settings // must be valid
	Known    Known
	// Store has the clients that are added while the server runs; nil: none. Secret authenticates its rows, and is called for every
	// use.
	Store  store.ClientStore
	Secret func() []byte
	Clock  app.Clock // nil: the system clock
	Log    *slog.Logger
}

// NewRegistry returns a registry. It fetches no keys yet.
func NewRegistry(c RegistryConfig) (*Registry, error) {
	now := app.ClockOr(c.Clock)
	r := &Registry{
		configured: make(map[string]*Client, len(c.Settings.Clients)), known: c.Known, store: c.Store, now: now, log: c.Log,
		fetcher: newFetcher(c.Settings.InsecureClientHosts, now), remote: make(map[remoteKeysID]*verify.RemoteKeySet),
	}
	if c.Store != nil {
		r.rows = mac.NewRow(c.Secret, "client")
	}
	if c.Settings.ClientMetadataDocuments == DocumentsOn {
		r.documents = &documents{registry: r, kept: make(map[string]document)}
	}
	for i, one := range c.Settings.Clients {
		made := one.client(Configured)
		var err error
		if made.keys, err = r.keysOf(made, nil); err != nil {
			return nil, &config.Error{Key: fmt.Sprintf("clients[%d].jwks_uri", i), Reason: err.Error()}
		}
		r.configured[one.ID] = made
	}
	return r, nil
}

// Find returns the client with an id. The error is ErrUnknown if there is none, ErrUnreachable if its metadata document cannot be
// fetched now, or an error of the store.
func (r *Registry) Find(ctx context.Context, id string) (*Client, error) {
	if found, ok := r.configured[id]; ok {
		return found, nil
	}
	if r.documents != nil && r.documents.isDocumentID(id) {
		return r.documents.find(ctx, id)
	}
	if r.store == nil || id == "" || len(id) > maxID {
		return nil, ErrUnknown
	}
	row, found, err := r.store.Find(ctx, id)
	switch {
	case err != nil:
		return nil, fmt.Errorf("client store: %w", err)
	case !found || row.Until != 0 && row.Until <= r.now().UnixMilli():
		return nil, ErrUnknown
	}
	kept, genuine := r.open(row, id)
	if !genuine {
		return nil, r.forged(ctx, id)
	}
	made, err := r.client(kept)
	if err == nil {
		made.until = row.Until
	}
	return made, err
}

// forged logs and removes a row that was not written by a server with the same secret.
func (r *Registry) forged(ctx context.Context, id string) error {
	r.log.ErrorContext(ctx, events.ClientForged, "event", events.ClientForged, "client_id", id)
	if _, err := r.store.Delete(ctx, id); err != nil {
		return fmt.Errorf("client store: %w", err)
	}
	return ErrUnknown
}

// Add stores a client and returns its configuration with the defaults. If it authenticates with a secret, the server makes one of
// 256 random bits, which is only there: the store has its SHA-256. The error is ErrTaken, a *config.Error for a fault of the
// configuration, or that of the store.
func (r *Registry) Add(ctx context.Context, c Config) (Config, error) {
	if c.Secret != "" {
		return Config{}, &config.Error{Key: "secret", Reason: "must not be given: the server makes it"}
	}
	c.AuthMethod = cmp.Or(c.AuthMethod, AuthSecretBasic)
	kept := record{Config: c, Source: Stored}
	made := c.client(Stored).Config
	if c.AuthMethod == AuthSecretBasic || c.AuthMethod == AuthSecretPost {
		c.Secret = rand.Text() + rand.Text()
		sum := sha256.Sum256([]byte(c.Secret))
		kept.SecretDigest, made.Secret = sum[:], c.Secret
	}
	if err := c.Check("", r.known); err != nil {
		return Config{}, err
	}
	return made, r.keep(ctx, kept, 0)
}

// keep adds a record to the store. until is when it expires, in Unix milliseconds; 0: never.
func (r *Registry) keep(ctx context.Context, c record, until int64) error {
	if _, taken := r.configured[c.ID]; taken {
		return ErrTaken
	}
	row, err := r.seal(c, r.now().UnixMilli(), until)
	if err != nil {
		return err
	}
	created, err := r.store.Create(ctx, row)
	switch {
	case err != nil:
		return fmt.Errorf("client store: %w", err)
	case !created:
		return ErrTaken
	default:
		return nil
	}
}

// Delete removes a client from the store. Its sessions cannot be refreshed any more. It reports false if there is no such client.
func (r *Registry) Delete(ctx context.Context, id string) (bool, error) {
	if len(id) > maxID {
		return false, nil
	}
	deleted, err := r.store.Delete(ctx, id)
	if err != nil {
		err = fmt.Errorf("client store: %w", err)
	}
	return deleted, err
}

// List returns up to limit clients of the store whose ids come after the given one. next is the id to continue after; empty: there
// are no more.
func (r *Registry) List(ctx context.Context, after string, limit int) (all []Config, next string, err error) {
	rows, err := r.store.List(ctx, after, limit+1)
	if err != nil {
		return nil, "", fmt.Errorf("client store: %w", err)
	}
	if len(rows) > limit {
		rows = rows[:limit]
		next = rows[limit-1].ID
	}
	all = []Config{}
	for _, row := range rows {
		kept, genuine := r.open(row, row.ID)
		if !genuine {
			if err := r.forged(ctx, row.ID); !errors.Is(err, ErrUnknown) {
				return nil, "", err
			}
			continue
		}
		all = append(all, kept.Config.client(kept.Source).Config)
	}
	return all, next, nil
}
