package client

import (
	"context"
	"crypto/rand"
	"crypto/sha256"
	"crypto/subtle"
	"errors"
	"log/slog"
	"net/http"
	"strings"
	"time"

	"github.com/go-json-experiment/json"
	"github.com/labstack/echo/v4"

	"github.com/picoauth/picoauth/app"
	"github.com/picoauth/picoauth/serverauth/internal/events"
	"github.com/picoauth/picoauth/serverauth/internal/every"
	"github.com/picoauth/picoauth/serverauth/store"
)

// keepRegistration is how long an unused registration is kept.
const keepRegistration = 30 * 24 * time.Hour

// maxRegistration is the maximum size of a stored registration in bytes, because anybody may make many.
const maxRegistration = 16 << 10

// Registration is the endpoint where programs register themselves (RFC 7591). Its errors are *Error, except those of the store.
type Registration struct {
	Registry *Registry
	Token    string // that allows to register; empty: everybody may
	Realm    string // of WWW-Authenticate
	Log      *slog.Logger
}

// registered is the reply (RFC 7591, section 3.2.1).
type registered struct {
	metadata
	IssuedAt int64 `json:"client_id_issued_at"`
}

// Register is POST /register.
func (f *Registration) Register(c echo.Context) error {
	if err := f.allow(c.Request().Header.Values("Authorization")); err != nil {
		return err
	}
	var asked metadata
	if err := app.DecodeJSON(c.Response(), c.Request(), &asked); err != nil {
		return unreadable(err)
	}
	ctx := c.Request().Context()
	made, err := f.Registry.register(ctx, asked)
	if err != nil {
		return err
	}
	events.Log(ctx, f.Log, events.ClientRegistered, "client_id", made.ClientID, "client", app.ClientIP(c))
	c.Response().Header().Set(echo.HeaderCacheControl, "no-store")
	return app.WriteJSON(c.Response(), http.StatusCreated, registered{made, f.Registry.now().Unix()})
}

// allow checks the registration token.
func (f *Registration) allow(authorization []string) error {
	if f.Token == "" {
		return nil
	}
	given := ""
	if len(authorization) == 1 {
		if scheme, token, _ := strings.Cut(authorization[0], " "); strings.EqualFold(scheme, "Bearer") {
			given = token
		}
	}
	got, want := sha256.Sum256([]byte(given)), sha256.Sum256([]byte(f.Token))
	if subtle.ConstantTimeCompare(got[:], want[:]) == 1 {
		return nil
	}
	return &Error{Code: "invalid_token", Description: "the registration token is missing or wrong", Status: http.StatusUnauthorized,
		Header: http.Header{"Www-Authenticate": {`Bearer realm="` + f.Realm + `", error="invalid_token"`}}}
}

// unreadable turns the error for a body that is not a JSON object into an OAuth error.
func unreadable(err error) error {
	var problem *app.Problem
	if !errors.As(err, &problem) {
		return err
	}
	return &Error{Code: "invalid_client_metadata", Description: printable(problem.Detail), Status: problem.Status}
}

// register stores a client that describes itself.
func (r *Registry) register(ctx context.Context, m metadata) (metadata, error) {
	m.ClientID = rand.Text()
	if err := m.check(); err != nil {
		return m, err
	}
	if m.JWKSURI != "" {
		if err := r.checkRemoteKeys(ctx, m.JWKSURI); err != nil {
			return m, metadataFault("jwks_uri: %s", err)
		}
	}
	kept := record{Config: m.config(), Source: Registered, JWKS: m.JWKS}
	if data, err := json.Marshal(kept); err != nil || len(data) > maxRegistration {
		return m, metadataFault("the metadata has more than %d bytes", maxRegistration)
	}
	err := r.keep(ctx, kept, r.now().Add(keepRegistration).UnixMilli())
	if errors.Is(err, store.ErrTooManyPending) {
		return m, tooMany(time.Minute)
	}
	return m, err
}

// checkRemoteKeys fetches a key set once, with the rules for documents. The reason of a failed connection is only logged, because
// it would reveal names and addresses in the server's own network.
func (r *Registry) checkRemoteKeys(ctx context.Context, uri string) error {
	body, _, err := r.fetcher.get(ctx, uri)
	var status statusError
	switch {
	case err == nil:
		_, err = parseKeys(body)
	case !errors.As(err, &status):
		events.Log(ctx, r.log, events.ClientDocumentRefused, "url", printable(uri), "reason", err.Error())
		err = errors.New("it cannot be fetched")
	}
	return err
}

// Used records that a client was used, which keeps a registration for another keepRegistration. It writes once a day at most.
func (r *Registry) Used(ctx context.Context, c *Client) error {
	until := r.now().Add(keepRegistration)
	if c.until == 0 || until.UnixMilli()-c.until < (24*time.Hour).Milliseconds() {
		return nil
	}
	return r.store.Keep(ctx, c.ID, until.UnixMilli())
}

// pruneEvery is how often expired rows are removed, pruneAtOnce how many at once.
const (
	pruneEvery  = 5 * time.Minute
	pruneAtOnce = 1000
)

// Run removes unused registrations and expired rows of used, until the context ends.
func (r *Registry) Run(ctx context.Context, used store.UsedStore) {
	every.Interval(ctx, pruneEvery, func() { r.Prune(ctx, used) })
}

// Prune does once what Run does repeatedly.
func (r *Registry) Prune(ctx context.Context, used store.UsedStore) {
	now := r.now()
	_, err := r.store.Prune(ctx, now.UnixMilli(), pruneAtOnce)
	for err == nil {
		var n int
		if n, err = used.Prune(ctx, now.Add(-pruneEvery).UnixMilli(), pruneAtOnce); n < pruneAtOnce {
			break
		}
	}
	if err != nil && ctx.Err() == nil {
		r.log.WarnContext(ctx, "removing expired data of OAuth clients failed", "error", err)
	}
}
