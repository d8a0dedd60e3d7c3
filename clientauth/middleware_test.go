package clientauth_test

import (
	"encoding/json"
	"net/http"
	"net/http/httptest"
	"testing"

	"github.com/labstack/echo/v4"

	"github.com/picoauth/picoauth/clientauth"
	"github.com/picoauth/picoauth/clientauth/jose"
)

// site is an echo app behind an authenticator.
type site struct {
	*echo.Echo
	policy *clientauth.Policy
	signer signer
	clock  *clock
}

func newSite(t testing.TB, change func(*clientauth.ValidatorConfig)) *site {
	t.Helper()
	s := &site{Echo: echo.New(), policy: clientauth.NewPolicy(), signer: signers()[jose.EdDSA], clock: newClock()}
	cfg := trusting(s.clock, s.signer)
	if change != nil {
		change(&cfg)
	}
	a, err := clientauth.NewAuthenticator(clientauth.AuthenticatorConfig{Validator: newValidator(t, cfg), Policy: s.policy, Realm: audience, Logger: quiet})
	if err != nil {
		t.Fatal(err)
	}
	s.Use(a.Echo())
	whoami := func(c echo.Context) error {
		if caller, ok := clientauth.FromContext(c.Request().Context()); ok {
			return c.String(http.StatusOK, caller.Subject)
		}
		return c.String(http.StatusOK, "anonymous")
	}
	agent := func(c echo.Context) error {
		if agent, ok := clientauth.AgentFromContext(c.Request().Context()); ok {
			return c.String(http.StatusOK, agent.Subject)
		}
		return c.String(http.StatusOK, "no agent")
	}
	s.GET("/me", whoami)
	s.GET("/agent", agent)
	s.policy.AllowAnonymous(s.GET("/open/:id", whoami))
	s.policy.Optional(s.GET("/optional", whoami))
	s.POST("/open/:id", whoami)
	s.GET("/admin", whoami, clientauth.RequireRole("admin", "root"))
	s.GET("/team", whoami, clientauth.RequireGroup("team-1"))
	s.GET("/pay", agent, clientauth.RequireScope("treasury:write:opex"))
	s.policy.Optional(s.GET("/optional-admin", whoami, clientauth.RequireRole("admin")))
	group := s.Group("/group", clientauth.RequireRole("admin"))
	group.GET("/x", whoami)
	return s
}

// call sends a request with header names and values in turn.
func (s *site) call(method, path string, header ...string) *httptest.ResponseRecorder {
	return call(s, method, path, header...)
}

func call(h http.Handler, method, path string, header ...string) *httptest.ResponseRecorder {
	r := httptest.NewRequest(method, path, nil)
	for i := 0; i+1 < len(header); i += 2 {
		r.Header.Add(header[i], header[i+1])
	}
	w := httptest.NewRecorder()
	h.ServeHTTP(w, r)
	return w
}

func (s *site) bearer(changes object) string { return "Bearer " + s.signer.Token(claims(changes)) }

