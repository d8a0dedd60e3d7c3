package app

import (
	"errors"
	"fmt"
	"net/http"
	"strings"
	"sync"

	"github.com/labstack/echo/v4"
)

// RouteWatch finds duplicate routes of an echo. It is safe for concurrent use.
type RouteWatch struct {
	mutex      sync.Mutex
	seen       map[string]echo.Route // by host, method and normal form of the template
	duplicates []error
}

// WatchRoutes starts to watch e for routes that are registered twice. It works on any echo, also on one that has routes;
// duplicates among these with the same template cannot be found any more.
func WatchRoutes(e *echo.Echo) *RouteWatch {
	watch := &RouteWatch{seen: make(map[string]echo.Route)}
	for _, route := range e.Routes() {
		watch.add("", *route)
	}
	for host, router := range e.Routers() {
		for _, route := range router.Routes() {
			watch.add(host, *route)
		}
	}
	onAddRoute(e, func(host string, route echo.Route, _ echo.HandlerFunc, _ []echo.MiddlewareFunc) {
		watch.add(host, route)
	})
	return watch
}

// Err returns the duplicates found so far, joined, or nil. Of each, the second handler replaced the first.
func (w *RouteWatch) Err() error {
	w.mutex.Lock()
	defer w.mutex.Unlock()
	return errors.Join(w.duplicates...)
}

func (w *RouteWatch) add(host string, route echo.Route) {
	if route.Method == echo.RouteNotFound {
		return // a group adds this route again with each Use
	}
	w.mutex.Lock()
	defer w.mutex.Unlock()
	key := routeKey(host, route.Method, route.Path)
	first, exists := w.seen[key]
	if !exists || yields(first) {
		w.seen[key] = route
		return
	}
	before := ""
	if first.Path != route.Path {
		before = ", first as " + first.Path
	}
	w.duplicates = append(w.duplicates, fmt.Errorf("route %s %s is registered twice%s", route.Method, route.Path, before))
}

// routeKey is equal for two routes exactly if echo's router does not distinguish them: the names of parameters do not matter.
func routeKey(host, method, path string) string {
	var normal strings.Builder
	for i := 0; i < len(path); i++ {
		normal.WriteByte(path[i])
		if path[i] == ':' && (i == 0 || path[i-1] != '\\') {
			for i+1 < len(path) && path[i+1] != '/' {
				i++
			}
		}
	}
	return host + " " + method + " " + normal.String()
}

// answerHead makes every GET route that is registered from now on answer HEAD too, with the same handler; net/http leaves out the
// body. A HEAD route of the application takes precedence, whichever is registered first.
func answerHead(e *echo.Echo) {
	own := make(map[string]bool)
	onAddRoute(e, func(host string, route echo.Route, handler echo.HandlerFunc, middleware []echo.MiddlewareFunc) {
		key := routeKey(host, http.MethodHead, route.Path)
		switch {
		case route.Method == http.MethodHead:
			own[key] = true
		case route.Method == http.MethodGet && !own[key]:
			router, hasOwn := e.Routers()[host]
			if !hasOwn {
				router = e.Router()
			}
			// Not by e.Add, so that the route is not listed and does not count as a route of the application.
			router.Add(http.MethodHead, route.Path, chain(handler, middleware))
		}
	})
}

func chain(handler echo.HandlerFunc, middleware []echo.MiddlewareFunc) echo.HandlerFunc {
	for i := len(middleware) - 1; i >= 0; i-- {
		handler = middleware[i](handler)
	}
	return handler
}

// onAddRoute calls hook for each new route, after the existing hooks of e.
func onAddRoute(e *echo.Echo, hook func(string, echo.Route, echo.HandlerFunc, []echo.MiddlewareFunc)) {
	earlier := e.OnAddRouteHandler
	e.OnAddRouteHandler = func(host string, route echo.Route, handler echo.HandlerFunc, middleware []echo.MiddlewareFunc) {
		if earlier != nil {
			earlier(host, route, handler, middleware)
		}
		hook(host, route, handler, middleware)
	}
}
