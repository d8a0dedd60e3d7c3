package verify

import (
	"context"
	"errors"
	"sync"
	"sync/atomic"
	"time"
)

// fetchPatience is how long a request waits for a fetch, counted from the start of the fetch.
const fetchPatience = 5 * time.Second

var errTooSlow = errors.New("the issuer did not answer in time")

// refresher runs a fetch for all callers that need it, at most one at a time, in its own goroutine. The fetch ends at its
// time-out, but not when a caller is cancelled.
type refresher struct {
	// fetch gets the content and stores it.
	fetch func(ctx context.Context, started time.Time) error
	clock clock
	// timeout limits the fetch; 0 is no limit. Callers wait no longer than patience, if that is shorter.
	timeout, patience time.Duration

	mu      sync.Mutex
	running *flight // or nil
	// outcome is the error of the last fetch that ended, with its time; nil before the first.
	outcome atomic.Pointer[fetchOutcome]
}

// flight is a running fetch. done is closed when it ends, late when callers must stop waiting for it.
type flight struct{ done, late chan struct{} }

type fetchOutcome struct {
	err error
	at  time.Time
}

// start begins a fetch unless one is running, and returns the running one.
func (r *refresher) start() *flight {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.running == nil {
		r.running = &flight{make(chan struct{}), make(chan struct{})}
		go r.run(r.running)
	}
	return r.running
}

func (r *refresher) run(f *flight) {
	ctx := context.Background()
	if r.timeout > 0 {
		bounded, cancel := context.WithTimeout(ctx, r.timeout)
		defer cancel()
		ctx = bounded
	}
	if r.timeout == 0 || r.patience < r.timeout {
		late := time.AfterFunc(r.patience, func() { close(f.late) })
		defer late.Stop()
	}
	err := r.fetch(ctx, r.clock.Now())
	r.outcome.Store(&fetchOutcome{err, r.clock.Now()})
	r.mu.Lock()
	r.running = nil
	r.mu.Unlock()
	close(f.done)
}

// wait waits for the end of a fetch and returns its error. It stops waiting when patience or ctx ends.
func (r *refresher) wait(ctx context.Context, f *flight) error {
	select {
	case <-f.done:
		return r.outcome.Load().err
	case <-f.late:
		return errTooSlow
	case <-ctx.Done():
		return ctx.Err()
	}
}

// failure returns the error of the last fetch, or nil. recent is true if that fetch ended less than pause ago.
func (r *refresher) failure(now time.Time, pause time.Duration) (recent bool, err error) {
	last := r.outcome.Load()
	if last == nil || last.err == nil {
		return false, nil
	}
	age := now.Sub(last.at)
	return age >= 0 && age < pause, last.err
}

// background starts a fetch that nobody waits for, unless the last one failed less than pause ago.
func (r *refresher) background(now time.Time, pause time.Duration) {
	if recent, _ := r.failure(now, pause); !recent {
		r.start()
	}
}
