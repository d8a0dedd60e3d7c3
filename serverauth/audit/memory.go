package audit

import (
	"cmp"
	"context"
	"slices"
	"sync"
)

// MemoryStore is the Store of a single process, for tests and for trying things out: it searches all rows, where a database
// uses an index.
type MemoryStore struct {
	mu   sync.RWMutex
	rows []Entry // ascending
}

// NewMemoryStore returns an empty store.
func NewMemoryStore() *MemoryStore { return &MemoryStore{} }

// Head implements Store.
func (s *MemoryStore) Head(context.Context) (Head, error) {
	s.mu.RLock()
	defer s.mu.RUnlock()
	return s.head(), nil
}

func (s *MemoryStore) head() Head {
	if len(s.rows) == 0 {
		return Head{}
	}
	return s.rows[len(s.rows)-1].Head()
}

// Append implements Store.
func (s *MemoryStore) Append(_ context.Context, after Head, rows []Entry) (Head, bool, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.head() != after {
		return s.head(), false, nil
	}
	s.rows = append(s.rows, rows...)
	return s.head(), true, nil
}

// Latest implements Store.
func (s *MemoryStore) Latest(_ context.Context, q Query) (latest []Entry, err error) {
	s.mu.RLock()
	defer s.mu.RUnlock()
	for i := len(s.rows) - 1; i >= 0 && len(latest) < q.Limit; i-- {
		if q.Matches(s.rows[i]) {
			latest = append(latest, s.rows[i])
		}
	}
	return latest, nil
}

// Live implements Store.
func (s *MemoryStore) Live(_ context.Context, jti, sid, sub string, now int64) (live []Mint, err error) {
	s.mu.RLock()
	defer s.mu.RUnlock()
	for i := range s.rows {
		m := &s.rows[i].Mint
		hit := jti != "" && m.ID == jti || sid != "" && m.SessionID == sid || sub != "" && (m.Subject == sub || m.WalletID == sub)
		if hit && m.ExpiresAt > now {
			live = append(live, *m)
		}
	}
	return live, nil
}

// Longest implements Store.
func (s *MemoryStore) Longest(context.Context) (expiresAt int64, err error) {
	s.mu.RLock()
	defer s.mu.RUnlock()
	for i := range s.rows {
		expiresAt = max(expiresAt, s.rows[i].Mint.ExpiresAt)
	}
	return expiresAt, nil
}

// Walk implements Store.
func (s *MemoryStore) Walk(_ context.Context, after int64, limit int) ([]Entry, error) {
	s.mu.RLock()
	defer s.mu.RUnlock()
	from, _ := s.place(after + 1)
	return append([]Entry(nil), s.rows[from:min(from+max(limit, 0), len(s.rows))]...), nil
}

// Prune implements Store.
func (s *MemoryStore) Prune(_ context.Context, checkpoints []Entry) (removed int, err error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, c := range checkpoints {
		before, there := s.place(c.Seq - c.Pruned)
		last, found := s.place(c.Seq)
		if !there && c.Seq != c.Pruned || !found || s.rows[last].Head() != c.Head() {
			continue
		}
		first := before
		if there {
			first++
		}
		for _, row := range s.rows[first : last+1] {
			if row.Pruned == 0 {
				removed++
			}
		}
		s.rows = slices.Replace(s.rows, first, last+1, c)
	}
	return removed, nil
}

// place returns the index of the row with a number, or the index at which it would be.
func (s *MemoryStore) place(seq int64) (at int, found bool) {
	return slices.BinarySearchFunc(s.rows, seq, func(row Entry, seq int64) int { return cmp.Compare(row.Seq, seq) })
}
