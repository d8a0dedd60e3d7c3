package clientauth_test

import (
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"testing/fstest"

	"github.com/labstack/echo/v4"
	"go.uber.org/fx"

	"github.com/picoauth/picoauth/app"
	"github.com/picoauth/picoauth/clientauth"
	"github.com/picoauth/picoauth/clientauth/jose"
)

// named answers with its name.
func named(name string) echo.HandlerFunc {
	return func(c echo.Context) error { return c.String(http.StatusOK, name) }
}

// routed builds an app of its own whose routes are made and marked by register, a function for fx.Invoke.
func routed(t testing.TB, register any) *echo.Echo {
	t.Helper()
	var e *echo.Echo
	a := app.New(app.ConfigMap(map[string]any{"app.port": 0, "app.log_level": "error"}), clientauth.Module, local(nil, signers()[jose.EdDSA]),
		fx.Supply(app.Clock(newClock().Now)), fx.Populate(&e), fx.Invoke(register))
	if err := a.Err(); err != nil {
		t.Fatal(err)
	}
	return e
}

// visit sends a request without a token to a host.
func visit(h http.Handler, method, url string) *httptest.ResponseRecorder {
	w := httptest.NewRecorder()
	h.ServeHTTP(w, httptest.NewRequest(method, url, nil))
	return w
}

func TestAMarkIsForItsRouteAlone(t *testing.T) {
	e := routed(t, func(e *echo.Echo, policy *clientauth.Policy) {
		open := policy.AllowAnonymous
		a, b, admin := e.Host("a.example"), e.Host("b.example"), e.Host("admin.example:8443")
		open(a.GET("/status", named("a")))
		b.GET("/status", named("b"))
		e.GET("/status", named("root"))
		open(e.GET("/public", named("root")))
		a.GET("/public", named("a"))
		admin.GET("/metrics", named("secrets"))
		admin.GET("/healthz", named("secrets"))
		open(a.Group("/v1").GET("/:id", named("a group")))
		b.Group("/v1").GET("/:id", named("b group"))

		open(e.Group("/team").GET("", named("team")))
		for _, route := range e.Any("/any", named("any")) {
			if route.Method != http.MethodDelete {
				open(route)
			}
		}
		open(e.Add("PURGE", "/cache/*", named("purged")))
		e.Add("BAN", "/cache/*", named("banned"))
		open(e.StaticFS("/files", fstest.MapFS{"x": {Data: []byte("file")}}))
		open(e.GET("/own-head", named("get")))
		e.HEAD("/own-head", named("head"))
		open(e.HEAD("/only-head", named("head")))
		e.GET("/only-head", named("get"))
		open(e.GET("/users/:id", named("user")))
		e.GET("/users/me", named("me"))
		open(e.GET(`/literal\:id`, named("literal")))
	})
	for request, want := range map[string]int{
		"GET http://a.example/status": 200, "GET http://b.example/status": 401, "GET http://c.example/status": 401,
		"GET http://a.example:80/status": 401, "GET http://A.example/status": 401,
		"GET http://c.example/public": 200, "GET http://a.example/public": 401, "GET http://b.example/public": 401,
		"GET http://c.example/healthz": 200, "HEAD http://c.example/healthz": 200, "GET http://c.example/metrics": 200,
		"GET http://admin.example:8443/metrics": 401, "HEAD http://admin.example:8443/metrics": 401, "GET http://admin.example:8443/healthz": 401,
		"GET http://admin.example/metrics": 200, "GET http://a.example/v1/7": 200, "GET http://b.example/v1/7": 401, "GET http://c.example/v1/7": 401,
		"GET /team": 200, "POST /team": 401, "POST /any": 200, "DELETE /any": 401, "PURGE /any": 401,
		"PURGE /cache/x": 200, "BAN /cache/x": 401, "GET /cache/x": 401, "GET /files/x": 200, "HEAD /files/x": 200, "POST /files/x": 401,
		"GET /own-head": 200, "HEAD /own-head": 401, "HEAD /only-head": 200, "GET /only-head": 401,
		"GET /users/7": 200, "GET /users/me": 401, "OPTIONS /users/7": 401, "GET /literal:id": 200, "echo_route_not_found /any": 401,
	} {
		method, url, _ := strings.Cut(request, " ")
		if w := visit(e, method, url); w.Code != want {
			t.Errorf("%s: %d %s, want %d", request, w.Code, w.Body, want)
		}
	}
}

