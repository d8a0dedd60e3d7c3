package redisstore

import (
	"context"
	"crypto/rand"
	"encoding/base64"
	"fmt"
	"sync/atomic"
	"time"

	"github.com/redis/go-redis/v9"

	"github.com/picoauth/picoauth/app"
	"github.com/picoauth/picoauth/serverauth"
)

const (
	challengeKey = challengeTag + "key"
	spentPrefix  = challengeTag + "spent:"
	// spentMargin is how long a spent nonce is remembered beyond its expiry and the clock skew.
	spentMargin = time.Minute
)

// challenges is a serverauth.ChallengeStore of nonces that authenticate themselves: Create asks nobody, and of a nonce only
// that it was spent is kept. The key that all processes make nonces with is in the database. A nonce can be spent
// only while that key is there, so that a database that has forgotten what was spent accepts none of it again.
type challenges struct {
	db     database
	now    app.Clock
	margin time.Duration
	minter atomic.Pointer[minter]
}

// minter makes nonces with a key; nil until the key was read.
type minter struct {
	key string
	*serverauth.NonceMinter
}

func newChallenges(db database, c serverauth.BackendConfig) *challenges {
	return &challenges{db: db, now: c.Clock, margin: c.Settings.ClockSkew() + spentMargin}
}

// Create implements serverauth.ChallengeStore.
func (s *challenges) Create(ctx context.Context, address string, ttl time.Duration) (string, error) {
	m, err := s.nonces(ctx)
	if err != nil {
		return "", err
	}
	return m.Mint(address, s.now().Add(ttl)), nil
}

// spend returns 1 for the first that spends a nonce, 0 for all others, and -1 if the key has changed.
var spend = redis.NewScript(`
if redis.call('GET', KEYS[1]) ~= ARGV[1] then return -1 end
if redis.call('SET', KEYS[2], '', 'NX', 'PX', ARGV[2]) then return 1 end
return 0`)

// Validate implements serverauth.ChallengeStore.
func (s *challenges) Validate(ctx context.Context, address, nonce string) (bool, error) {
	m, err := s.nonces(ctx)
	if err != nil {
		return false, err
	}
	id, expires, genuine := m.Open(address, nonce)
	now := s.now()
	if !genuine || !now.Before(expires) {
		return false, nil
	}
	keys := []string{challengeKey, spentPrefix + base64.RawURLEncoding.EncodeToString(id[:])}
	result, err := s.db.run(ctx, spend, keys, m.key, (expires.Sub(now) + s.margin).Milliseconds())
	switch {
	case redis.HasErrorPrefix(err, "OOM"):
		return false, fmt.Errorf("%w: %w", serverauth.ErrTooManyPending, err)
	case err != nil:
		return false, err
	case result == int64(-1):
		_, err := s.read(ctx)
		return false, err
	default:
		return result == int64(1), nil
	}
}

// Cleanup implements serverauth.ChallengeStore. Redis forgets what has expired; this finds out whether it has
// forgotten the key.
func (s *challenges) Cleanup(ctx context.Context) (int, error) {
	_, err := s.read(ctx)
	return 0, err
}

func (s *challenges) nonces(ctx context.Context) (*minter, error) {
	if m := s.minter.Load(); m != nil {
		return m, nil
	}
	return s.read(ctx)
}

// sharedKey returns the key, which is the one that was proposed if there was none.
var sharedKey = redis.NewScript(`
local key = redis.call('GET', KEYS[1])
if key then return key end
redis.call('SET', KEYS[1], ARGV[1])
return ARGV[1]`)

// read reads the key, or makes it.
func (s *challenges) read(ctx context.Context) (*minter, error) {
	var proposed [serverauth.NonceKeySize]byte
	rand.Read(proposed[:]) // never fails: crypto/rand ends the program instead
	value, err := s.db.run(ctx, sharedKey, []string{challengeKey}, proposed[:])
	if err != nil {
		return nil, err
	}
	key, _ := value.(string)
	if len(key) != serverauth.NonceKeySize {
		return nil, fmt.Errorf("%w: %s", errDamaged, challengeKey)
	}
	if m := s.minter.Load(); m != nil && m.key == key {
		return m, nil
	}
	m := &minter{key, serverauth.NewNonceMinter([serverauth.NonceKeySize]byte([]byte(key)))}
	s.minter.Store(m)
	return m, nil
}
