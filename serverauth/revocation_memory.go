package serverauth

import (
	"context"
	"slices"
	"sync"

	"github.com/picoauth/picoauth/app"
)

// InMemoryRevocationStore is the RevocationStore of a single process.
type InMemoryRevocationStore struct {
	mu      sync.RWMutex
	entries []revocationEntry // ascending by seq
	known   map[revocationKey]Revocation
	seq     int64
	pruned  int64 // the highest sequence number that is gone
}

type revocationEntry struct {
	seq  int64
	item Revocation
}

// revocationKey is what an item that is added once is known by.
type revocationKey struct{ kind, id string }

// NewInMemoryRevocationStore returns an empty store. Its sequence begins at the clock's milliseconds, so that it does
// not fall across a restart. The optional clock replaces time.Now.
func NewInMemoryRevocationStore(clock ...app.Clock) *InMemoryRevocationStore {
	start := clockOr(clock...)().UnixMilli()
	return &InMemoryRevocationStore{known: make(map[revocationKey]Revocation), seq: start, pruned: start}
}

// Add implements RevocationStore.
func (s *InMemoryRevocationStore) Add(_ context.Context, items []Revocation) ([]Revocation, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	stored := make([]Revocation, len(items))
	for i, item := range items {
		k, once := keyOf(item)
		if first, known := s.known[k]; once && known {
			stored[i] = first
			continue
		}
		s.seq++
		s.entries = append(s.entries, revocationEntry{s.seq, item})
		if once {
			s.known[k] = item
		}
		stored[i] = item
	}
	return stored, nil
}

// Since implements RevocationStore.
func (s *InMemoryRevocationStore) Since(_ context.Context, seq int64) (RevocationPage, error) {
	s.mu.RLock()
	defer s.mu.RUnlock()
	page := RevocationPage{Seq: s.seq}
	from := 0
	if page.Full = seq < s.pruned || seq > s.seq; !page.Full {
		from, _ = slices.BinarySearchFunc(s.entries, seq+1, func(e revocationEntry, seq int64) int { return int(e.seq - seq) })
	}
	page.Items = make([]Revocation, 0, len(s.entries)-from)
	for _, entry := range s.entries[from:] {
		page.Items = append(page.Items, entry.item)
	}
	return page, nil
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
		if k, once := keyOf(e.item); once {
			delete(s.known, k)
		}
	}
	copy(s.entries[removed:seen], s.entries[:kept]) // what expires first is mostly first: the rest need not move
	clear(s.entries[:removed])
	s.entries = s.entries[removed:]
	return removed, nil
}

func keyOf(item Revocation) (key revocationKey, once bool) {
	switch {
	case item.JTI != "":
		return revocationKey{"jti", item.JTI}, true
	case item.SID != "":
		return revocationKey{"sid", item.SID}, true
	case item.KID != "":
		return revocationKey{"kid", item.KID}, true
	default:
		return revocationKey{"sub", item.Sub}, false
	}
}
