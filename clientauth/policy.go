package clientauth

import (
	"maps"
	"net/http"
	"sync"
	"sync/atomic"

	"github.com/labstack/echo/v4"
)

// Policy knows which echo routes do not need a token. Everything that it does not know does, unknown paths included.
// A route is known by its method and template as it was registered ("GET", "/users/:id"), never by a prefix of a path;
// HEAD follows its GET. It is safe for concurrent use.
type Policy struct {
	mu     sync.Mutex
	routes atomic.Pointer[map[routeKey]access]
}

type routeKey struct{ method, template string }

// access is what a route asks of its caller.
type access uint8

const (
	accessToken     access = iota // a valid token; the default
	accessOptional                // anonymous without a token, refused with an invalid one
	accessAnonymous               // anyone; a token is not looked at
)

// NewPolicy returns a policy under which every route needs a token.
func NewPolicy() *Policy { return &Policy{} }

// AllowAnonymous opens a route to everyone: its Authorization header is not looked at. It returns the route.
func (p *Policy) AllowAnonymous(route *echo.Route) *echo.Route {
	p.set(route, accessAnonymous)
	return route
}

// Optional opens a route to callers without a token. One that sends a token has to send a valid one, and is known by
// it. It returns the route.
func (p *Policy) Optional(route *echo.Route) *echo.Route {
	p.set(route, accessOptional)
	return route
}

// set replaces the table, so that requests read it without a lock.
func (p *Policy) set(route *echo.Route, a access) {
	p.mu.Lock()
	defer p.mu.Unlock()
	next := map[routeKey]access{}
	if current := p.routes.Load(); current != nil {
		next = maps.Clone(*current)
	}
	next[routeKey{route.Method, route.Path}] = a
	p.routes.Store(&next)
}

// access returns what a route asks; template is empty for an unknown path.
func (p *Policy) access(method, template string) access {
	routes := p.routes.Load()
	if routes == nil || template == "" {
		return accessToken
	}
	a, known := (*routes)[routeKey{method, template}]
	if !known && method == http.MethodHead {
		a = (*routes)[routeKey{http.MethodGet, template}]
	}
	return a
}
