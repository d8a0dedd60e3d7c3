package store

import (
	"bytes"
	"context"
	"slices"
	"strings"
	"sync"
)

// Client is an OAuth client that was added while the server runs. Times are Unix milliseconds.
type Client struct {
	ID string // `client_id`, at most 2048 bytes
	// Data describes the client, in a format of the caller.
	Data      []byte
	CreatedAt int64
	// Until is the time at which the client is removed, unless Keep extends it; 0: never.
	Until int64
	// MAC authenticates all fields except Until. A store stores it and does not verify it.
	MAC [32]byte
}

// ClientStore stores OAuth clients. Each method must be atomic, also between processes that share the store. If a method
// returns nil, its changes survive a crash of the process (in a persistent store). A missing client is no error.
type ClientStore interface {
	// Create adds a client and returns true, unless there is one with its ID; of several callers exactly one gets true. A store
	// that is full returns ErrTooManyPending.
	Create(ctx context.Context, c Client) (created bool, err error)
	// Find returns a client, also one that is past its Until and was not pruned yet.
	Find(ctx context.Context, id string) (Client, bool, error)
	// Keep extends the Until of a client that has one. It never shortens it.
	Keep(ctx context.Context, id string, until int64) error
	// Delete removes a client. Of several callers exactly one gets true.
	Delete(ctx context.Context, id string) (deleted bool, err error)
	// List returns up to limit clients whose IDs come after the given one, in the order of their IDs byte by byte.
	List(ctx context.Context, after string, limit int) ([]Client, error)
	// Prune removes up to limit clients whose Until is before the given time, and returns how many.
	Prune(ctx context.Context, before int64, limit int) (removed int, err error)
}

// maxClients bounds an InMemoryClientStore.
const maxClients = 100_000

// InMemoryClientStore is the ClientStore of a single process.
type InMemoryClientStore struct {
	mu      sync.RWMutex
	clients map[string]Client
}

// NewInMemoryClientStore returns an empty store.
func NewInMemoryClientStore() *InMemoryClientStore {
	return &InMemoryClientStore{clients: make(map[string]Client)}
}

// Create implements ClientStore.
func (s *InMemoryClientStore) Create(_ context.Context, c Client) (bool, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if _, taken := s.clients[c.ID]; taken {
		return false, nil
	}
	if len(s.clients) >= maxClients {
		return false, ErrTooManyPending
	}
	s.clients[c.ID] = c.clone()
	return true, nil
}

// clone copies what the caller may write to.
func (c Client) clone() Client {
	c.Data = bytes.Clone(c.Data)
	return c
}

// Find implements ClientStore.
func (s *InMemoryClientStore) Find(_ context.Context, id string) (Client, bool, error) {
	s.mu.RLock()
	defer s.mu.RUnlock()
	c, found := s.clients[id]
	return c.clone(), found, nil
}

// Keep implements ClientStore.
func (s *InMemoryClientStore) Keep(_ context.Context, id string, until int64) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if c, found := s.clients[id]; found && c.Until != 0 && c.Until < until {
		c.Until = until
		s.clients[id] = c
	}
	return nil
}

// Delete implements ClientStore.
func (s *InMemoryClientStore) Delete(_ context.Context, id string) (bool, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	_, found := s.clients[id]
	delete(s.clients, id)
	return found, nil
}

// List implements ClientStore.
func (s *InMemoryClientStore) List(_ context.Context, after string, limit int) ([]Client, error) {
	s.mu.RLock()
	defer s.mu.RUnlock()
	var all []Client
	for id, c := range s.clients {
		if id > after {
			all = append(all, c.clone())
		}
	}
	slices.SortFunc(all, func(a, b Client) int { return strings.Compare(a.ID, b.ID) })
	return all[:min(limit, len(all))], nil
}

// Prune implements ClientStore.
func (s *InMemoryClientStore) Prune(_ context.Context, before int64, limit int) (removed int, err error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for id, c := range s.clients {
		if removed == limit {
			break
		}
		if c.Until != 0 && c.Until < before {
			delete(s.clients, id)
			removed++
		}
	}
	return removed, nil
}
