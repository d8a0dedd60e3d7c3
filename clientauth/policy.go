package clientauth

import (
	"fmt"
	"maps"
	"net/http"
	"regexp"
	"slices"
	"sync"
	"sync/atomic"

	"github.com/labstack/echo/v4"
)

// Policy has the echo routes that do not need a token. All others need one, including unknown paths. A rule applies to exactly
// the route that was registered: its method and path template ("GET", "/users/:id") at the router of its host. It applies
// neither to a prefix of a path nor to a route that replaced it. HEAD has the rule of GET unless it has a route of its own. A
// rule for a route of RouteNotFound applies to the requests that its handler answers. A Policy is safe for concurrent use.
type Policy struct {
	echo *echo.Echo // whose routes may have rules; nil: of any

	mu    sync.Mutex
	marks map[*echo.Route]access
	// tables are built from the rules at the first request to a router, and again after a change of the rules.
	tables atomic.Pointer[map[*echo.Router]routeTable]
}

// access is what a route requires of its caller. The strictest value is the lowest.
type access uint8

const (
	accessToken     access = iota // a valid token; the default
	accessOptional                // anonymous without a token, refused with an invalid one
	accessAnonymous               // anyone; a token is not looked at
)

// NewPolicy returns a policy under which every route needs a token. A rule for a route that no request can reach has no effect; the
// policy that [Module] provides panics for it.
func NewPolicy() *Policy { return &Policy{} }

// newPolicy returns a policy for the routes of e.
func newPolicy(e *echo.Echo) *Policy { return &Policy{echo: e} }

// AllowAnonymous lets all requests to the route pass without a token; the Authorization header is ignored. It returns the route.
func (p *Policy) AllowAnonymous(route *echo.Route) *echo.Route {
	p.set(route, accessAnonymous)
	return route
}

// Optional lets requests without a token pass. If a request has a token, it must be valid, and [FromContext] returns its caller.
// It returns the route.
func (p *Policy) Optional(route *echo.Route) *echo.Route {
	p.set(route, accessOptional)
	return route
}

func (p *Policy) set(route *echo.Route, a access) {
	if route == nil {
		panic("clientauth: an access rule needs a route, not nil")
	}
	if p.echo != nil {
		mustBeRouted(p.echo, route)
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.marks == nil {
		p.marks = make(map[*echo.Route]access)
	}
	p.marks[route] = a
	p.tables.Store(nil)
}

// paramNames matches the names of a template's parameters: routes that differ only in them are the same route.
var paramNames = regexp.MustCompile(`:[^/]*`)

// mustBeRouted panics if no request can reach the route.
func mustBeRouted(e *echo.Echo, route *echo.Route) {
	reason := "it is not a route of this app's echo, or another one was registered in its place"
	for _, router := range append(slices.Collect(maps.Values(e.Routers())), e.Router()) {
		if !slices.Contains(router.Routes(), route) {
			continue
		}
		// The template itself is a path that finds this route, its replacement, or a more specific route.
		found := e.NewContext(nil, nil)
		router.Find(route.Method, route.Path, found)
		served := found.Path()
		if served == route.Path || paramNames.ReplaceAllString(served, ":") != paramNames.ReplaceAllString(route.Path, ":") {
			return
		}
		reason = served + " was registered in its place"
	}
	panic(fmt.Sprintf("clientauth: the access rule for the route %s %s cannot take effect: %s", route.Method, route.Path, reason))
}

// access returns what the route that echo found for the request requires.
func (p *Policy) access(c echo.Context) access {
	template := c.Path()
	if template == "" {
		return accessToken // an unknown path
	}
	r, router := c.Request(), c.Echo().Router()
	if ofHost, found := c.Echo().Routers()[r.Host]; found {
		router = ofHost
	}
	table := p.table(router)
	if asked, listed := table[routeKey{r.Method, template}]; listed {
		return asked
	}
	return table.unlisted(r.Method, template)
}

// table returns the table of a router, and builds it if necessary.
func (p *Policy) table(router *echo.Router) routeTable {
	tables := p.tables.Load()
	if tables != nil {
		if table, made := (*tables)[router]; made {
			return table
		}
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	table := make(routeTable)
	for _, route := range router.Routes() {
		table[routeKey{route.Method, route.Path}] = p.marks[route]
	}
	next := map[*echo.Router]routeTable{router: table}
	if tables = p.tables.Load(); tables != nil {
		maps.Copy(next, *tables)
	}
	p.tables.Store(&next)
	return table
}

// routeTable has every route of one router with what it requires.
type routeTable map[routeKey]access

type routeKey struct{ method, template string }

// unlisted returns what is required of a request whose method has no route at the template. The handler of
// RouteNotFound may answer it, for HEAD also that of GET, or none. If more than one is possible, the stricter rule applies.
func (t routeTable) unlisted(method, template string) access {
	asked, hasFallback := t[routeKey{echo.RouteNotFound, template}]
	if get, hasGet := t[routeKey{http.MethodGet, template}]; hasGet && method == http.MethodHead {
		if !hasFallback {
			return get
		}
		return min(asked, get)
	}
	return asked
}
