package redisstore

import (
	"context"
	"crypto/rand"
	"encoding/base64"
	"fmt"
	"log/slog"
	"sync"
	"sync/atomic"
	"time"

	"github.com/redis/go-redis/v9"

	"github.com/picoauth/picoauth/app"
	"github.com/picoauth/picoauth/serverauth/store"
)

const (
	challengeKey   = challengeTag + "key"
	challengeClock = challengeTag + "clock"
	spentPrefix    = challengeTag + "spent:"
	// spentMargin is how long a used nonce is remembered beyond its expiry and the clock skew.
	spentMargin = 2 * time.Minute
	// refreshPause is the minimum time between two readings of the key that refused nonces cause.
	refreshPause = time.Second
)

// challenges is a serverauth.ChallengeStore whose nonces have a MAC: Create does not call the database, and only used nonces are
// stored. The key of the MAC is in the database, for all processes. A nonce can be used only while its key is there. So a database
// that has lost the used nonces, and the key with them, accepts none of them again.
//
// Redis forgets by its own clock, but a nonce expires by the clock of this program. The largest lead of the program's clock over
// that of Redis is stored next to the key. If the lead falls by more than the margin for which used nonces are remembered, a used
// nonce might be accepted again, so a new key is made.
type challenges struct {
	db     database
	now    app.Clock
	margin time.Duration
	log    *slog.Logger
	minter atomic.Pointer[minter] // nil until the key was read
	latest atomic.Int64           // the latest time of this program's clock, in Unix milliseconds

	mu   sync.Mutex // held while the key is read because of a refused nonce
	seen time.Time  // time of that reading
}

// minter makes nonces with a key.
type minter struct {
	key string
	*store.NonceMinter
}

func newChallenges(db database, c store.BackendConfig) *challenges {
	return &challenges{db: db, now: c.Clock, margin: c.ClockSkew + spentMargin, log: c.Log}
}

// Create implements serverauth.ChallengeStore. It calls the database only for the first nonce, or if this program's clock was set
// back.
func (s *challenges) Create(ctx context.Context, address string, ttl time.Duration) (string, error) {
	now := s.now()
	m, latest := s.minter.Load(), s.latest.Load()
	if m == nil || now.UnixMilli()+s.margin.Milliseconds() < latest {
		var err error
		if m, err = s.read(ctx); err != nil {
			return "", err
		}
		s.latest.CompareAndSwap(latest, now.UnixMilli())
	} else if now.UnixMilli() > latest {
		s.latest.CompareAndSwap(latest, now.UnixMilli())
	}
	return m.Mint(address, now.Add(ttl)), nil
}

// IsLive implements store.NonceKnower.
func (s *challenges) IsLive(purpose store.Purpose, nonce string) bool {
	m := s.minter.Load()
	if m == nil {
		return false
	}
	expires, made := m.Made(purpose, nonce)
	return made && s.now().Before(expires)
}

// IsFor implements store.NonceKnower.
func (s *challenges) IsFor(address, nonce string) bool {
	m := s.minter.Load()
	if m == nil {
		return false
	}
	_, expires, made := m.Open(address, nonce)
	return made && s.now().Before(expires)
}

// offsets is the part of a script that computes the lead of the program's clock over that of Redis, and compares it with the
// largest one, which it stores to within a second. A Redis without free memory cannot store it; it cannot store used nonces
// either.
const offsets = `
local t = redis.call('TIME')
local offset = tonumber(ARGV[2]) - (t[1] * 1000 + math.floor(t[2] / 1000))
local known = tonumber(redis.call('GET', KEYS[2]) or nil)
local fallen = known and offset + tonumber(ARGV[3]) - 1000 <= known
local function keep()
	if not known or offset > known + 1000 then redis.pcall('SET', KEYS[2], string.format('%.0f', offset)) end
end
`

// spend returns 1 to the first caller that uses a nonce, 0 to all others, and -1 if another key is needed.
var spend = redis.NewScript(offsets + `
if fallen or redis.call('GET', KEYS[1]) ~= ARGV[1] then return -1 end
keep()
if redis.call('SET', KEYS[3], '', 'NX', 'PX', ARGV[4]) then return 1 end
return 0`)

