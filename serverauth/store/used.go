package store

import (
	"bytes"
	"context"
	"sync"
	"time"

	"github.com/picoauth/picoauth/app"
)

// UsedStore remembers what may be used only once, such as a client assertion, and for what it was used. Each method must be
// atomic, also between processes that share the store. If Use returns true, that survives a crash of the process (in a
// persistent store).
type UsedStore interface {
	// Use reports whether it is called for the first time with the id, a digest; of several callers exactly one gets true. It
	// stores the id with the note of that caller, at least until the given time (Unix milliseconds), after which the caller
	// refuses it anyway. A note has at most a few kilobytes. A store that is full returns ErrTooManyPending, and true to no
	// caller.
	Use(ctx context.Context, id [32]byte, note []byte, until int64) (first bool, err error)
	// Note returns the note of an id, and whether it was used, also if its time is over and it was not pruned yet.
	Note(ctx context.Context, id [32]byte) (note []byte, used bool, err error)
	// Prune removes up to limit ids whose time is before the given one, and returns their number.
	Prune(ctx context.Context, before int64, limit int) (removed int, err error)
}

// Maximum number of ids in an InMemoryUsedStore, about 100 bytes each, and of those with a note.
const (
	maxUsed  = 1 << 18
	maxNotes = 10_000
)

// InMemoryUsedStore is the UsedStore of a single process.
type InMemoryUsedStore struct {
	now   app.Clock
	mu    sync.Mutex
	used  map[[32]byte]usedItem
	notes int       // number of ids with a note
	swept time.Time // when the last prune for lack of room was
}

type usedItem struct {
	note  []byte
	until int64
}

// NewInMemoryUsedStore returns an empty store. clock is optional; without it the store uses time.Now.
func NewInMemoryUsedStore(clock ...app.Clock) *InMemoryUsedStore {
	return &InMemoryUsedStore{now: app.ClockOr(clock...), used: make(map[[32]byte]usedItem)}
}

// Use implements UsedStore.
func (s *InMemoryUsedStore) Use(_ context.Context, id [32]byte, note []byte, until int64) (bool, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if _, used := s.used[id]; used {
		return false, nil
	}
	if now := s.now(); len(s.used) >= maxUsed || len(note) > 0 && s.notes >= maxNotes {
		if now.Sub(s.swept).Abs() < time.Second {
			return false, ErrTooManyPending
		}
		if s.swept = now; s.prune(now.UnixMilli(), maxUsed) == 0 || len(note) > 0 && s.notes >= maxNotes {
			return false, ErrTooManyPending
		}
	}
	s.used[id] = usedItem{bytes.Clone(note), until}
	if len(note) > 0 {
		s.notes++
	}
	return true, nil
}

// Note implements UsedStore.
func (s *InMemoryUsedStore) Note(_ context.Context, id [32]byte) ([]byte, bool, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	item, used := s.used[id]
	return bytes.Clone(item.note), used, nil
}

// Prune implements UsedStore.
func (s *InMemoryUsedStore) Prune(_ context.Context, before int64, limit int) (int, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.prune(before, limit), nil
}

func (s *InMemoryUsedStore) prune(before int64, limit int) (removed int) {
	for id, item := range s.used {
		if removed == limit {
			break
		}
		if item.until < before {
			if len(item.note) > 0 {
				s.notes--
			}
			delete(s.used, id)
			removed++
		}
	}
	return removed
}
