package clientauth

import (
	"context"
	"maps"
	"strings"
	"sync"
	"time"
)

// Bounds of what is done for a kid that the issuer's set does not have.
const (
	// unknownPause is the least time between two fetches made for unknown kids, however many ask.
	unknownPause = 30 * time.Second
	// unknownMemory is how long a kid that a fetch did not bring is refused without another one.
	unknownMemory = time.Minute
	// unknownLimit bounds the kids remembered, of at most jose.MaxKeyIDBytes each.
	unknownLimit = 1000
)

// unknownKeys decides whether a kid that is not in the set is worth a fetch, since the issuer may have rotated.
type unknownKeys struct {
	mu      sync.Mutex
	last    time.Time // when the last fetch for an unknown kid began
	running *flight
	absent  map[string]time.Time // kids that a fetch did not bring, with the end of that memory
}

// lookFor waits for a fetch that may bring kid, or returns at once when the pause is not over or kid was looked for
// already. Requests that come while the fetch runs share it.
func (u *unknownKeys) lookFor(ctx context.Context, s *RemoteKeySet, kid string, now time.Time) {
	fetch := u.join(s, kid, now)
	if fetch == nil || s.wait(ctx, fetch) != nil {
		return
	}
	if !s.current.Load().keys.Has(kid) {
		u.remember(kid, now)
	}
}

// join returns the fetch to wait for, or nil.
func (u *unknownKeys) join(s *RemoteKeySet, kid string, now time.Time) *flight {
	u.mu.Lock()
	defer u.mu.Unlock()
	if now.Before(u.absent[kid]) {
		return nil
	}
	if since := now.Sub(u.last); since >= 0 && since < unknownPause {
		if u.running.ended() {
			return nil
		}
		return u.running
	}
	maps.DeleteFunc(u.absent, func(_ string, until time.Time) bool { return !now.Before(until) })
	u.last, u.running = now, s.start()
	return u.running
}

// remember keeps kid for a minute. A kid for which there is no room is not kept: the pause bounds the fetches anyway.
func (u *unknownKeys) remember(kid string, now time.Time) {
	u.mu.Lock()
	defer u.mu.Unlock()
	if u.absent == nil {
		u.absent = make(map[string]time.Time)
	}
	if len(u.absent) < unknownLimit {
		u.absent[strings.Clone(kid)] = now.Add(unknownMemory)
	}
}
