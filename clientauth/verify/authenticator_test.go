package verify_test

import (
	"context"
	"encoding/json"
	"errors"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/picoauth/picoauth/app/problem"
	"github.com/picoauth/picoauth/clientauth/jose"
	"github.com/picoauth/picoauth/clientauth/verify"
)

// site is a net/http service behind an authenticator.
type site struct {
	*http.ServeMux
	signer        signer
	clock         *clock
	log           lockedBuffer
	authenticator *verify.Authenticator
}

func newSite(t testing.TB, change func(*verify.ValidatorConfig)) *site {
	t.Helper()
	s := &site{ServeMux: http.NewServeMux(), signer: signers()[jose.EdDSA], clock: newClock()}
	cfg := trusting(s.clock, s.signer)
	if change != nil {
		change(&cfg)
	}
	a, err := verify.NewAuthenticator(verify.AuthenticatorConfig{Validator: newValidator(t, cfg), Realm: audience, Logger: slog.New(slog.NewTextHandler(&s.log, nil))})
	if err != nil {
		t.Fatal(err)
	}
	s.authenticator = a
	whoami := http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		name := "anonymous"
		if caller, ok := verify.FromContext(r.Context()); ok {
			name = caller.Subject
		}
		_, _ = w.Write([]byte(name))
	})
	agent := http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		name := "no agent"
		if agent, ok := verify.AgentFromContext(r.Context()); ok {
			name = agent.Subject
		}
		_, _ = w.Write([]byte(name))
	})
	s.Handle("/me", a.Handler(whoami))
	s.Handle("/agent", a.Handler(agent))
	s.Handle("/optional", a.OptionalHandler(whoami))
	s.Handle("/admin", a.Handler(verify.HasRole("admin", "root").Handler(whoami)))
	s.Handle("/team", a.Handler(verify.HasGroup("team-1").Handler(whoami)))
	s.Handle("/pay", a.Handler(verify.HasScope("treasury:write:opex").Handler(agent)))
	s.Handle("/optional-admin", a.OptionalHandler(verify.HasRole("admin").Handler(whoami)))
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
	const auth, agentAuth = "Authorization", verify.AgentHeader
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
		{"valid, other case", "GET", "/me", []string{auth, "bEARER" + good[6:]}, 200, "alice", ""},
		{"nothing", "GET", "/me", nil, 401, "token_required", bare},
		{"empty header", "GET", "/me", []string{auth, ""}, 401, "token_required", bare},
		{"another scheme", "GET", "/me", []string{auth, "Basic YTpi"}, 401, "token_required", bare},
		{"scheme without a space", "GET", "/me", []string{auth, "Bearer" + good[7:]}, 401, "token_required", bare},
		{"no token", "GET", "/me", []string{auth, "Bearer"}, 401, "invalid_token", invalid("the token is malformed")},
		{"blank token", "GET", "/me", []string{auth, "Bearer  "}, 401, "invalid_token", invalid("the token is malformed")},
		{"two tokens", "GET", "/me", []string{auth, good + " x"}, 401, "invalid_token", invalid("the token is malformed")},
		{"two headers", "GET", "/me", []string{auth, good, auth, good}, 401, "invalid_token", invalid("the token is malformed")},
		{"garbage", "GET", "/me", []string{auth, "Bearer x.y.z"}, 401, "invalid_token", invalid("the token is malformed")},
		{"expired", "GET", "/me", []string{auth, s.bearer(object{"exp": 1})}, 401, "token_expired", invalid("the token has expired")},
		{"foreign", "GET", "/me", []string{auth, s.bearer(object{"aud": `"evil`})}, 401, "invalid_token", invalid("the token is for another audience")},
		{"in a query", "GET", "/me?access_token=" + good[7:], nil, 401, "token_required", bare},
		{"optional, none", "GET", "/optional", nil, 200, "anonymous", ""},
		{"optional, valid", "GET", "/optional", []string{auth, good}, 200, "alice", ""},
		{"optional, invalid", "GET", "/optional", []string{auth, "Bearer x"}, 401, "invalid_token", invalid("the token is malformed")},
		{"optional, then a role", "GET", "/optional-admin", nil, 401, "token_required", bare},
		{"role", "GET", "/admin", []string{auth, admin}, 200, "alice", ""},
		{"role, absent", "GET", "/admin", []string{auth, good}, 403, "forbidden", bare + `, error="insufficient_scope", error_description="one of these roles is required: admin, root"`},
		{"role, none", "GET", "/admin", nil, 401, "token_required", bare},
		{"group", "GET", "/team", []string{auth, s.bearer(object{"groups": []string{"team-1"}})}, 200, "alice", ""},
		{"group, absent", "GET", "/team", []string{auth, good}, 403, "forbidden", bare + `, error="insufficient_scope", error_description="one of these groups is required: team-1"`},
		{"scope", "GET", "/pay", []string{auth, good, agentAuth, agent}, 200, "agent-1", ""},
		{"scope, nothing", "GET", "/pay", nil, 401, "token_required", bare},
		{"scope, no agent", "GET", "/pay", []string{auth, good}, 403, "insufficient_scope",
			bare + `, error="insufficient_scope", error_description="one of these scopes is required: treasury:write:opex", scope="treasury:write:opex"`},
		{"scope, of the caller", "GET", "/pay", []string{auth, s.bearer(object{"scope": "read treasury:write:opex"})}, 200, "no agent", ""},
		{"scope, agent alone", "GET", "/pay", []string{agentAuth, agent}, 401, "token_required", bare},
		{"scope, in an agent's own token", "GET", "/pay", []string{auth, agent}, 200, "no agent", ""},
		{"scope, of the caller and not of the agent", "GET", "/pay", []string{auth, s.bearer(object{"scope": "treasury:*"}), agentAuth, s.bearer(object{"agent_id": "a"})}, 403, "insufficient_scope",
			bare + `, error="insufficient_scope", error_description="an agent with one of these scopes is required: treasury:write:opex", scope="treasury:write:opex"`},
		{"scope, absent", "GET", "/pay", []string{auth, good, agentAuth, s.bearer(object{"scopes": []string{"treasury:read"}})}, 403, "insufficient_scope",
			bare + `, error="insufficient_scope", error_description="an agent with one of these scopes is required: treasury:write:opex", scope="treasury:write:opex"`},
		{"agent, a wallet", "GET", "/pay", []string{auth, good, agentAuth, good}, 401, "invalid_agent_token", invalid("X-Agent-Authorization: the token is not an agent's")},
		{"agent, an admin", "GET", "/agent", []string{auth, good, agentAuth, admin}, 401, "invalid_agent_token", invalid("X-Agent-Authorization: the token is not an agent's")},
		{"agent, elsewhere", "GET", "/agent", []string{auth, good, agentAuth, agent}, 200, "agent-1", ""},
		{"agent, elsewhere and expired", "GET", "/agent", []string{auth, good, agentAuth, s.bearer(object{"agent_id": "a", "exp": 1})}, 401, "invalid_agent_token",
			invalid("X-Agent-Authorization: the token has expired")},
		{"agent, garbage", "GET", "/agent", []string{auth, good, agentAuth, "x"}, 401, "invalid_agent_token", invalid("X-Agent-Authorization: the token is malformed")},
		{"agent, twice", "GET", "/agent", []string{auth, good, agentAuth, agent, agentAuth, agent}, 401, "invalid_agent_token", invalid("X-Agent-Authorization: the token is malformed")},
		{"agent, none", "GET", "/agent", []string{auth, good}, 200, "no agent", ""},
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

