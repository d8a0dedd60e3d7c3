package serverauth

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"maps"
	"net/url"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/picoauth/picoauth/app"
	"github.com/picoauth/picoauth/app/config"
	"github.com/picoauth/picoauth/app/storageurl"
	"github.com/picoauth/picoauth/serverauth/audit"
	"github.com/picoauth/picoauth/serverauth/internal/every"
	"github.com/picoauth/picoauth/serverauth/keys"
	"github.com/picoauth/picoauth/serverauth/links"
	"github.com/picoauth/picoauth/serverauth/store"
)

const (
	memoryScheme = "memory"
	sqliteScheme = "sqlite"
	sqliteFile   = "picoauth.db"
	keyFolder    = "keys"
)

// StorageURL is the storage of all state that has no URL of its own: storage_url, or SQLite in data_dir, or memory.
func (s ServerAuthSettings) StorageURL() string {
	switch {
	case s.Storage != "":
		return s.Storage
	case s.DataDir != "":
		return sqliteScheme + ":" + filepath.Join(s.DataDir, sqliteFile)
	default:
		return memoryScheme + ":"
	}
}

// storage opens the backends in the settings, each URL once and only when it is needed: the storage of a store that the app
// replaces is never opened.
type storage struct {
	settings ServerAuthSettings
	backends map[string]store.Backend
	config   store.BackendConfig
	metrics  *Instruments

	mu     sync.Mutex
	opened map[string]*store.Stores
	files  keys.Store // of keys; nil until they are open, or if the keys are not in files
}

func newStorage(settings ServerAuthSettings, encryption *keys.EncryptionKey, backends []store.Backend, metrics *Instruments, clock app.Clock, log *slog.Logger) (*storage, error) {
	s := &storage{
		settings: settings, metrics: metrics, backends: make(map[string]store.Backend), opened: make(map[string]*store.Stores),
		config: store.BackendConfig{
			AccessTokenTTL: settings.AccessTokenTTL(), ClockSkew: settings.ClockSkew(), EncryptionKey: encryption, Clock: app.ClockOr(clock), Log: log,
		},
	}
	for _, backend := range append([]store.Backend{memoryBackend{}}, backends...) {
		for _, scheme := range backend.Schemes() {
			if s.backends[scheme] != nil {
				return nil, fmt.Errorf("serverauth: two backends for %s: URLs", scheme)
			}
			s.backends[scheme] = backend
		}
	}
	return s, nil
}