func TestAFallbackIsOpenForWhatItAnswers(t *testing.T) {
	e := routed(t, func(e *echo.Echo, policy *clientauth.Policy) {
		policy.AllowAnonymous(e.RouteNotFound("/ui/*", named("page")))
		e.POST("/ui/orders", named("order"))
		e.GET("/ui/secret", named("secret"))
		group := e.Group("/app", func(next echo.HandlerFunc) echo.HandlerFunc { return next })
		policy.AllowAnonymous(group.RouteNotFound("/*", named("group's page")))
		group.GET("/secret", named("secret"))
		e.Group("/closed", func(next echo.HandlerFunc) echo.HandlerFunc { return next })
		policy.AllowAnonymous(e.RouteNotFound("/both/*", named("page")))
		e.GET("/both/*", named("secret"))
		e.RouteNotFound("/other/*", named("secret"))
		policy.AllowAnonymous(e.GET("/other/*", named("page")))
		policy.AllowAnonymous(e.Host("a.example").RouteNotFound("/*", named("a's page")))
		e.Host("b.example").RouteNotFound("/*", named("b's page"))
	})
	for request, want := range map[string]string{
		"GET /ui/orders/7": "page", "POST /ui/x": "page", "DELETE /ui/x": "page", "HEAD /ui/x": "", "GET /ui/orders": "page",
		"POST /ui/orders": "401", "GET /ui/secret": "401", "HEAD /ui/secret": "401", "GET /ui": "401", "GET /uix": "401",
		"GET /app/x": "group's page", "GET /app/secret": "401", "GET /closed/x": "401",
		"GET /both/x": "401", "HEAD /both/x": "401", "POST /both/x": "page", "GET /other/x": "page", "POST /other/x": "401",
		"GET http://a.example/x": "a's page", "GET http://b.example/x": "401",
	} {
		method, url, _ := strings.Cut(request, " ")
		w := visit(e, method, url)
		if want == "401" && w.Code != 401 || want != "401" && (w.Code != 200 || want != "" && w.Body.String() != want) {
			t.Errorf("%s: %d %s, want %s", request, w.Code, w.Body, want)
		}
	}
}

func TestAMarkWithoutEffectPanics(t *testing.T) {
	for name, mark := range map[string]func(*echo.Echo, *clientauth.Policy) *echo.Route{
		"nil":             func(*echo.Echo, *clientauth.Policy) *echo.Route { return nil },
		"made by hand":    func(*echo.Echo, *clientauth.Policy) *echo.Route { return &echo.Route{Method: "GET", Path: "/healthz"} },
		"of another echo": func(*echo.Echo, *clientauth.Policy) *echo.Route { return echo.New().GET("/x", named("x")) },
		"replaced": func(e *echo.Echo, _ *clientauth.Policy) *echo.Route {
			route := e.GET("/x", named("first"))
			e.GET("/x", named("second"))
			return route
		},
		"replaced under other names": func(e *echo.Echo, _ *clientauth.Policy) *echo.Route {
			route := e.GET("/x/:id", named("first"))
			e.GET("/x/:name", named("second"))
			return route
		},
		"of a host that was made anew": func(e *echo.Echo, _ *clientauth.Policy) *echo.Route {
			route := e.Host("a.example").GET("/x", named("first"))
			e.Host("a.example").GET("/x", named("second"))
			return route
		},
	} {
		routed(t, func(e *echo.Echo, policy *clientauth.Policy) {
			route := mark(e, policy)
			for _, open := range []func(*echo.Route) *echo.Route{policy.AllowAnonymous, policy.Optional} {
				func() {
					defer func() {
						if text, _ := recover().(string); !strings.HasPrefix(text, "clientauth: ") {
							t.Errorf("%s: %q", name, text)
						}
					}()
					open(route)
				}()
			}
		})
	}
}

