package storetest

import (
	"context"
	"errors"
	"strconv"
	"sync/atomic"
	"time"

	authstore "github.com/picoauth/picoauth/serverauth/store"
)

// ErrStoreAway is what a [FaultyRevocations] returns while a call of it fails.
var ErrStoreAway = errors.New("storetest: the store is away")

// FaultyRevocations is a store of revocations in memory whose calls fail and whose contents are lost on demand. It is safe
// for concurrent use, except for Become.
type FaultyRevocations struct {
	FailAdd      atomic.Bool // Add fails
	FailSince    atomic.Bool // Since fails
	FailNextPage atomic.Bool // Since fails for every page but the first of an answer

	current atomic.Pointer[authstore.InMemoryRevocationStore]
	becomes int
}

// NewFaultyRevocations returns a store that holds the items and does not fail yet.
func NewFaultyRevocations(items ...authstore.Revocation) *FaultyRevocations {
	s := &FaultyRevocations{}
	s.Become(items...)
	return s
}

// Become replaces the contents by those of a store that has never held what this one holds. The sequence numbers of the new
// contents begin an hour later, so that none of them equals an earlier one by chance.
func (s *FaultyRevocations) Become(items ...authstore.Revocation) {
	s.becomes++
	begins := time.Now().Add(time.Duration(s.becomes) * time.Hour)
	store := authstore.NewInMemoryRevocationStore(func() time.Time { return begins })
	_, _ = store.Add(context.Background(), items)
	s.current.Store(store)
}

// Add implements [authstore.RevocationStore].
func (s *FaultyRevocations) Add(ctx context.Context, items []authstore.Revocation) ([]authstore.Revocation, error) {
	if s.FailAdd.Load() {
		return nil, ErrStoreAway
	}
	return s.current.Load().Add(ctx, items)
}

// Since implements [authstore.RevocationStore].
func (s *FaultyRevocations) Since(ctx context.Context, seq, after int64, limit int) (authstore.RevocationPage, error) {
	if s.FailSince.Load() || after != 0 && s.FailNextPage.Load() {
		return authstore.RevocationPage{}, ErrStoreAway
	}
	return s.current.Load().Since(ctx, seq, after, limit)
}

// Prune implements [authstore.RevocationStore].
func (s *FaultyRevocations) Prune(ctx context.Context, before int64, limit int) (int, error) {
	return s.current.Load().Prune(ctx, before, limit)
}

// NewRevocations returns n items that expire in a quarter of an hour. Their jti is the name followed by a number from 0 on.
func NewRevocations(name string, n int) []authstore.Revocation {
	now := time.Now().Unix()
	items := make([]authstore.Revocation, n)
	for i := range items {
		items[i] = authstore.Revocation{JTI: name + strconv.Itoa(i), RevokedAt: now, Exp: now + 900}
	}
	return items
}
