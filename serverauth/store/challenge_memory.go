package store

import (
	"context"
	"crypto/rand"
	"sync"
	"sync/atomic"
	"time"

	"github.com/picoauth/picoauth/app"
)

// maxSpentChallenges is the maximum number of used nonces that an InMemoryChallengeStore remembers, about 64 bytes each. They
// are remembered for the lifetime of a challenge, so this limits the rate: with a lifetime of 60 s to about 17 000 sign-ins a
// second.
const (
	maxSpentChallenges = 1 << 20
	spentShards        = 64
	// keepSpent is how long a used nonce is remembered after its expiry, in case the clock is set back.
	keepSpent = 2 * time.Minute
)

// InMemoryChallengeStore is the ChallengeStore of a single process. Its nonces contain their own MAC, so a challenge that is
// never used needs no memory; only used nonces are remembered, until two minutes after their expiry. The key is random and
// exists as long as the store: after a restart old challenges are refused. They are also refused if the clock is set back
// beyond the expiry of forgotten nonces, because a new key is made then.
type InMemoryChallengeStore struct {
	now     app.Clock
	current atomic.Pointer[memoryChallenges]
	rekey   sync.Mutex
}

// memoryChallenges are the nonces of one key.
type memoryChallenges struct {
	*NonceMinter
	spent [spentShards]spentSet
	// forgotten is the expiry up to which nonces have been forgotten, in Unix milliseconds: they stay refused even if the clock
	// is set back. It never decreases.
	forgotten atomic.Int64
}

// spentSet is a shard of the used nonces, so that sign-ins seldom wait for each other.
type spentSet struct {
	mu        sync.Mutex
	expires   map[NonceID]int64 // Unix milliseconds
	forgotten *atomic.Int64
	swept     time.Time // when the last sweep for lack of room was
}

// NewMemoryChallenges returns an empty store. clock is optional; without it the store uses time.Now.
func NewMemoryChallenges(clock ...app.Clock) *InMemoryChallengeStore {
	s := &InMemoryChallengeStore{now: app.ClockOr(clock...)}
	s.current.Store(newMemoryChallenges())
	return s
}

func newMemoryChallenges() *memoryChallenges {
	var key [NonceKeySize]byte
	rand.Read(key[:]) // never fails: crypto/rand ends the program instead
	c := &memoryChallenges{NonceMinter: NewNonceMinter(key)}
	for i := range c.spent {
		c.spent[i].expires, c.spent[i].forgotten = make(map[NonceID]int64), &c.forgotten
	}
	return c
}

// Create implements ChallengeStore. It stores nothing.
func (s *InMemoryChallengeStore) Create(_ context.Context, address string, ttl time.Duration) (string, error) {
	expires := s.now().Add(ttl)
	current := s.current.Load()
	if expires.UnixMilli() <= current.forgotten.Load() { // the clock was set back
		current = s.replaceKey(expires)
	}
	return current.Mint(address, expires), nil
}

// replaceKey makes a new key, unless another goroutine has done so already. Nonces of the old key are refused from now on, so
// that forgotten ones cannot be used again.
func (s *InMemoryChallengeStore) replaceKey(expires time.Time) *memoryChallenges {
	s.rekey.Lock()
	defer s.rekey.Unlock()
	current := s.current.Load()
	if expires.UnixMilli() <= current.forgotten.Load() {
		current = newMemoryChallenges()
		s.current.Store(current)
	}
	return current
}

// Validate implements ChallengeStore.
func (s *InMemoryChallengeStore) Validate(_ context.Context, address, nonce string) (bool, error) {
	now, current := s.now(), s.current.Load()
	id, expires, ok := current.Open(address, nonce)
	if !ok || !now.Before(expires) {
		return false, nil
	}
	return current.spent[id[nonceIDSize-1]%spentShards].add(id, expires, now)
}

// Peek implements NoncePeeker.
func (s *InMemoryChallengeStore) Peek(_ context.Context, address, nonce string) (bool, error) {
	now, current := s.now(), s.current.Load()
	id, expires, ok := current.Open(address, nonce)
	return ok && now.Before(expires) && !current.spent[id[nonceIDSize-1]%spentShards].has(id, expires), nil
}

// IsLive implements NonceKnower.
func (s *InMemoryChallengeStore) IsLive(purpose Purpose, nonce string) bool {
	expires, made := s.current.Load().Made(purpose, nonce)
	return made && s.now().Before(expires)
}

// IsFor implements NonceKnower.
func (s *InMemoryChallengeStore) IsFor(address, nonce string) bool {
	_, expires, made := s.current.Load().Open(address, nonce)
	return made && s.now().Before(expires)
}

// Cleanup implements ChallengeStore.
func (s *InMemoryChallengeStore) Cleanup(context.Context) (int, error) {
	removed, current := 0, s.current.Load()
	for i := range current.spent {
		set := &current.spent[i]
		set.mu.Lock()
		removed += set.sweep(s.now().Add(-keepSpent))
		set.mu.Unlock()
	}
	return removed, nil
}

func (s *spentSet) add(id NonceID, expires, now time.Time) (bool, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.holds(id, expires) {
		return false, nil
	}
	if len(s.expires) >= maxSpentChallenges/spentShards {
		if now.Sub(s.swept).Abs() < time.Second {
			return false, ErrTooManyPending
		}
		if s.swept = now; s.sweep(now) == 0 {
			return false, ErrTooManyPending
		}
	}
	s.expires[id] = expires.UnixMilli()
	return true, nil
}

// has reports whether a nonce was used, or may have been used.
func (s *spentSet) has(id NonceID, expires time.Time) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.holds(id, expires)
}

// holds is has for callers that hold the lock.
func (s *spentSet) holds(id NonceID, expires time.Time) bool {
	_, spent := s.expires[id]
	return spent || expires.UnixMilli() <= s.forgotten.Load()
}

// sweep removes nonces that expired at the given time or before, and returns their number.
func (s *spentSet) sweep(until time.Time) (removed int) {
	forgotten := s.forgotten.Load()
	for forgotten < until.UnixMilli() {
		s.forgotten.CompareAndSwap(forgotten, until.UnixMilli())
		forgotten = s.forgotten.Load()
	}
	for id, expires := range s.expires {
		if expires <= forgotten {
			delete(s.expires, id)
			removed++
		}
	}
	return removed
}
