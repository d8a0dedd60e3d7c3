package serverauth

import (
	"context"
	"log/slog"

	"github.com/picoauth/picoauth/app"
	"github.com/picoauth/picoauth/serverauth/keys"
)

// Backend is a kind of storage, known by the schemes of its URLs. It adds itself with AsBackend, and the module opens
// the one that storage_url names, so that a program carries the drivers that it imports and no others.
type Backend interface {
	// Schemes are the URL schemes that it opens, such as "postgres".
	Schemes() []string
	// Open connects, prepares the storage (several processes may do so at once) and returns its stores. An error
	// names what is wrong with the URL or the server and never shows a password.
	Open(ctx context.Context, c BackendConfig) (*Stores, error)
}

// BackendConfig is what a backend opens storage with.
type BackendConfig struct {
	URL string
	// Settings are those of the server; a backend takes lives and bounds from them.
	Settings ServerAuthSettings
	// EncryptionKey seals private keys; nil where key_encryption_key is not set.
	EncryptionKey *keys.EncryptionKey
	Clock         app.Clock // never nil
	Log           *slog.Logger
}

// Stores are the stores of one storage. A nil one is a role that the backend cannot play.
type Stores struct {
	Challenges  ChallengeStore
	Sessions    SessionStore
	Revocations RevocationStore
	Mints       MintStore
	Keys        keys.Store
	// Watch returns when another process may have committed revocations, or when ctx ends; nil where the storage
	// cannot tell. The denylist is read every second in any case.
	Watch func(ctx context.Context) error
	// Ready tells whether the storage answers; nil is yes.
	Ready func(ctx context.Context) error
	// Close ends the connections after the last request; nil where there is nothing to end.
	Close func() error
}