// open returns the minter, the key in Redis that marks a nonce as used, and its expiry. ok means that it is authentic and has not
// expired.
func (s *challenges) open(ctx context.Context, address, nonce string) (m *minter, spent string, expires time.Time, ok bool, err error) {
	if m = s.minter.Load(); m == nil {
		if m, err = s.read(ctx); err != nil {
			return m, "", expires, false, err
		}
	}
	id, expires, genuine := m.Open(address, nonce)
	if !genuine {
		if m, err = s.readNow(ctx, m); err != nil {
			return m, "", expires, false, err
		}
		id, expires, genuine = m.Open(address, nonce)
	}
	return m, spentPrefix + base64.RawURLEncoding.EncodeToString(id[:]), expires, genuine && s.now().Before(expires), nil
}

// Peek implements store.NoncePeeker.
func (s *challenges) Peek(ctx context.Context, address, nonce string) (bool, error) {
	_, spent, _, ok, err := s.open(ctx, address, nonce)
	if err != nil || !ok {
		return false, err
	}
	found, err := s.db.do(ctx, "EXISTS", spent)
	return err == nil && found == int64(0), err
}

// Validate implements serverauth.ChallengeStore.
func (s *challenges) Validate(ctx context.Context, address, nonce string) (bool, error) {
	m, spent, expires, ok, err := s.open(ctx, address, nonce)
	if err != nil || !ok {
		return false, err
	}
	now := s.now()
	keys := []string{challengeKey, challengeClock, spent}
	result, err := s.db.run(ctx, spend, keys, m.key, now.UnixMilli(), s.margin.Milliseconds(), (expires.Sub(now) + s.margin).Milliseconds())
	switch {
	case err != nil:
		return false, full(err)
	case result == int64(-1):
		_, err := s.read(ctx)
		return false, err
	default:
		return result == int64(1), nil
	}
}

// readNow reads the key because of a nonce with an unknown MAC. However many there are, it calls Redis at most once a second.
func (s *challenges) readNow(ctx context.Context, known *minter) (*minter, error) {
	if !s.mu.TryLock() {
		return known, nil
	}
	defer s.mu.Unlock()
	if time.Since(s.seen) < refreshPause {
		return s.minter.Load(), nil
	}
	s.seen = time.Now()
	return s.read(ctx)
}

// Cleanup implements serverauth.ChallengeStore. Redis removes expired nonces itself; Cleanup checks whether it has lost the key.
func (s *challenges) Cleanup(ctx context.Context) (int, error) {
	return 0, s.refresh(ctx)
}

// refresh reads the key that all processes share.
func (s *challenges) refresh(ctx context.Context) error {
	_, err := s.read(ctx)
	return err
}

// sharedKey returns the key. If there is none, or the clock was set back, it stores the proposed key and returns that.
var sharedKey = redis.NewScript(offsets + `
local key = redis.call('GET', KEYS[1])
if key and not fallen then
	keep()
	return key
end
redis.call('SET', KEYS[1], ARGV[1])
redis.call('SET', KEYS[2], string.format('%.0f', offset))
return ARGV[1]`)

// read reads the key, or makes it if there is none.
func (s *challenges) read(ctx context.Context) (*minter, error) {
	var proposed [store.NonceKeySize]byte
	rand.Read(proposed[:]) // never fails: crypto/rand ends the program instead
	value, err := s.db.run(ctx, sharedKey, []string{challengeKey, challengeClock}, proposed[:], s.now().UnixMilli(), s.margin.Milliseconds())
	if err != nil {
		return nil, err
	}
	key, _ := value.(string)
	if len(key) != store.NonceKeySize {
		return nil, fmt.Errorf("%w: %s", errDamaged, challengeKey)
	}
	if m := s.minter.Load(); m != nil {
		if m.key == key {
			return m, nil
		}
		s.log.ErrorContext(ctx, "store_went_back", "event", "store_went_back", "store", "challenges",
			"error", "the challenge key has changed: Redis was emptied or restored from an older copy, or a clock was set back")
	}
	m := &minter{key, store.NewNonceMinter([store.NonceKeySize]byte([]byte(key)))}
	s.minter.Store(m)
	return m, nil
}
