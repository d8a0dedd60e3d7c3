package verify

import (
	"context"
	"maps"
	"strings"
	"sync"
	"time"
)

// Limits of what a kid that is not in the key set can cause.
const (
	// fetchPause is the shortest time between two fetches because of an unknown kid, and between two because of a bad
	// signature, whatever the number of tokens.
	fetchPause = 30 * time.Second
	// unknownMemory is how long a kid is refused without another fetch, after a fetch that did not bring it.
	unknownMemory = time.Minute
	// unknownLimit is the largest number of such kids, of at most jose.MaxKeyIDBytes each.
	unknownLimit = 1000
)

// unknownKeys decides whether a kid that is not in the key set causes a fetch: the issuer may have rotated its keys.
type unknownKeys struct {
	fetches pacedFetch
	mu      sync.Mutex
	absent  map[string]time.Time // kids that a fetch did not bring, and until when that is remembered
}

// lookFor waits for a fetch that may bring kid. It returns at once if the pause is not over, or if a recent fetch did not
// bring kid.
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

// remember keeps kid for a minute, if there is room. If not, fetchPause limits the fetches anyway.
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

// pacedFetch starts at most one fetch in fetchPause, whatever the number of requests.
type pacedFetch struct {
	mu      sync.Mutex
	last    time.Time // when the last one began
	running *flight
}

// await waits for a fetch and reports whether it succeeded. It returns at once if the pause since the last one is not over.
// Requests that come while the fetch runs share it.
func (p *pacedFetch) await(ctx context.Context, r *refresher, now time.Time) bool {
	fetch := p.join(r, now)
	return fetch != nil && r.wait(ctx, fetch) == nil
}

// join returns the fetch to wait for, or nil.
func (p *pacedFetch) join(r *refresher, now time.Time) *flight {
	p.mu.Lock()
	defer p.mu.Unlock()
	if since := now.Sub(p.last); since >= 0 && since < fetchPause {
		select {
		case <-p.running.done:
			return nil
		default:
			return p.running
		}
	}
	p.last, p.running = now, r.start()
	return p.running
}