// stores opens a URL, or returns what was opened before. setting is the key that contains the URL, for errors.
func (s *storage) stores(ctx context.Context, setting, text string) (*store.Stores, error) {
	if text == "" {
		setting, text = "storage_url", s.settings.StorageURL()
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if stores := s.opened[text]; stores != nil {
		return stores, nil
	}
	backend, err := s.backend(text)
	if err != nil {
		return nil, fmt.Errorf("%s.%s: %w", SettingsSection, setting, err)
	}
	if _, err := s.keyFiles(ctx); err != nil {
		return nil, err
	}
	config := s.config
	config.URL = text
	stores, err := backend.Open(ctx, config)
	if err != nil {
		return nil, fmt.Errorf("%s.%s: %w", SettingsSection, setting, err)
	}
	s.opened[text] = stores
	return stores, nil
}

// backend finds the backend of a URL. Its errors contain the scheme only, because the rest may contain a password.
func (s *storage) backend(text string) (store.Backend, error) {
	scheme, _, found := strings.Cut(text, ":")
	if !found {
		return nil, errors.New("is not a URL such as memory:, sqlite:path or postgres://…")
	}
	if backend := s.backends[scheme]; backend != nil {
		return backend, nil
	}
	known := slices.Sorted(maps.Keys(s.backends))
	return nil, fmt.Errorf("no backend for %q URLs in this program; it has %s", scheme, strings.Join(known, ", "))
}

func role[T any](s *storage, setting, text string, pick func(*store.Stores) T) (store T, err error) {
	stores, err := s.stores(context.Background(), setting, text)
	if err != nil {
		return store, err
	}
	if store = pick(stores); any(store) == nil {
		return store, fmt.Errorf("%s.%s: this storage cannot keep such data; configure another storage", SettingsSection, setting)
	}
	return store, nil
}

func (s *storage) challenges() (store.ChallengeStore, error) {
	store, err := role(s, "challenge_storage_url", s.settings.ChallengeStorage, func(all *store.Stores) store.ChallengeStore { return all.Challenges })
	return meteredChallenges{store, s.metrics}, err
}

func (s *storage) sessions() (store.SessionStore, error) {
	store, err := role(s, "session_storage_url", s.settings.SessionStorage, func(all *store.Stores) store.SessionStore { return all.Sessions })
	return meteredSessions{store, s.metrics}, err
}

func (s *storage) revocations() (store.RevocationStore, error) {
	store, err := role(s, "revocation_storage_url", s.settings.RevocationStorage, func(all *store.Stores) store.RevocationStore { return all.Revocations })
	return meteredRevocations{store, s.metrics}, err
}

func (s *storage) mints() (audit.Store, error) {
	store, err := role(s, "mint_storage_url", s.settings.MintStorage, func(all *store.Stores) audit.Store { return all.Mints })
	return meteredMints{store, s.metrics}, err
}

// clients and used are in the same storage as the sessions.
func (s *storage) clients() (store.ClientStore, error) {
	store, err := role(s, "session_storage_url", s.settings.SessionStorage, func(all *store.Stores) store.ClientStore { return all.Clients })
	return meteredClients{store, s.metrics}, err
}

func (s *storage) used() (store.UsedStore, error) {
	store, err := role(s, "session_storage_url", s.settings.SessionStorage, func(all *store.Stores) store.UsedStore {
		if all.Used == nil { // of an app's own backend: each process has its own list
			return store.NewInMemoryUsedStore(s.config.Clock)
		}
		return all.Used
	})
	return meteredUsed{store, s.metrics}, err
}

func (s *storage) links() (store.LinkStore, error) {
	setting, text := "link_storage_url", s.settings.LinkStorage
	if text == "" && s.inMemory("") { // links must not be lost before the sessions are
		setting, text = "session_storage_url", s.settings.SessionStorage
	}
	store, err := role(s, setting, text, func(all *store.Stores) store.LinkStore {
		if all.Links == nil && s.settings.LinkStorage == "" { // of an app's own backend
			return links.None{}
		}
		return all.Links
	})
	return meteredLinks{store, s.metrics}, err
}

func (s *storage) inMemory(text string) bool {
	return strings.HasPrefix(cmp.Or(text, s.settings.StorageURL()), memoryScheme+":")
}

// each calls a function of every storage that was opened and has one.
func (s *storage) each(ctx context.Context, pick func(*store.Stores) func(context.Context) error) error {
	s.mu.Lock()
	opened := slices.Collect(maps.Values(s.opened))
	s.mu.Unlock()
	var all error
	for _, stores := range opened {
		if do := pick(stores); do != nil {
			all = errors.Join(all, do(ctx))
		}
	}
	return all
}

// ready is the readiness check of all storage.
func (s *storage) ready(ctx context.Context) error {
	return s.each(ctx, func(stores *store.Stores) func(context.Context) error { return stores.Ready })
}

// refreshEvery is the interval at which shared state is read from a storage.
const refreshEvery = 2 * time.Second

// refresh reads the state that processes share in each storage, until the context ends. It ignores failures, which the readiness
// check reports.
func (s *storage) refresh(ctx context.Context) {
	every.Interval(ctx, refreshEvery, func() {
		_ = s.each(ctx, func(stores *store.Stores) func(context.Context) error { return stores.Refresh })
	})
}

func (s *storage) close() error {
	return s.each(context.Background(), func(stores *store.Stores) func(context.Context) error {
		if stores.Close == nil {
			return nil
		}
		return func(context.Context) error { return stores.Close() }
	})
}

// watch returns the Watch of the storage of revocations, or nil.
func (s *storage) watch() func(context.Context) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if stores := s.opened[cmp.Or(s.settings.RevocationStorage, s.settings.StorageURL())]; stores != nil {
		return stores.Watch
	}
	return nil
}

// memoryBackend keeps all state in memory. It is lost when the process ends.
type memoryBackend struct{}

func (memoryBackend) Schemes() []string { return []string{memoryScheme} }

func (memoryBackend) Open(_ context.Context, c store.BackendConfig) (*store.Stores, error) {
	return &store.Stores{
		Challenges: store.NewMemoryChallenges(c.Clock), Sessions: store.NewInMemorySessionStore(), Revocations: store.NewInMemoryRevocationStore(c.Clock),
		Mints: audit.NewMemoryStore(), Keys: keys.NewMemoryStore(), Clients: store.NewInMemoryClientStore(), Used: store.NewInMemoryUsedStore(c.Clock),
		Links: store.NewInMemoryLinkStore(),
	}, nil
}

// checkStorageURL refuses a value that is not a storage URL. The error does not contain it, because it may contain a password.
func checkStorageURL(name, text string) error {
	if text == "" {
		return nil
	}
	if err := storageurl.Check(text); err != nil {
		return &config.Error{Key: name, Reason: err.Error()}
	}
	if u, err := url.Parse(text); err != nil || u.Scheme == "" {
		return &config.Error{Key: name, Reason: "is not a URL such as memory:, sqlite:path, postgres://… or redis://…"}
	}
	return nil
}
