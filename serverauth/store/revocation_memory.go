package store

import (
	"cmp"
	"context"
	"sort"
	"sync"

	"github.com/picoauth/picoauth/app"
)

// InMemoryRevocationStore is the RevocationStore of a single process.
type InMemoryRevocationStore struct {
	mu      sync.RWMutex
	entries []revocationEntry // ascending by seq
	known   map[revocationKey]Revocation
	now     app.Clock
	seq     int64
	pruned  int64 // the highest pruned sequence number
}

type revocationEntry struct {
	seq  int64
	item Revocation
}

// revocationKey identifies an item that is added only once. It is empty for any other item.
type revocationKey struct{ kind, id string }

// NewInMemoryRevocationStore returns an empty store. Its sequence begins at the clock in microseconds, so that it does not
// decrease at a restart. clock is optional; without it the store uses time.Now.
func NewInMemoryRevocationStore(clock ...app.Clock) *InMemoryRevocationStore {
	now := app.ClockOr(clock...)
	start := now().UnixMicro()
	return &InMemoryRevocationStore{known: make(map[revocationKey]Revocation), now: now, seq: start, pruned: start}
}

// Add implements RevocationStore.
func (s *InMemoryRevocationStore) Add(_ context.Context, items []Revocation) ([]Revocation, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	stored := make([]Revocation, len(items))
	next := max(s.seq, s.now().UnixMicro()) + RevocationStep()
	for i, item := range items {
		k := keyOf(item)
		if first, known := s.known[k]; known {
			stored[i] = first
			continue
		}
		s.seq = next
		next++
		s.entries = append(s.entries, revocationEntry{s.seq, item})
		if k != (revocationKey{}) {
			s.known[k] = item
		}
		stored[i] = item
	}
	return stored, nil
}

// Since implements RevocationStore.
func (s *InMemoryRevocationStore) Since(_ context.Context, seq, after int64, limit int) (RevocationPage, error) {
	s.mu.RLock()
	defer s.mu.RUnlock()
	asked := cmp.Or(after, seq)
	at := s.above(asked)
	head := RevocationHead{Seq: s.seq, Pruned: s.pruned, Exists: at > 0 && s.entries[at-1].seq == asked}
	from, full := head.Begin(asked, after == 0)
	page := RevocationPage{Seq: s.seq, Full: full}
	entries := s.entries[s.above(from):]
	if len(entries) > limit {
		entries = entries[:limit]
		page.Next = entries[limit-1].seq
	}
	page.Items = make([]Revocation, len(entries))
	for i, entry := range entries {
		page.Items[i] = entry.item
	}
	return page, nil
}

// above returns the index of the first entry whose number is above seq.
func (s *InMemoryRevocationStore) above(seq int64) int {
	return sort.Search(len(s.entries), func(i int) bool { return s.entries[i].seq > seq })
}

// Prune implements RevocationStore.
func (s *InMemoryRevocationStore) Prune(_ context.Context, before int64, limit int) (removed int, err error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	seen, kept := 0, 0
	for ; seen < len(s.entries) && removed < limit; seen++ {
		e := s.entries[seen]
		if e.item.Exp == 0 || e.item.Exp >= before {
			s.entries[kept] = e
			kept++
			continue
		}
		removed++
		s.pruned = max(s.pruned, e.seq)
		delete(s.known, keyOf(e.item))
	}
	copy(s.entries[removed:seen], s.entries[:kept]) // mostly the first items expire first, so the rest need not move
	clear(s.entries[:removed])
	s.entries = s.entries[removed:]
	return removed, nil
}

func keyOf(item Revocation) revocationKey {
	kind, id := AddedOnce(item)
	return revocationKey{kind, id}
}
