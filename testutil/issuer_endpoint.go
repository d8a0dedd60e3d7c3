package testutil

import (
	"context"
	"net/http"
	"sync"
	"sync/atomic"
)

// Endpoint is one URL of an [Issuer]. It is safe for concurrent use.
type Endpoint struct {
	// URL is where it is.
	URL string

	healthy  http.Handler
	requests atomic.Int64
	mu       sync.Mutex
	current  behaviour
}

// behaviour is how an endpoint answers until it is told to do otherwise.
type behaviour struct {
	handler http.Handler
	over    chan struct{} // closed when another takes its place
}

func newEndpoint(url string, healthy http.Handler) *Endpoint {
	return &Endpoint{URL: url, healthy: healthy, current: behaviour{healthy, make(chan struct{})}}
}

// Requests is how many requests have come so far.
func (e *Endpoint) Requests() int { return int(e.requests.Load()) }

// Break makes the endpoint misbehave from now on.
func (e *Endpoint) Break(fault Fault) { e.become(fault(e.healthy)) }

// Heal ends a fault. Requests that a fault holds back are answered.
func (e *Endpoint) Heal() { e.become(e.healthy) }

func (e *Endpoint) become(handler http.Handler) {
	e.mu.Lock()
	defer e.mu.Unlock()
	close(e.current.over)
	e.current = behaviour{handler, make(chan struct{})}
}

// ServeHTTP implements http.Handler. The request's context ends with the behaviour that it is served by.
func (e *Endpoint) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	e.requests.Add(1)
	e.mu.Lock()
	now := e.current
	e.mu.Unlock()
	ctx, cancel := context.WithCancel(r.Context())
	defer cancel()
	go func() {
		select {
		case <-now.over:
			cancel()
		case <-ctx.Done():
		}
	}()
	now.handler.ServeHTTP(w, r.WithContext(ctx))
}
