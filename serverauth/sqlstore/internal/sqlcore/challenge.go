package sqlcore

import (
	"context"
	"encoding/binary"
	"sync"
	"sync/atomic"
	"time"

	"github.com/picoauth/picoauth/serverauth/store"
)

const (
	// spentMargin is how long a used nonce is remembered after its expiry: longer than the clocks of instances may differ.
	spentMargin  = 10 * time.Minute
	cleanupBatch = 1000
	// refreshPause is the minimum time between two readings of the key that refused nonces cause.
	refreshPause = time.Second
)

// challengeStore stores the used nonces; unused ones need no storage. A nonce can be used only while the key that made it is in
// the database, and only if no nonce that expires later was forgotten.
type challengeStore struct {
	db     *database
	config store.BackendConfig

	known atomic.Pointer[challengeState]
	mu    sync.Mutex // held while the state is read
	read  time.Time  // the last time because of a refused nonce
}

// challengeState is the state that all instances share, as it was read last.
type challengeState struct {
	sealed []byte // the key as it is stored
	*store.NonceMinter
	forgotten int64 // Unix milliseconds: nonces that expire earlier may have been used, and are refused
}

// Create implements serverauth.ChallengeStore. It does not call the database, unless the clock was set back so far that the nonce
// would be treated as a forgotten one. Then all instances get a new key.
func (s *challengeStore) Create(ctx context.Context, address string, ttl time.Duration) (string, error) {
	expires := s.config.Clock().Add(ttl)
	state := s.known.Load()
	if expires.UnixMilli() < state.forgotten {
		if err := s.replaceKey(ctx, expires); err != nil {
			return "", err
		}
		state = s.known.Load()
	}
	return state.Mint(address, expires), nil
}

// IsLive implements store.NonceKnower.
func (s *challengeStore) IsLive(purpose store.Purpose, nonce string) bool {
	expires, made := s.known.Load().Made(purpose, nonce)
	return made && s.config.Clock().Before(expires)
}

// IsFor implements store.NonceKnower.
func (s *challengeStore) IsFor(address, nonce string) bool {
	_, expires, made := s.known.Load().Open(address, nonce)
	return made && s.config.Clock().Before(expires)
}

// open returns the id of a nonce and the state. ok means that the nonce is authentic and has not expired.
func (s *challengeStore) open(ctx context.Context, address, nonce string) (id store.NonceID, state *challengeState, ok bool, err error) {
	state = s.known.Load()
	id, expires, ok := state.Open(address, nonce)
	if !ok {
		if err := s.refreshNow(ctx); err != nil {
			return id, state, false, err
		}
		state = s.known.Load()
		id, expires, ok = state.Open(address, nonce)
	}
	return id, state, ok && s.config.Clock().Before(expires), nil
}

// Peek implements store.NoncePeeker.
func (s *challengeStore) Peek(ctx context.Context, address, nonce string) (bool, error) {
	id, _, ok, err := s.open(ctx, address, nonce)
	if err != nil || !ok {
		return false, err
	}
	var spent int64
	err = s.db.read(ctx, Statement{
		SQL: `SELECT 1 FROM picoauth_challenge_spent WHERE id = $1`, Args: []any{id[:]}, Count: &spent,
		Read: func(scan Scan) error { return scan(new(int64)) },
	})
	return err == nil && spent == 0, err
}

// Validate implements serverauth.ChallengeStore.
func (s *challengeStore) Validate(ctx context.Context, address, nonce string) (bool, error) {
	id, state, ok, err := s.open(ctx, address, nonce)
	if err != nil || !ok {
		return false, err
	}
	added, err := s.db.change(ctx, `INSERT INTO picoauth_challenge_spent (id) SELECT $1
		WHERE EXISTS (SELECT 1 FROM picoauth_secret WHERE name = '`+challengeKeyName+`' AND record = $2)
		AND NOT EXISTS (SELECT 1 FROM picoauth_secret WHERE name = '`+forgottenName+`' AND record > $1) ON CONFLICT DO NOTHING`,
		id[:], state.sealed)
	if err == nil && added == 0 {
		err = s.refreshNow(ctx)
	}
	return err == nil && added == 1, err
}

