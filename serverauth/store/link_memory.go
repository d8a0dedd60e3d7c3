package store

import (
	"context"
	"slices"
	"sync"
)

// InMemoryLinkStore is the LinkStore of a single process. Its links are lost when the process ends.
type InMemoryLinkStore struct {
	mu    sync.RWMutex
	rows  map[string]Link            // by wallet
	owned map[string]map[string]bool // wallets by subject
}

// NewInMemoryLinkStore returns an empty store.
func NewInMemoryLinkStore() *InMemoryLinkStore {
	return &InMemoryLinkStore{rows: make(map[string]Link), owned: make(map[string]map[string]bool)}
}

// Find implements LinkStore.
func (s *InMemoryLinkStore) Find(_ context.Context, wallet string) (row Link, found, named bool, err error) {
	s.mu.RLock()
	defer s.mu.RUnlock()
	row, found = s.rows[wallet]
	return row, found, !found && len(s.owned[wallet]) > 0, nil
}

// List implements LinkStore.
func (s *InMemoryLinkStore) List(_ context.Context, subject string) ([]Link, error) {
	s.mu.RLock()
	defer s.mu.RUnlock()
	var rows []Link
	for wallet := range s.owned[subject] {
		rows = append(rows, s.rows[wallet])
	}
	slices.SortFunc(rows, CompareLinks)
	return rows, nil
}

// Change implements LinkStore.
func (s *InMemoryLinkStore) Change(_ context.Context, changes []LinkChange) (bool, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, change := range changes {
		if s.rows[change.Row.Wallet.ID].Version != change.Was {
			return false, nil
		}
	}
	for _, change := range changes {
		row := change.Row
		if before := s.rows[row.Wallet.ID]; before.Subject != row.Subject {
			delete(s.owned[before.Subject], row.Wallet.ID)
			if len(s.owned[before.Subject]) == 0 {
				delete(s.owned, before.Subject)
			}
		}
		if s.owned[row.Subject] == nil {
			s.owned[row.Subject] = make(map[string]bool)
		}
		s.owned[row.Subject][row.Wallet.ID], s.rows[row.Wallet.ID] = true, row
	}
	return true, nil
}

// Any implements LinkStore.
func (s *InMemoryLinkStore) Any(context.Context) (bool, error) {
	s.mu.RLock()
	defer s.mu.RUnlock()
	return len(s.rows) > 0, nil
}
