package store

import (
	"context"
	"hash/maphash"
	"maps"
	"slices"
	"sync"
	"time"
)

const sessionShards = 64

// cutOffLife is how long a cut-off of EndSubject is kept: longer than any sign-in can take.
const cutOffLife = int64(time.Hour / time.Millisecond)

// InMemorySessionStore is the SessionStore of a single process. Its sessions are lost when the process ends.
type InMemorySessionStore struct {
	seed   maphash.Seed
	shards [sessionShards]sessionShard

	// cutMu is held for reading by Create and for writing by EndSubject. So EndSubject sees every session that was created
	// before it, and every later Create sees its cut-off.
	cutMu  sync.RWMutex
	cutOff map[string]int64 // subject or wallet id: Unix milliseconds
}

type sessionShard struct {
	mu   sync.Mutex
	rows map[string]Session
}

// NewInMemorySessionStore returns an empty store.
func NewInMemorySessionStore() *InMemorySessionStore {
	s := &InMemorySessionStore{seed: maphash.MakeSeed(), cutOff: make(map[string]int64)}
	for i := range s.shards {
		s.shards[i].rows = make(map[string]Session)
	}
	return s
}

func (s *InMemorySessionStore) shard(sid string) *sessionShard {
	return &s.shards[maphash.String(s.seed, sid)%sessionShards]
}

// Create implements SessionStore.
func (s *InMemorySessionStore) Create(_ context.Context, row Session) (cutOff int64, err error) {
	s.cutMu.RLock()
	defer s.cutMu.RUnlock()
	if at := max(s.cutOff[row.Subject.ID], s.cutOff[row.Subject.WalletID], s.cutOff[row.Mark]); row.StartedAt <= at {
		return at, nil
	}
	shard := s.shard(row.ID)
	shard.mu.Lock()
	defer shard.mu.Unlock()
	row.Mark = ""
	shard.rows[row.ID] = row
	return 0, nil
}

// Rotate implements SessionStore.
func (s *InMemorySessionStore) Rotate(_ context.Context, r Rotation) (Session, RotationOutcome, error) {
	shard := s.shard(r.SessionID)
	shard.mu.Lock()
	defer shard.mu.Unlock()
	row, ok := shard.rows[r.SessionID]
	if !ok {
		return Session{}, SessionAbsent, nil
	}
	next, outcome := r.Rotate(row)
	switch outcome {
	case SessionRotated, SessionAhead:
		shard.rows[r.SessionID] = next
	case SessionReused:
		delete(shard.rows, r.SessionID)
	}
	return next, outcome, nil
}

// Find implements SessionStore.
func (s *InMemorySessionStore) Find(_ context.Context, sid string) (Session, bool, error) {
	shard := s.shard(sid)
	shard.mu.Lock()
	defer shard.mu.Unlock()
	row, ok := shard.rows[sid]
	return row, ok, nil
}

// End implements SessionStore.
func (s *InMemorySessionStore) End(_ context.Context, sid string) (Session, bool, error) {
	shard := s.shard(sid)
	shard.mu.Lock()
	defer shard.mu.Unlock()
	row, ok := shard.rows[sid]
	delete(shard.rows, sid)
	return row, ok, nil
}

// EndSubject implements SessionStore.
func (s *InMemorySessionStore) EndSubject(_ context.Context, ids []string, at int64) ([]Session, error) {
	s.cutMu.Lock()
	defer s.cutMu.Unlock()
	for _, id := range ids {
		s.cutOff[id] = max(s.cutOff[id], at)
	}
	var ended []Session
	s.remove(func(row Session) bool {
		hit := row.Subject.Among(ids)
		if hit {
			ended = append(ended, row)
		}
		return hit
	})
	return ended, nil
}

// Prune implements SessionStore.
func (s *InMemorySessionStore) Prune(_ context.Context, before int64, limit int) (removed int, err error) {
	s.cutMu.Lock()
	maps.DeleteFunc(s.cutOff, func(_ string, at int64) bool { return at < before-cutOffLife })
	s.cutMu.Unlock()
	s.remove(func(row Session) bool {
		expired := removed < limit && row.ExpiresAt < before
		if expired {
			removed++
		}
		return expired
	})
	return removed, nil
}

// List implements SessionStore. It never holds more than two pages.
func (s *InMemorySessionStore) List(_ context.Context, q SessionQuery) ([]Session, error) {
	var page []Session
	cut := func() {
		slices.SortFunc(page, CompareSessions)
		page = page[:min(len(page), q.Limit)]
	}
	for i := range s.shards {
		shard := &s.shards[i]
		shard.mu.Lock()
		for _, row := range shard.rows {
			if q.Lists(row) {
				page = append(page, row)
			}
			if len(page) >= 2*q.Limit {
				cut()
			}
		}
		shard.mu.Unlock()
	}
	cut()
	return page, nil
}

func (s *InMemorySessionStore) remove(drop func(Session) bool) {
	for i := range s.shards {
		shard := &s.shards[i]
		shard.mu.Lock()
		maps.DeleteFunc(shard.rows, func(_ string, row Session) bool { return drop(row) })
		shard.mu.Unlock()
	}
}
