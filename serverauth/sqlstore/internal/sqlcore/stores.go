package sqlcore

import (
	"context"

	"github.com/picoauth/picoauth/serverauth"
)

// Open brings the schema up to date and returns the stores. It closes the engine when it returns an error.
func Open(ctx context.Context, engine Engine, c serverauth.BackendConfig, withKeys bool) (*serverauth.Stores, error) {
	stores, err := open(ctx, engine, c, withKeys)
	if err != nil {
		_ = engine.Close() // the first error says more
		return nil, err
	}
	return stores, nil
}

func open(ctx context.Context, engine Engine, c serverauth.BackendConfig, withKeys bool) (*serverauth.Stores, error) {
	ctx, cancel := context.WithTimeout(ctx, slowTimeout)
	defer cancel()
	if err := migrate(ctx, engine, c.Clock()); err != nil {
		return nil, err
	}
	db := &database{engine: engine}
	stores := &serverauth.Stores{
		Sessions: &sessionStore{db}, Revocations: &revocationStore{db}, Mints: &mintStore{db}, Ready: db.ready, Close: engine.Close,
	}
	if withKeys {
		store := &keyStore{db: db, key: c.EncryptionKey, now: c.Clock, log: c.Log}
		if c.EncryptionKey != nil {
			if _, err := store.Load(ctx); err != nil {
				return nil, err // keys of another encryption key: before anything of theirs is replaced
			}
		}
		stores.Keys = store
	}
	key, err := challengeKey(ctx, db, c)
	if err != nil {
		return nil, err
	}
	stores.Challenges = &challengeStore{db: db, nonces: serverauth.NewNonceMinter(key), now: c.Clock}
	return stores, nil
}
