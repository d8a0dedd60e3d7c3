package sqlcore

import (
	"cmp"
	"context"
	"time"

	"github.com/picoauth/picoauth/serverauth/store"
)

// Options are the differences between the kinds of databases.
type Options struct {
	WithKeys bool          // the keys are in the database too
	Patience time.Duration // maximum time of a quick call, for tests on a busy machine; 0: five seconds
}

// Open updates the schema and returns the stores. If it returns an error, it has closed the engine.
func Open(ctx context.Context, engine Engine, c store.BackendConfig, o Options) (*store.Stores, error) {
	stores, err := open(ctx, engine, c, o)
	if err != nil {
		_ = engine.Close() // the first error says more
		return nil, err
	}
	return stores, nil
}

func open(ctx context.Context, engine Engine, c store.BackendConfig, o Options) (*store.Stores, error) {
	ctx, cancel := context.WithTimeout(ctx, slowTimeout)
	defer cancel()
	if err := migrate(ctx, engine, c.Clock()); err != nil {
		return nil, err
	}
	db := &database{engine: engine, withKeys: o.WithKeys, quick: cmp.Or(o.Patience, quickTimeout)}
	stores := &store.Stores{
		Sessions: &sessionStore{db}, Revocations: &revocationStore{db}, Mints: &mintStore{db}, Links: &linkStore{db},
		Clients: &clientStore{db}, Used: &usedStore{db}, Ready: db.ready, Close: engine.Close,
	}
	if o.WithKeys {
		store := &keyStore{db: db, key: c.EncryptionKey, now: c.Clock, log: c.Log}
		if c.EncryptionKey != nil {
			if _, err := store.Load(ctx); err != nil {
				return nil, err // wrong encryption key: return before any of its data is replaced
			}
		}
		stores.Keys = store
	}
	challenges := &challengeStore{db: db, config: c}
	stores.Challenges, stores.Refresh = challenges, challenges.refresh
	return stores, challenges.refresh(ctx)
}
