package keys

import (
	"context"
	"sync"
)

// MemoryStore stores records in memory. When the process ends they are lost, and all tokens become invalid. Several rings of one
// process may share a MemoryStore. The zero value is an empty store.
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
	return CloneAll(s.records), nil
}

// Update replaces all records atomically.
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
	s.records = CloneAll(after)
	return nil
}
