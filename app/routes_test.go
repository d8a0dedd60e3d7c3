package app_test

import (
	"net/http"
	"net/http/httptest"
	"slices"
	"testing"

	"github.com/labstack/echo/v4"

	"github.com/picoauth/picoauth/app"
)

func nothing(echo.Context) error { return nil }

func TestWatchRoutes(t *testing.T) {
	tests := map[string]struct {
		register func(*echo.Echo)
		want     string
	}{
		"different routes": {func(e *echo.Echo) {
			e.GET("/a", nothing)
			e.POST("/a", nothing)
			e.GET("/a/", nothing)
			e.GET("/a/:id", nothing)
			e.GET("/a/*", nothing)
			e.GET("/a/:id/b", nothing)
			e.Any("/any", nothing)
			e.HEAD("/a", nothing)
		}, ""},
		"the same": {func(e *echo.Echo) {
			e.GET("/a", nothing)
			e.GET("/a", nothing)
		}, "route GET /a is registered twice"},
		"another name of the parameter": {func(e *echo.Echo) {
			e.GET("/users/:id/keys/:kid", nothing)
			e.GET("/users/:name/keys/:key", nothing)
		}, "route GET /users/:name/keys/:key is registered twice, first as /users/:id/keys/:kid"},
		"a colon that is no parameter": {func(e *echo.Echo) {
			e.GET(`/v\:check`, nothing)
			e.GET(`/v\:other`, nothing)
		}, ""},
		"in a group": {func(e *echo.Echo) {
			e.GET("/a/b", nothing)
			e.Group("/a").GET("/b", nothing)
		}, "route GET /a/b is registered twice"},
		"two": {func(e *echo.Echo) {
			for range 2 {
				e.GET("/a", nothing)
				e.PUT("/b", nothing)
			}
		}, "route GET /a is registered twice\nroute PUT /b is registered twice"},
		"a group's own fallback": {func(e *echo.Echo) {
			group := e.Group("/a")
			group.Use(middleware("x"))
			group.Use(middleware("y"))
		}, ""},
		"of different hosts": {func(e *echo.Echo) {
			e.GET("/a", nothing)
			e.Host("one.example").GET("/a", nothing)
			e.Host("two.example").GET("/a", nothing)
		}, ""},
		"of one host": {func(e *echo.Echo) {
			host := e.Host("one.example")
			host.GET("/a", nothing)
			host.GET("/a", nothing)
		}, "route GET /a is registered twice"},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			e := echo.New()
			watch := app.WatchRoutes(e)
			test.register(e)
			err := watch.Err()
			if got := text(err); got != test.want {
				t.Fatalf("got %q, want %q", got, test.want)
			}
		})
	}
}

func TestWatchRoutesOfAnEchoInUse(t *testing.T) {
	e := echo.New()
	hooked := 0
	e.OnAddRouteHandler = func(string, echo.Route, echo.HandlerFunc, []echo.MiddlewareFunc) { hooked++ }
	e.GET("/users/:id", nothing)
	host := e.Host("one.example")
	host.GET("/a", nothing)
	watch := app.WatchRoutes(e)
	e.GET("/users/:name", nothing)
	host.GET("/a", nothing)
	const want = "route GET /users/:name is registered twice, first as /users/:id\nroute GET /a is registered twice"
	if got := text(watch.Err()); got != want {
		t.Errorf("got %q", got)
	}
	if hooked != 4 {
		t.Errorf("the hook of the echo's owner ran %d times, want 4", hooked)
	}
}

func middleware(name string) echo.MiddlewareFunc {
	return func(next echo.HandlerFunc) echo.HandlerFunc {
		return func(c echo.Context) error {
			c.Response().Header().Add("Via", name)
			return next(c)
		}
	}
}

func TestHeadWorksWhereGetDoes(t *testing.T) {
	e, _ := newEcho(t, nil)
	answer := func(name string) echo.HandlerFunc {
		return func(c echo.Context) error {
			c.Response().Header().Set("Route", c.Path())
			return c.String(http.StatusOK, name)
		}
	}
	e.GET("/users/:id", answer("get"), middleware("one"), middleware("two"))
	e.HEAD("/before", answer("own"))
	e.GET("/before", answer("get"))
	e.GET("/after", answer("get"))
	e.HEAD("/after", answer("own"))
	e.POST("/post", answer("post"))
	host := e.Host("one.example", middleware("host"))
	host.GET("/only", answer("get"))
	tests := []struct {
		url, route, body string
		status           int
		via              []string
	}{
		{"/users/7", "/users/:id", "get", 200, []string{"one", "two"}},
		{"/before", "/before", "own", 200, nil},
		{"/after", "/after", "own", 200, nil},
		{"/post", "", "", 405, nil},
		{"/none", "", "", 404, nil},
		{"http://one.example/only", "/only", "get", 200, []string{"host"}},
		{"/only", "", "", 404, nil},
	}
	for _, test := range tests {
		t.Run(test.url, func(t *testing.T) {
			w := request(e, httptest.NewRequest(http.MethodHead, test.url, nil))
			if w.Code != test.status || w.Header().Get("Route") != test.route || !slices.Equal(w.Header()["Via"], test.via) {
				t.Errorf("got %d %v", w.Code, w.Header())
			}
			if test.body != "" && w.Body.String() != test.body { // a recorder shows what net/http leaves out
				t.Errorf("answered by %s", w.Body)
			}
		})
	}
	for _, route := range e.Routes() {
		if route.Method == http.MethodHead && route.Path == "/users/:id" {
			t.Error("the HEAD route that nobody registered is listed")
		}
	}
}
