package keys

import (
	"context"
	"sync"
)

// MemoryStore keeps records in memory: they end with the process, and all tokens with them. Several rings of one
// process may share one. The zero value is empty and ready.
type MemoryStore struct {
	updating sync.Mutex // held for a whole Update
	mu       sync.RWMutex
	records  []Record
}

var _ Store = (*MemoryStore)(nil)

// NewMemoryStore returns an empty store.
func NewMemoryStore() *MemoryStore { return &MemoryStore{} }

// Load returns a copy of the records.
func (s *MemoryStore) Load(ctx context.Context) ([]Record, error) {
	if err := ctx.Err(); err != nil {
		return nil, err
	}
	s.mu.RLock()
	defer s.mu.RUnlock()
	return cloneAll(s.records), nil
}

// Update replaces the records, all at once.
func (s *MemoryStore) Update(ctx context.Context, change func([]Record) ([]Record, error)) error {
	s.updating.Lock()
	defer s.updating.Unlock()
	before, err := s.Load(ctx)
	if err != nil {
		return err
	}
	after, err := change(before)
	if err != nil {
		return err
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	s.records = cloneAll(after)
	return nil
}