func TestWhoGetsIn(t *testing.T) {
	s := newSite(t, nil)
	good, admin := s.bearer(nil), s.bearer(object{"role": "admin"})
	agent := s.bearer(object{"sub": "agent-1", "scopes": []string{"treasury:*"}})
	const auth, agentAuth = "Authorization", clientauth.AgentHeader
	const bare = `Bearer realm="pico"`
	invalid := func(text string) string {
		return bare + `, error="invalid_token", error_description="` + text + `"`
	}
	for _, test := range []struct {
		name, method, path string
		header             []string
		status             int
		want               string // body, or code and then challenge
		challenge          string
	}{
		{"valid", "GET", "/me", []string{auth, good}, 200, "alice", ""},
		{"nothing", "GET", "/me", nil, 401, "token_required", bare},
		{"unknown path", "GET", "/nowhere", nil, 401, "token_required", bare},
		{"unknown path, valid", "GET", "/nowhere", []string{auth, good}, 404, "", ""},
		{"below a route", "GET", "/me/x", nil, 401, "token_required", bare},
		{"open", "GET", "/open/7", nil, 200, "anonymous", ""},
		{"open, bad token", "GET", "/open/7", []string{auth, "Bearer x", agentAuth, "x"}, 200, "anonymous", ""},
		{"open, another method", "POST", "/open/7", nil, 401, "token_required", bare},
		{"open, unknown method", "DELETE", "/open/7", nil, 401, "token_required", bare},
		{"open, head", "HEAD", "/open/7", nil, 405, "", ""},
		{"protected, head", "HEAD", "/me", nil, 401, "", bare},
		{"preflight", "OPTIONS", "/me", []string{"Origin", "https://x", "Access-Control-Request-Method", "GET"}, 204, "", ""},
		{"optional, none", "GET", "/optional", nil, 200, "anonymous", ""},
		{"optional, valid", "GET", "/optional", []string{auth, good}, 200, "alice", ""},
		{"optional, invalid", "GET", "/optional", []string{auth, "Bearer x"}, 401, "invalid_token", invalid("the token is malformed")},
		{"optional, then a role", "GET", "/optional-admin", nil, 401, "token_required", bare},
		{"role", "GET", "/admin", []string{auth, admin}, 200, "alice", ""},
		{"role, absent", "GET", "/admin", []string{auth, good}, 403, "forbidden", bare + `, error="insufficient_scope", error_description="one of these roles is required: admin, root"`},
		{"role, none", "GET", "/admin", nil, 401, "token_required", bare},
		{"role on a group", "GET", "/group/x", []string{auth, good}, 403, "forbidden", bare + `, error="insufficient_scope", error_description="one of these roles is required: admin"`},
		{"role on a group, admin", "GET", "/group/x", []string{auth, admin}, 200, "alice", ""},
		{"group", "GET", "/team", []string{auth, s.bearer(object{"groups": []string{"team-1"}})}, 200, "alice", ""},
		{"group, absent", "GET", "/team", []string{auth, good}, 403, "forbidden", bare + `, error="insufficient_scope", error_description="one of these groups is required: team-1"`},
		{"scope", "GET", "/pay", []string{auth, good, agentAuth, agent}, 200, "agent-1", ""},
		{"scope, nothing", "GET", "/pay", nil, 401, "token_required", bare},
		{"scope, no agent", "GET", "/pay", []string{auth, good}, 403, "insufficient_scope",
			bare + `, error="insufficient_scope", error_description="one of these scopes is required: treasury:write:opex", scope="treasury:write:opex"`},
		{"scope, of the caller", "GET", "/pay", []string{auth, s.bearer(object{"scope": "read treasury:write:opex"})}, 200, "no agent", ""},
		{"scope, absent", "GET", "/pay", []string{auth, good, agentAuth, s.bearer(object{"scopes": []string{"treasury:read"}})}, 403, "insufficient_scope",
			bare + `, error="insufficient_scope", error_description="an agent with one of these scopes is required: treasury:write:opex", scope="treasury:write:opex"`},
	} {
		t.Run(test.name, func(t *testing.T) {
			w := s.call(test.method, test.path, test.header...)
			if w.Code != test.status {
				t.Fatalf("status %d, body %s", w.Code, w.Body)
			}
			if got := w.Header().Get("WWW-Authenticate"); got != test.challenge {
				t.Errorf("challenge %s", got)
			}
			if test.challenge == "" {
				if test.want != "" && w.Body.String() != test.want {
					t.Errorf("body %s", w.Body)
				}
				return
			}
			if kind := w.Header().Get("Content-Type"); kind != "application/problem+json" {
				t.Errorf("type %s", kind)
			}
			var problem struct {
				Status int
				Code   string
				Detail string
			}
			if err := json.Unmarshal(w.Body.Bytes(), &problem); err != nil || problem.Status != test.status || problem.Code != test.want && test.want != "" || problem.Detail == "" {
				t.Errorf("problem %s: %v", w.Body, err)
			}
		})
	}
}

func TestTheHostsErrorHandlerIsLeftAlone(t *testing.T) {
	s := newSite(t, nil)
	s.HTTPErrorHandler = func(error, echo.Context) { t.Error("the host's error handler was called") }
	for _, path := range []string{"/me", "/admin"} {
		if w := s.call("GET", path); w.Code != 401 {
			t.Errorf("%s: %d", path, w.Code)
		}
	}
}

func TestRoutesAreKnownByTheirTemplate(t *testing.T) {
	s := newSite(t, nil)
	s.policy.AllowAnonymous(s.GET("/api/v1/auth/jwks", func(c echo.Context) error { return c.NoContent(http.StatusOK) }))
	s.GET("/api/v1/auth/*", func(c echo.Context) error { return c.NoContent(http.StatusOK) })
	s.GET("/api/v1/authors", func(c echo.Context) error { return c.NoContent(http.StatusOK) })
	for path, want := range map[string]int{"/api/v1/auth/jwks": 200, "/api/v1/auth/x": 401, "/api/v1/auth/jwks/": 401, "/api/v1/authors": 401,
		"/api/v1/auth/jwks/../../authors": 401, "/open/..%2Fme": 200, "/me/": 401, "//me": 401} {
		if w := s.call("GET", path); w.Code != want {
			t.Errorf("%s: %d, want %d", path, w.Code, want)
		}
	}
}

func TestAnEmptyRequirementIsAMistake(t *testing.T) {
	for name, make := range map[string]func(){
		"role": func() { clientauth.RequireRole() }, "group": func() { clientauth.RequireGroup() }, "scope": func() { clientauth.RequireScope() },
	} {
		func() {
			defer func() {
				if recover() == nil {
					t.Errorf("%s: nothing was named and nobody noticed", name)
				}
			}()
			make()
		}()
	}
}

func TestChecksWithoutAnAuthenticatorRefuse(t *testing.T) {
	e := echo.New()
	e.GET("/", func(c echo.Context) error { return c.NoContent(http.StatusOK) }, clientauth.RequireRole("admin"))
	if w := call(e, "GET", "/"); w.Code != 401 || w.Header().Get("WWW-Authenticate") != `Bearer realm="api"` {
		t.Errorf("%d %v", w.Code, w.Header())
	}
}