// Cleanup implements serverauth.ChallengeStore. It stores up to which expiry it forgets nonces before it removes them.
func (s *challengeStore) Cleanup(ctx context.Context) (removed int, err error) {
	before := expiryPrefix(s.config.Clock().Add(-spentMargin).UnixMilli())
	_, err = s.db.change(ctx, `INSERT INTO picoauth_secret (name, record) SELECT '`+forgottenName+`', $1
		WHERE EXISTS (SELECT 1 FROM picoauth_challenge_spent WHERE id < $1)
		ON CONFLICT (name) DO UPDATE SET record = excluded.record WHERE picoauth_secret.record < excluded.record`, before)
	for n := int64(cleanupBatch); err == nil && n == cleanupBatch; {
		err = s.db.runSlow(ctx, append(s.db.engine.Lock(false, "challenge cleanup"), Statement{
			SQL: `DELETE FROM picoauth_challenge_spent WHERE id IN
				(SELECT id FROM picoauth_challenge_spent WHERE id < $1 ORDER BY id LIMIT $2)`,
			Args: []any{before, int64(cleanupBatch)}, Count: &n,
		})...)
		removed += int(n)
	}
	if err == nil && removed > 0 {
		err = s.refresh(ctx)
	}
	return removed, err
}

// expiryPrefix is the beginning of the ids of nonces that expire at a time.
func expiryPrefix(ms int64) []byte { return binary.BigEndian.AppendUint64(nil, uint64(max(ms, 0)))[2:] }

// refresh reads the state that all instances share.
func (s *challengeStore) refresh(ctx context.Context) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.load(ctx, nil)
}

// refreshNow is refresh because of a refused nonce. However many there are, it reads the database at most once a second.
func (s *challengeStore) refreshNow(ctx context.Context) error {
	if !s.mu.TryLock() {
		return nil
	}
	defer s.mu.Unlock()
	if time.Since(s.read) < refreshPause {
		return nil
	}
	s.read = time.Now()
	return s.load(ctx, nil)
}

// load reads the state. It logs that the key has changed, unless the previous key was the replaced one. The caller holds mu.
func (s *challengeStore) load(ctx context.Context, replaced []byte) error {
	next, err := s.readState(ctx)
	if err != nil {
		return err
	}
	last := s.known.Load()
	switch {
	case last == nil || string(last.sealed) == string(replaced):
	case string(last.sealed) == string(next.sealed):
		next.NonceMinter = last.NonceMinter
	default:
		s.config.Log.ErrorContext(ctx, "store_went_back", "event", "store_went_back", "store", "challenges",
			"error", "the challenge key has changed: the database was emptied or restored from an older copy, or a clock was set back")
	}
	s.known.Store(next)
	return nil
}

// replaceKey makes a new key, unless another instance was faster. Nonces of the old key are refused from now on, so it does not
// matter which of them were forgotten.
func (s *challengeStore) replaceKey(ctx context.Context, expires time.Time) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if err := s.load(ctx, nil); err != nil {
		return err
	}
	state := s.known.Load()
	if expires.UnixMilli() >= state.forgotten {
		return nil
	}
	s.config.Log.WarnContext(ctx, "the clock was set back: challenges issued before are refused")
	err := s.db.run(ctx, Statement{
		SQL: `DELETE FROM picoauth_secret WHERE name = '` + challengeKeyName + `' AND record = $1`, Args: []any{state.sealed},
	}, Statement{
		SQL: `DELETE FROM picoauth_secret WHERE name = '` + forgottenName + `' AND NOT EXISTS
			(SELECT 1 FROM picoauth_secret WHERE name = '` + challengeKeyName + `')`,
	})
	if err != nil {
		return err
	}
	return s.load(ctx, state.sealed)
}
