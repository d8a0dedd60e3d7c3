package serverauth

import (
	"context"
	"crypto/rand"
	"fmt"
	"sync"
	"time"

	"github.com/picoauth/picoauth/app"
)

// maxSpentChallenges bounds what an InMemoryChallengeStore remembers, about 64 bytes each. The spent nonces of a
// challenge's life count, so the bound is a rate: with a life of 60 s it is 17 000 sign-ins a second.
const (
	maxSpentChallenges = 1 << 20
	spentShards        = 64
	// keepSpent is how long a spent nonce is remembered beyond its expiry, for a clock that is set back by so much.
	keepSpent = 2 * time.Minute
)

// InMemoryChallengeStore is the ChallengeStore of a single process. Its nonces authenticate themselves, so a
// challenge that is asked and never used costs no memory; only spent nonces are remembered, until they expire. The
// key is random and lives as long as the store: after a restart old challenges are refused.
type InMemoryChallengeStore struct {
	nonces *NonceMinter
	now    app.Clock
	spent  [spentShards]spentSet
}

// spentSet is a share of the spent nonces, so that sign-ins seldom wait for one another.
type spentSet struct {
	mu      sync.Mutex
	expires map[NonceID]int64 // Unix milliseconds
	// forgotten is up to when expired nonces are gone: should the clock step back behind it, they stay refused.
	forgotten int64
	swept     time.Time // when there was last no room
}

// NewInMemoryChallengeStore returns an empty store. The optional clock replaces time.Now.
func NewInMemoryChallengeStore(_ ServerAuthSettings, clock ...app.Clock) (*InMemoryChallengeStore, error) {
	var key [NonceKeySize]byte
	if _, err := rand.Read(key[:]); err != nil {
		return nil, fmt.Errorf("serverauth: challenge key: %w", err)
	}
	s := &InMemoryChallengeStore{nonces: NewNonceMinter(key), now: clockOr(clock...)}
	for i := range s.spent {
		s.spent[i].expires = make(map[NonceID]int64)
	}
	return s, nil
}

// Create implements ChallengeStore. It stores nothing.
func (s *InMemoryChallengeStore) Create(_ context.Context, address string, ttl time.Duration) (string, error) {
	return s.nonces.Mint(address, s.now().Add(ttl)), nil
}

// Validate implements ChallengeStore.
func (s *InMemoryChallengeStore) Validate(_ context.Context, address, nonce string) (bool, error) {
	now := s.now()
	id, expires, ok := s.nonces.Open(address, nonce)
	if !ok || !now.Before(expires) {
		return false, nil
	}
	return s.spent[id[nonceIDSize-1]%spentShards].add(id, expires, now)
}

// Cleanup implements ChallengeStore.
func (s *InMemoryChallengeStore) Cleanup(context.Context) (int, error) {
	removed := 0
	for i := range s.spent {
		set := &s.spent[i]
		set.mu.Lock()
		removed += set.sweep(s.now().Add(-keepSpent))
		set.mu.Unlock()
	}
	return removed, nil
}

func (s *spentSet) add(id NonceID, expires, now time.Time) (bool, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if _, done := s.expires[id]; done || expires.UnixMilli() <= s.forgotten {
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

// sweep forgets what expired up to the given time.
func (s *spentSet) sweep(until time.Time) (removed int) {
	s.forgotten = max(s.forgotten, until.UnixMilli())
	for id, expires := range s.expires {
		if expires <= s.forgotten {
			delete(s.expires, id)
			removed++
		}
	}
	return removed
}
