package verify

import (
	"context"
	"maps"
	"strings"
	"sync"
	"time"
)

// Bounds of what is done for a kid that the issuer's set does not have.
const (
	// fetchPause is the least time between two fetches that tokens ask for by an unknown kid, and between two that they
	// ask for by a bad signature, however many ask.
	fetchPause = 30 * time.Second
	// unknownMemory is how long a kid that a fetch did not bring is refused without another one.
	unknownMemory = time.Minute
	// unknownLimit bounds the kids remembered, of at most jose.MaxKeyIDBytes each.
	unknownLimit = 1000
)

// unknownKeys decides whether a kid that is not in the set is worth a fetch, since the issuer may have rotated.
type unknownKeys struct {
	fetches pacedFetch
	mu      sync.Mutex
	absent  map[string]time.Time // kids that a fetch did not bring, with the end of that memory
}

// lookFor waits for a fetch that may bring kid, or returns at once when the pause is not over or kid was looked for
// already.
func (u *unknownKeys) lookFor(ctx context.Context, s *RemoteKeySet, kid string, now time.Time) {
	if u.wasAbsent(kid, now) || !u.fetches.await(ctx, &s.refresher, now) {
		return
	}
	if !s.current.Load().keys.Has(kid) {
		u.remember(kid, now)
	}
}

// wasAbsent reports whether a fetch did not bring kid, less than a minute ago.
func (u *unknownKeys) wasAbsent(kid string, now time.Time) bool {
	u.mu.Lock()
	defer u.mu.Unlock()
	return now.Before(u.absent[kid])
}

// remember keeps kid for a minute. A kid for which there is no room is not kept: the pause bounds the fetches anyway.
func (u *unknownKeys) remember(kid string, now time.Time) {
	u.mu.Lock()
	defer u.mu.Unlock()
	if u.absent == nil {
		u.absent = make(map[string]time.Time)
	}
	if len(u.absent) >= unknownLimit {
		maps.DeleteFunc(u.absent, func(_ string, until time.Time) bool { return !now.Before(until) })
	}
	if len(u.absent) < unknownLimit {
		u.absent[strings.Clone(kid)] = now.Add(unknownMemory)
	}
}

// pacedFetch starts at most one fetch in a pause, however many ask for one.
type pacedFetch struct {
	mu      sync.Mutex
	last    time.Time // when the last one began
	running *flight
}

// await waits for a fetch and reports whether it brought an answer. It returns at once when the pause since the last one
// is not over. Requests that come while the fetch runs share it.
func (p *pacedFetch) await(ctx context.Context, r *refresher, now time.Time) bool {
	fetch := p.join(r, now)
	return fetch != nil && r.wait(ctx, fetch) == nil
}

// join returns the fetch to wait for, or nil.
func (p *pacedFetch) join(r *refresher, now time.Time) *flight {
	p.mu.Lock()
	defer p.mu.Unlock()
	if since := now.Sub(p.last); since >= 0 && since < fetchPause {
		if p.running.ended() {
			return nil
		}
		return p.running
	}
	p.last, p.running = now, r.start()
	return p.running
}