func TestMarksThatArePeculiarAndMatch(t *testing.T) {
	routed(t, func(e *echo.Echo, policy *clientauth.Policy) {
		e.GET("/x/:id", named("id"))
		policy.AllowAnonymous(e.GET("/x/:name", named("name")))
		e.GET("/y/:id", named("id"))
		policy.AllowAnonymous(e.GET("/y/*", named("rest")))
		policy.AllowAnonymous(e.GET("", named("root")))
		policy.AllowAnonymous(e.GET("no-slash", named("slash")))
		policy.AllowAnonymous(e.GET(`/a\:b/:c`, named("colon")))
		policy.AllowAnonymous(e.POST("/a/:b/c/*", named("deep")))
		for _, route := range e.Routes() {
			if route.Path == "/x/:id" {
				continue
			}
			policy.Optional(route)
		}
	})
}

func TestARouteThatReplacesAnOpenOneIsClosed(t *testing.T) {
	s := newSite(t, nil)
	s.policy.AllowAnonymous(s.GET("/replaced", named("open")))
	s.GET("/replaced", named("secret"))
	s.policy.AllowAnonymous(s.Host("a.example").GET("/status", named("open")))
	s.Host("a.example").GET("/status", named("secret"))
	for _, url := range []string{"/replaced", "http://a.example/status"} {
		if w := visit(s, "GET", url); w.Code != 401 {
			t.Errorf("%s: %d %s", url, w.Code, w.Body)
		}
	}
	s.policy.AllowAnonymous(s.GET("/late", named("late")))
	if w := visit(s, "GET", "/late"); w.Code != 200 {
		t.Errorf("a route that is opened after the first request: %d", w.Code)
	}
}

func TestAPreflightPassesAndIsNobody(t *testing.T) {
	s := newSite(t, nil)
	identity := func(c echo.Context) error {
		_, known := clientauth.FromContext(c.Request().Context())
		return c.JSON(http.StatusOK, known)
	}
	s.OPTIONS("/own-options", identity)
	s.OPTIONS("/own-options-admin", identity, clientauth.RequireRole("admin"))
	s.Any("/any", identity)
	preflight := []string{"Origin", "https://app.example", "Access-Control-Request-Method", "PUT"}
	signed := append([]string{"Authorization", s.bearer(object{"role": "admin"}), clientauth.AgentHeader, "Bearer x"}, preflight...)
	for _, test := range []struct {
		name, method, path string
		header             []string
		status             int
		body               string
	}{
		{"known path", "OPTIONS", "/me", preflight, 204, ""},
		{"unknown path", "OPTIONS", "/nowhere", preflight, 404, ""},
		{"handler of its own", "OPTIONS", "/own-options", preflight, 200, "false\n"},
		{"with a token", "OPTIONS", "/own-options", signed, 200, "false\n"},
		{"with a token, any method", "OPTIONS", "/any", signed, 200, "false\n"},
		{"with a token, role", "OPTIONS", "/own-options-admin", signed, 401, ""},
		{"with a bad token", "OPTIONS", "/own-options", append([]string{"Authorization", "Bearer x"}, preflight...), 200, "false\n"},
		{"no Origin", "OPTIONS", "/own-options", preflight[2:], 401, ""},
		{"no method", "OPTIONS", "/own-options", preflight[:2], 401, ""},
		{"empty Origin", "OPTIONS", "/own-options", []string{"Origin", "", preflight[2], "PUT"}, 401, ""},
		{"not OPTIONS", "GET", "/any", preflight, 401, ""},
		{"not in capitals", "options", "/own-options", preflight, 401, ""},
		{"OPTIONS with a token", "OPTIONS", "/own-options", signed[:2], 200, "true\n"},
	} {
		w := s.call(test.method, test.path, test.header...)
		if w.Code != test.status || test.body != "" && w.Body.String() != test.body {
			t.Errorf("%s: %d %s, want %d %s", test.name, w.Code, w.Body, test.status, test.body)
		}
	}
}