func TestRevokedTokensAreSaidToBe(t *testing.T) {
	index := verify.NewRevocationIndex()
	s := newSite(t, func(c *verify.ValidatorConfig) { c.Issuers[0].Denylist = index })
	good := s.bearer(nil)
	if w := s.call("GET", "/me", "Authorization", good); w.Code != 200 {
		t.Fatal(w.Code)
	}
	index.Apply(verify.Revocation{JTI: "token-1"})
	w := s.call("GET", "/me", "Authorization", good)
	if w.Code != 401 || !strings.Contains(w.Body.String(), `"token_revoked"`) {
		t.Errorf("%d %s", w.Code, w.Body)
	}
}

func TestAnOutageIs503WithoutAChallenge(t *testing.T) {
	s := newSite(t, func(c *verify.ValidatorConfig) {
		c.Issuers[0].Keys = failing{context.DeadlineExceeded}
	})
	w := s.call("GET", "/me", "Authorization", s.bearer(nil))
	if w.Code != 503 || w.Header().Get("WWW-Authenticate") != "" || w.Header().Get("Retry-After") == "" || strings.Contains(w.Body.String(), "deadline") {
		t.Errorf("%d %v %s", w.Code, w.Header(), w.Body)
	}
}

func TestNetHTTP(t *testing.T) {
	c, s := newClock(), signers()[jose.EdDSA]
	a := must(verify.NewAuthenticator(verify.AuthenticatorConfig{Validator: newValidator(t, trusting(c, s)), Logger: quiet}))
	whoami := http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if caller, ok := verify.FromContext(r.Context()); ok {
			_, _ = w.Write([]byte(caller.Subject))
		}
	})
	mux := http.NewServeMux()
	mux.Handle("/me", a.Handler(whoami))
	mux.Handle("/optional", a.OptionalHandler(whoami))
	mux.Handle("/admin", a.Handler(verify.HasRole("admin").Handler(whoami)))
	good, admin := "Bearer "+s.Token(claims(nil)), "Bearer "+s.Token(claims(object{"role": "admin"}))
	for _, test := range []struct {
		path, token string
		status      int
		body        string
	}{
		{"/me", good, 200, "alice"}, {"/me", "", 401, ""}, {"/me", "Bearer x", 401, ""}, {"/optional", "", 200, ""}, {"/optional", good, 200, "alice"},
		{"/optional", "Bearer x", 401, ""}, {"/admin", admin, 200, "alice"}, {"/admin", good, 403, ""}, {"/admin", "", 401, ""},
	} {
		w := call(mux, "GET", test.path, "Authorization", test.token)
		if w.Code != test.status || test.body != "" && w.Body.String() != test.body {
			t.Errorf("%s with %.12q: %d %s", test.path, test.token, w.Code, w.Body)
		}
	}
}

