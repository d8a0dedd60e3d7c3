package store

import (
	"context"
	"log/slog"
	"time"

	"github.com/picoauth/picoauth/app"
	"github.com/picoauth/picoauth/serverauth/audit"
	"github.com/picoauth/picoauth/serverauth/keys"
)

// Backend is a kind of storage, identified by its URL schemes. An app adds it with AsBackend, and the module opens the one for
// storage_url, so that a program contains only the drivers that it imports.
type Backend interface {
	// Schemes returns the URL schemes that it opens, such as "postgres".
	Schemes() []string
	// Open connects, prepares the storage (several processes may do so at the same time) and returns its stores. An error
	// describes what is wrong with the URL or the server; it must not contain a password.
	Open(ctx context.Context, c BackendConfig) (*Stores, error)
}

// BackendConfig configures the storage that a Backend opens.
type BackendConfig struct {
	URL string
	// AccessTokenTTL is the lifetime of an access token of a sign-in; expired sessions are kept for that time. ClockSkew is the
	// maximum difference between the clocks of processes that share the storage.
	AccessTokenTTL, ClockSkew time.Duration
	// EncryptionKey encrypts private keys; nil if key_encryption_key is not set.
	EncryptionKey *keys.EncryptionKey
	Clock         app.Clock // never nil
	Log           *slog.Logger
}

// Stores are the stores of one storage. A store that the backend does not have is nil.
type Stores struct {
	Challenges  ChallengeStore
	Sessions    SessionStore
	Revocations RevocationStore
	Mints       audit.Store
	Links       LinkStore // without it no wallet can be joined to another
	Keys        keys.Store
	Clients     ClientStore
	Used        UsedStore
	// Watch returns when another process may have added revocations, or when ctx ends; nil if the storage cannot notify. The
	// denylist is read every second in any case.
	Watch func(ctx context.Context) error
	// Refresh reads shared state other than the keys, such as the key of the challenges; nil if there is none. It is called every two
	// seconds, so that all processes use the new state after the storage was emptied or restored.
	Refresh func(ctx context.Context) error
	// Ready is the readiness check of the storage; nil error: ready.
	Ready func(ctx context.Context) error
	// Close closes the connections after the last request; nil if there is nothing to close.
	Close func() error
}
