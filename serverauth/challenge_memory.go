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
	swept   time.Time
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
		removed += set.sweep(s.now())
		set.mu.Unlock()
	}
	return removed, nil
}

func (s *spentSet) add(id NonceID, expires, now time.Time) (bool, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if _, done := s.expires[id]; done {
		return false, nil
	}
	if len(s.expires) >= maxSpentChallenges/spentShards {
		if now.Sub(s.swept) < time.Second || s.sweep(now) == 0 {
			return false, ErrTooManyPending
		}
	}
	s.expires[id] = expires.UnixMilli()
	return true, nil
}

func (s *spentSet) sweep(now time.Time) (removed int) {
	s.swept = now
	for id, expires := range s.expires {
		if expires <= now.UnixMilli() {
			delete(s.expires, id)
			removed++
		}
	}
	return removed
}