func TestAHandlerDecidesForItself(t *testing.T) {
	c, s := newClock(), signers()[jose.EdDSA]
	a := must(verify.NewAuthenticator(verify.AuthenticatorConfig{Validator: newValidator(t, trusting(c, s)), Logger: quiet}))
	r := httptest.NewRequest("GET", "/", nil)
	var refused *problem.Problem
	if _, err := a.Authenticate(r); !errors.As(err, &refused) || refused.Status != 401 {
		t.Errorf("%v", err)
	}
	r.Header.Set("Authorization", "Bearer "+s.Token(claims(nil)))
	ctx, err := a.Authenticate(r)
	if err != nil {
		t.Fatal(err)
	}
	if caller, ok := verify.FromContext(ctx); !ok || caller.Subject != "alice" {
		t.Errorf("%v", caller)
	}
}

func TestContextsForTests(t *testing.T) {
	ctx := context.Background()
	if _, ok := verify.FromContext(ctx); ok {
		t.Error("nobody is somebody")
	}
	if _, ok := verify.AgentFromContext(ctx); ok {
		t.Error("no agent is one")
	}
	ctx = verify.NewAgentContext(verify.NewContext(ctx, &verify.SecurityContext{Subject: "a"}), &verify.AgentContext{Subject: "b"})
	ctx, cancel := context.WithTimeout(ctx, time.Minute)
	defer cancel()
	caller, _ := verify.FromContext(ctx)
	agent, _ := verify.AgentFromContext(ctx)
	if caller == nil || agent == nil || caller.Subject != "a" || agent.Subject != "b" {
		t.Errorf("%v, %v", caller, agent)
	}
}

func TestChecksWithoutAnAuthenticatorRefuse(t *testing.T) {
	h := verify.HasRole("admin").Handler(http.NotFoundHandler())
	if w := call(h, "GET", "/"); w.Code != 401 || w.Header().Get("WWW-Authenticate") != `Bearer realm="api"` {
		t.Errorf("%d %v", w.Code, w.Header())
	}
}

func TestTheZeroValidatorTrustsNobody(t *testing.T) {
	_, err := new(verify.TokenValidator).Validate(context.Background(), signers()[jose.EdDSA].Token(claims(nil)))
	if !errors.Is(err, verify.ErrInvalidToken) {
		t.Error(err)
	}
}
