package oauth_test

import (
	"bytes"
	"context"
	"encoding/base64"
	"encoding/json"
	"errors"
	"log/slog"
	"net/http"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"go.uber.org/fx"

	"github.com/picoauth/picoauth/app"
	"github.com/picoauth/picoauth/clientauth/verify"
	"github.com/picoauth/picoauth/serverauth"
	"github.com/picoauth/picoauth/serverauth/claims"
	"github.com/picoauth/picoauth/serverauth/oauth"
	"github.com/picoauth/picoauth/serverauth/store"
	"github.com/picoauth/picoauth/testutil"
)

const (
	accessToken = "urn:ietf:params:oauth:token-type:access_token"
	other       = "https://other.example.com/"
	fleetSecret = "the secret of the fleet that nobody guesses"
)

// agentClients are the usual clients and agents that may act for people.
func agentClients() []any {
	agent := func(id string, rules ...any) any {
		return map[string]any{"id": id, "secret": clientSecret, "grants": []string{"client_credentials"}, "scopes": []string{"read"}, "may_act": rules}
	}
	wallets := map[string]any{"roles": []string{"wallet"}, "scopes": []string{"openid", "read", "tools"}, "resources": []string{mcp}}
	return append(defaultClients(), map[string]any{"id": "denylist", "secret": clientSecret, "denylist": true}, agent("agent", wallets), agent("agent2", wallets),
		agent("split", map[string]any{"roles": []string{"wallet"}, "scopes": []string{"read"}, "resources": []string{mcp}},
			map[string]any{"roles": []string{"wallet"}, "scopes": []string{"tools"}, "resources": []string{other}}),
		agent("own", map[string]any{"roles": []string{"wallet"}, "scopes": []string{"read", "tools"}, "resources": []string{"pico"}}),
		agent("for-admins", map[string]any{"roles": []string{"admin"}, "scopes": []string{"read"}}))
}

// agentServer runs a server with agents, of a fleet too, and an operator.
func agentServer(tb testing.TB, auth map[string]any, options ...fx.Option) *server {
	tb.Helper()
	own := map[string]any{"auto_create_admin": true, "admin_password": "correct horse", "fleet_mint_secret": fleetSecret, "mint_audit_min_ttl_seconds": 0}
	for key, value := range auth {
		own[key] = value
	}
	return startServer(tb, map[string]any{
		"clients": agentClients(), "scopes": map[string]any{"read": "read your data", "write": "change your data"},
		"resources":     []any{map[string]any{"uri": mcp, "scopes": map[string]any{"tools": "use the tools"}}, map[string]any{"uri": other}},
		"fleet_may_act": map[string]any{"agent": []any{map[string]any{"roles": []string{"wallet"}, "scopes": []string{"read", "openid"}}}},
	}, own, options...)
}

// own is the token that an agent got for itself.
func (s *server) own(id string, pairs ...string) string {
	s.Helper()
	reply := s.tokenAs(id, append([]string{"grant_type", "client_credentials"}, pairs...)...)
	require.Equal(s, http.StatusOK, reply.StatusCode, reply.body)
	return reply.json(s)["access_token"].(string)
}

// person is the access token of somebody who allowed grafana a scope.
func (s *server) person(scope string, pairs ...string) string {
	s.Helper()
	return s.signIn(newAsk(append([]string{"scope", scope}, pairs...)...), newWallet(s, "eip191"))["access_token"].(string)
}

// act exchanges a token as an agent; later pairs replace earlier ones.
func (s *server) act(id, subject, actor string, pairs ...string) answer {
	s.Helper()
	return s.tokenAs(id, exchanging(subject, actor, pairs...)...)
}

func exchanging(subject, actor string, pairs ...string) []string {
	form := []string{
		"grant_type", "urn:ietf:params:oauth:grant-type:token-exchange", "subject_token", subject, "subject_token_type", accessToken,
		"actor_token", actor, "actor_token_type", accessToken,
	}
	for i := 0; i < len(pairs); i += 2 {
		for j := 0; j < len(form); j += 2 {
			if form[j] == pairs[i] {
				form[j+1] = ""
			}
		}
	}
	return append(form, pairs...)
}

// acting is the token of an exchange that succeeds.
func (s *server) acting(id, subject string, pairs ...string) string {
	s.Helper()
	reply := s.act(id, subject, s.own(id), pairs...)
	require.Equal(s, http.StatusOK, reply.StatusCode, reply.body)
	return reply.json(s)["access_token"].(string)
}

// admin is an operator's token.
func (s *server) admin() string {
	s.Helper()
	reply := s.browser().postJSON(s.url+serverauth.Prefix+"/login", map[string]any{"email": "admin@pico.local", "password": "correct horse"})
	require.Equal(s, http.StatusOK, reply.StatusCode, reply.body)
	return reply.json(s)["access_token"].(string)
}

// asOperator sends JSON with a token.
func (s *server) asOperator(token, path string, body any) error {
	s.Helper()
	return testutil.PostAs(context.Background(), s.url+serverauth.Prefix+path, token, body, nil)
}

// fleetToken is the token of an agent of a fleet.
func (s *server) fleetToken(body map[string]any) string {
	s.Helper()
	return s.posted("/fleet/sessions", body, "X-Fleet-Secret", fleetSecret)["session_token"].(string)
}

// actAsFleet exchanges a token with no other credentials than the actor's.
func (s *server) actAsFleet(subject, actor string, pairs ...string) answer {
	s.Helper()
	return s.tokenAs("", exchanging(subject, actor, pairs...)...)
}

func TestAnAgentActsForAPerson(t *testing.T) {
	var log testutil.LogRecords
	s := agentServer(t, nil, fx.Decorate(func(*slog.Logger) *slog.Logger {
		return app.NewLogger(app.Settings{LogFormat: "json", LogLevel: "info"}, &log)
	}))
	subject := s.person("openid profile read")
	reply := s.act("agent", subject, s.own("agent"), "requested_token_type", accessToken)
	require.Equal(t, http.StatusOK, reply.StatusCode, reply.body)
	assert.Equal(t, "no-store", reply.Header.Get("Cache-Control"))
	answered := reply.json(t)
	assert.Equal(t, accessToken, answered["issued_token_type"])
	assert.Equal(t, "Bearer", answered["token_type"])
	assert.Equal(t, "openid read", answered["scope"])
	assert.NotContains(t, answered, "refresh_token")
	assert.NotContains(t, answered, "id_token")

	before, got := claimsOf(t, subject), claimsOf(t, answered["access_token"])
	for _, name := range []string{"iss", "sub", "sid", "role", "aud", "auth_time", "wallet_id", "wallet_address", "account", "algorithm"} {
		assert.Equal(t, before[name], got[name], name)
	}
	assert.Equal(t, "agent", got["client_id"])
	assert.Equal(t, map[string]any{"sub": "agent", "client_id": "agent"}, got["act"])
	assert.Equal(t, "openid read", got["scope"])
	assert.LessOrEqual(t, got["exp"], before["exp"])
	assert.NotEqual(t, before["jti"], got["jti"])
	assert.True(t, s.active(answered["access_token"]))
	assert.Equal(t, http.StatusOK, s.userinfo(answered["access_token"]).StatusCode)

	second := s.acting("agent2", answered["access_token"].(string), "scope", "read", "resource", mcp)
	assert.Equal(t, map[string]any{"sub": "agent2", "client_id": "agent2", "act": got["act"]}, claimsOf(t, second)["act"])
	assert.Equal(t, mcp, claimsOf(t, second)["aud"])

	var mints struct{ Items []map[string]any }
	require.NoError(t, testutil.Get(t.Context(), s.url+serverauth.Prefix+"/mints?jti="+claimsOf(t, second)["jti"].(string), s.admin(), &mints))
	require.Len(t, mints.Items, 1)
	assert.Equal(t, claimsOf(t, second)["act"], mints.Items[0]["act"])
	assert.Equal(t, "exchange", mints.Items[0]["kind"])
	records := log.Of(t, "oauth_tokens")
	last := records[len(records)-1]
	assert.Equal(t, []any{"agent2", "agent"}, last["actors"])
	assert.Equal(t, before["sub"], last["subject"])
}

// TestAnExchangeNeverWidens: no request gets more than the person's token has and than the agent may.
func TestAnExchangeNeverWidens(t *testing.T) {
	s := agentServer(t, nil)
	subject, atMCP := s.person("openid read"), s.person("openid tools read", "resource", mcp)
	for name, test := range map[string]struct {
		agent, subject string
		pairs          []string
		scope          string // of a good one
		aud            any
		refused        string
	}{
		"all that both may":                     {"agent", subject, nil, "openid read", "pico", ""},
		"less":                                  {"agent", subject, []string{"scope", "read"}, "read", "pico", ""},
		"the person's own resource":             {"agent2", atMCP, []string{"scope", "tools"}, "tools", mcp, ""},
		"a resource of the agent":               {"agent", subject, []string{"resource", mcp}, "openid read", mcp, ""},
		"by its name in RFC 8693":               {"agent", subject, []string{"audience", mcp}, "openid read", mcp, ""},
		"both":                                  {"agent", atMCP, []string{"resource", mcp, "resource", mcp}, "openid tools read", mcp, ""},
		"a scope that the agent lacks":          {"agent", s.person("read profile"), []string{"scope", "profile"}, "", nil, "invalid_scope"},
		"a scope that the person did not allow": {"agent", subject, []string{"scope", "tools"}, "", nil, "invalid_scope"},
		"one of each":                           {"agent", subject, []string{"scope", "read write"}, "", nil, "invalid_scope"},
		"a scope that does not exist":           {"agent", subject, []string{"scope", "root"}, "", nil, "invalid_scope"},
		"a glob":                                {"agent", subject, []string{"scope", "*"}, "", nil, "invalid_scope"},
		"no scope for the agent at all":         {"for-admins", s.admin(), nil, "", "pico", ""},
		"a resource that the agent lacks":       {"agent", subject, []string{"resource", other}, "", nil, "invalid_target"},
		"one of two":                            {"agent", subject, []string{"resource", mcp, "resource", other}, "", nil, "invalid_target"},
		"one hidden as audience":                {"agent", subject, []string{"resource", mcp, "audience", other}, "", nil, "invalid_target"},
		"a resource that does not exist":        {"agent", subject, []string{"resource", "https://evil.example.com/"}, "", nil, "invalid_target"},
		"the server's own audience":             {"agent", atMCP, []string{"resource", "pico"}, "", nil, "invalid_target"},
		"the server's own audience by a rule":   {"own", atMCP, []string{"resource", "pico"}, "read", "pico", ""},
		"a scope that means nothing there":      {"own", atMCP, []string{"resource", "pico", "scope", "tools"}, "", nil, "invalid_scope"},
		"one rule":                              {"split", atMCP, []string{"resource", mcp, "scope", "read"}, "read", mcp, ""},
		"two rules put together":                {"split", atMCP, []string{"resource", other, "scope", "read"}, "", nil, "invalid_scope"},
		"two rules put together in one":         {"split", atMCP, []string{"resource", mcp, "scope", "read tools"}, "", nil, "invalid_scope"},
		"people of another role":                {"for-admins", subject, nil, "", nil, "invalid_request"},
		"an agent without rules":                {"job", subject, nil, "", nil, "unauthorized_client"},
		"a type that there is not":              {"agent", subject, []string{"requested_token_type", "urn:ietf:params:oauth:token-type:refresh_token"}, "", nil, "invalid_request"},
		"an ID token of it":                     {"agent", subject, []string{"requested_token_type", "urn:ietf:params:oauth:token-type:id_token"}, "", nil, "invalid_request"},
		"twice the same parameter":              {"agent", subject, []string{"scope", "read", "scope", "read"}, "", nil, "invalid_request"},
	} {
		t.Run(name, func(t *testing.T) {
			reply := s.act(test.agent, test.subject, s.own(test.agent), test.pairs...)
			if test.refused != "" {
				reply.refused(t, http.StatusBadRequest, test.refused)
				return
			}
			require.Equal(t, http.StatusOK, reply.StatusCode, reply.body)
			got := claimsOf(t, reply.json(t)["access_token"])
			scope, _ := got["scope"].(string)
			assert.Equal(t, test.scope, scope)
			assert.Equal(t, test.aud, got["aud"])
		})
	}
}

// TestWhatIsNoTokenOfAnExchange: both must be access tokens of this server that hold now, the one of a person's session, the
// other of the agent that asks.
func TestWhatIsNoTokenOfAnExchange(t *testing.T) {
	s := agentServer(t, nil)
	w := newWallet(t, "eip191")
	tokens := s.signIn(newAsk("scope", "openid read"), w)
	subject, actor := tokens["access_token"].(string), s.own("agent")
	forged := subject[:strings.LastIndex(subject, ".")] + actor[strings.LastIndex(actor, "."):]
	revoked := s.person("openid read")
	require.NoError(t, s.asOperator(s.admin(), "/revoke", map[string]any{"jti": claimsOf(t, revoked)["jti"]}))
	plain := s.signedIn(newWallet(t, "Ed25519"), "")
	fleet := s.fleetToken(map[string]any{"session_id": "fleet-1", "agent_id": "planner", "scope": "read"})
	elsewhere := agentServer(t, nil)
	for name, pairs := range map[string][]string{
		"an ID token":                                    {"subject_token", tokens["id_token"].(string)},
		"a refresh token":                                {"subject_token", tokens["refresh_token"].(string)},
		"no subject":                                     {"subject_token", ""},
		"no type of the subject":                         {"subject_token_type", ""},
		"an ID token by its type":                        {"subject_token_type", "urn:ietf:params:oauth:token-type:id_token"},
		"a JWT by its type":                              {"subject_token_type", "urn:ietf:params:oauth:token-type:jwt"},
		"no actor":                                       {"actor_token", "", "actor_token_type", ""},
		"no type of the actor":                           {"actor_token_type", ""},
		"an actor by another type":                       {"actor_token_type", "urn:ietf:params:oauth:token-type:jwt"},
		"a forged signature":                             {"subject_token", forged},
		"no token":                                       {"subject_token", "a.b.c"},
		"a token of another server":                      {"subject_token", elsewhere.person("openid read")},
		"an actor of another server":                     {"actor_token", elsewhere.own("agent")},
		"a revoked token":                                {"subject_token", revoked},
		"a client's own token as subject":                {"subject_token", s.own("agent2")},
		"an agent of a fleet as subject":                 {"subject_token", fleet},
		"an agent of a fleet beside a client":            {"actor_token", fleet},
		"the same token twice":                           {"actor_token", subject},
		"the token of another client":                    {"actor_token", s.own("agent2")},
		"somebody who has called the agent":              {"actor_token", plain},
		"somebody who has allowed grafana something":     {"actor_token", s.person("read")},
		"an agent that acts for somebody":                {"actor_token", s.acting("agent", s.person("openid read"))},
		"the person itself, in another session, twofold": {"actor_token", s.signIn(newAsk("scope", "read"), w)["access_token"].(string)},
	} {
		t.Run(name, func(t *testing.T) {
			s.act("agent", subject, actor, pairs...).refused(t, http.StatusBadRequest, "invalid_request")
		})
	}
	require.Equal(t, http.StatusOK, s.act("agent", subject, actor).StatusCode, "what all of them changed")
	require.Equal(t, http.StatusOK, s.act("agent", plain, actor).StatusCode, "a plain sign-in has a session too")
	s.clock.Advance(15*time.Minute + time.Second)
	s.act("agent", subject, s.own("agent")).refused(t, http.StatusBadRequest, "invalid_request")
	s.act("agent", s.person("read"), actor).refused(t, http.StatusBadRequest, "invalid_request")
}

// TestAnExchangedTokenEndsInTime: never later than the two that it comes of.
func TestAnExchangedTokenEndsInTime(t *testing.T) {
	s := agentServer(t, nil)
	subject := s.person("openid read")
	s.clock.Advance(10 * time.Minute)
	late := s.acting("agent", subject)
	assert.Equal(t, claimsOf(t, subject)["exp"], claimsOf(t, late)["exp"])
	actor := s.own("agent")
	s.clock.Advance(4 * time.Minute)
	reply := s.act("agent", s.person("openid read"), actor).json(t)
	assert.Equal(t, claimsOf(t, actor)["exp"], claimsOf(t, reply["access_token"])["exp"])
	assert.InDelta(t, 11*60, reply["expires_in"], 1)
}

// TestAChainHasEightLinks, loops count as any other.
func TestAChainHasEightLinks(t *testing.T) {
	s := agentServer(t, nil)
	token := s.person("openid read")
	for n := range 8 {
		token = s.acting([]string{"agent", "agent2"}[n%2], token)
		assert.True(t, s.active(token), n)
	}
	links := 0
	for act, ok := claimsOf(t, token)["act"].(map[string]any); ok; act, ok = act["act"].(map[string]any) {
		links++
	}
	assert.Equal(t, 8, links)
	s.act("agent", token, s.own("agent")).refused(t, http.StatusBadRequest, "invalid_request")
}

// TestWhatEndsAnExchangedToken, at the server itself and at a service that reads its denylist.
func TestWhatEndsAnExchangedToken(t *testing.T) {
	s := agentServer(t, map[string]any{"real_clock": true})
	service := remoteValidator(t, s)
	for name, revoke := range map[string]func(subject string) map[string]any{
		"the session":            func(subject string) map[string]any { return map[string]any{"sid": claimsOf(t, subject)["sid"]} },
		"the person":             func(subject string) map[string]any { return map[string]any{"sub": claimsOf(t, subject)["sub"]} },
		"the agent":              func(string) map[string]any { return map[string]any{"sub": "agent2"} },
		"the first agent":        func(string) map[string]any { return map[string]any{"sub": "agent"} },
		"the session of a fleet": func(string) map[string]any { return map[string]any{"sid": "fleet-1"} },
	} {
		t.Run(name, func(t *testing.T) {
			subject := s.person("openid read")
			first := s.acting("agent", subject)
			if name == "the session of a fleet" {
				reply := s.actAsFleet(subject, s.fleetToken(map[string]any{"session_id": "fleet-1", "agent_id": "planner", "scope": "openid read"}))
				require.Equal(t, http.StatusOK, reply.StatusCode, reply.body)
				first = reply.json(t)["access_token"].(string)
			}
			actor := s.own("agent2")
			token, bystander := s.act("agent2", first, actor).json(t)["access_token"].(string), s.person("openid read")
			_, err := service.Validate(t.Context(), token)
			require.NoError(t, err)
			require.NoError(t, s.asOperator(s.admin(), "/revoke", revoke(subject)))
			assert.False(t, s.active(token))
			assert.Equal(t, http.StatusUnauthorized, s.userinfo(token).StatusCode)
			s.act("agent2", first, actor).refused(t, http.StatusBadRequest, "invalid_request")
			require.Eventually(t, func() bool {
				_, err := service.Validate(t.Context(), token)
				return errors.Is(err, verify.ErrTokenRevoked)
			}, 5*time.Second, 20*time.Millisecond)
			assert.True(t, s.active(bystander))
		})
	}
}

// TestAnExchangeRacesWithARevocation: once the revocation of an agent has been answered, nothing by which it acts is good.
func TestAnExchangeRacesWithARevocation(t *testing.T) {
	s := agentServer(t, map[string]any{"real_clock": true})
	admin, subject, actor := s.admin(), s.person("openid read"), s.own("agent")
	var mu sync.Mutex
	var got []string
	var all sync.WaitGroup
	stop := make(chan struct{})
	for range 4 {
		all.Go(func() {
			for {
				select {
				case <-stop:
					return
				default:
				}
				if reply := s.act("agent", subject, actor); reply.StatusCode == http.StatusOK {
					mu.Lock()
					got = append(got, reply.json(t)["access_token"].(string))
					mu.Unlock()
				}
			}
		})
	}
	time.Sleep(50 * time.Millisecond)
	require.NoError(t, s.asOperator(admin, "/revoke", map[string]any{"sub": "agent"}))
	close(stop)
	all.Wait()
	require.NotEmpty(t, got)
	for _, token := range got {
		assert.False(t, s.active(token))
	}
	assert.True(t, s.active(subject))
}

// TestAnAgentActsAgain: one that was revoked and proves itself anew acts for people who came before, after a while, or at once
// for those who come later.
func TestAnAgentActsAgain(t *testing.T) {
	s := agentServer(t, nil)
	subject := s.person("openid read")
	require.NoError(t, s.asOperator(s.admin(), "/revoke", map[string]any{"sub": "agent"}))
	s.clock.Advance(2 * time.Second)
	reply := s.act("agent", subject, s.own("agent"))
	reply.refused(t, http.StatusServiceUnavailable, "temporarily_unavailable")
	assert.Equal(t, "62", reply.Header.Get("Retry-After"))
	assert.True(t, s.active(s.acting("agent", s.person("openid read"))))
	s.clock.Advance(62 * time.Second)
	assert.True(t, s.active(s.acting("agent", subject)))
}

func TestAnAgentOfAFleetActs(t *testing.T) {
	s := agentServer(t, map[string]any{"fleet_roles": []string{"agent", "worker"}})
	subject := s.person("openid read")
	agent := map[string]any{"session_id": "fleet-1", "agent_id": "planner", "scope": "read"}
	fleet := s.fleetToken(agent)
	reply := s.actAsFleet(subject, fleet)
	require.Equal(t, http.StatusOK, reply.StatusCode, reply.body)
	got := claimsOf(t, reply.json(t)["access_token"])
	assert.Equal(t, "planner", got["client_id"])
	assert.Equal(t, map[string]any{"sub": "fleet-1", "client_id": "planner"}, got["act"])
	assert.Equal(t, "read", got["scope"], "its own scope limits it too")
	assert.Equal(t, claimsOf(t, subject)["sid"], got["sid"])
	assert.Equal(t, "wallet", got["role"])
	assert.NotContains(t, got, "agent_id")
	s.actAsFleet(subject, fleet, "scope", "openid").refused(t, 400, "invalid_scope")

	agent["scope"] = ""
	reply = s.actAsFleet(subject, s.fleetToken(agent))
	require.Equal(t, http.StatusOK, reply.StatusCode, reply.body)
	assert.Empty(t, claimsOf(t, reply.json(t)["access_token"])["scope"], "without a scope of its own it gets none")

	agent["role"] = "worker"
	s.actAsFleet(subject, s.fleetToken(agent)).refused(t, 400, "unauthorized_client")
	delete(agent, "role")
	agent["agent_id"] = "grafana"
	s.actAsFleet(subject, s.fleetToken(agent)).refused(t, 401, "invalid_client")
	for name, actor := range map[string]string{
		"of a client": s.own("agent"), "of a person": s.person("read"), "none": "x", "an exchanged one": s.acting("agent", subject),
	} {
		s.actAsFleet(subject, actor).refused(t, 401, "invalid_client")
		assert.NotEmpty(t, s.actAsFleet(subject, actor).Header.Get("WWW-Authenticate"), name)
	}
	s.actAsFleet(subject, "").refused(t, 401, "invalid_client")
	require.NoError(t, s.asOperator(s.admin(), "/revoke", map[string]any{"sid": "fleet-1"}))
	s.actAsFleet(subject, fleet).refused(t, 401, "invalid_client")
}

// TestBoundTokensAreExchangedWithTheirProof: a stolen one is worth nothing here either.
func TestBoundTokensAreExchangedWithTheirProof(t *testing.T) {
	s := agentServer(t, map[string]any{"real_clock": true})
	key, strange := testutil.NewProofKey("ES256"), testutil.NewProofKey("EdDSA")
	proof := func(k testutil.ProofKey) string { return k.Proof(http.MethodPost, s.endpoint("/token"), "", nil) }
	subject, plain := s.person("openid read"), s.own("agent")
	bound := s.own("agent", "DPoP", proof(key))
	asked := newAsk("scope", "openid read")
	boundSubject := s.exchange(asked, s.browser().code(asked, newWallet(t, "eip191")), "DPoP", proof(key)).json(t)["access_token"].(string)

	for name, test := range map[string]struct {
		subject, actor string
		key            *testutil.ProofKey
		good           bool
	}{
		"a bound actor without a proof":   {subject, bound, nil, false},
		"a bound actor of another key":    {subject, bound, &strange, false},
		"a bound actor":                   {subject, bound, &key, true},
		"a bound subject without a proof": {boundSubject, plain, nil, false},
		"a bound subject of another key":  {boundSubject, plain, &strange, false},
		"a bound subject":                 {boundSubject, plain, &key, true},
		"both":                            {boundSubject, bound, &key, true},
		"none, and the result shall be":   {subject, plain, &strange, true},
		"none":                            {subject, plain, nil, true},
	} {
		t.Run(name, func(t *testing.T) {
			pairs, want := []string{}, any(nil)
			if test.key != nil {
				pairs, want = []string{"DPoP", proof(*test.key)}, map[string]any{"jkt": test.key.Thumbprint()}
			}
			reply := s.act("agent", test.subject, test.actor, pairs...)
			if !test.good {
				reply.refused(t, 400, "invalid_request")
				return
			}
			require.Equal(t, http.StatusOK, reply.StatusCode, reply.body)
			assert.Equal(t, want, claimsOf(t, reply.json(t)["access_token"])["cnf"])
			if test.key != nil {
				assert.Equal(t, "DPoP", reply.json(t)["token_type"])
				s.act("agent", test.subject, test.actor, pairs...).refused(t, 400, "invalid_dpop_proof")
			}
		})
	}

	// An agent with a wallet of its own is known by the key that its session is bound to.
	signedIn := s.signedIn(newWallet(t, "Ed25519"), key.Proof(http.MethodPost, s.url+serverauth.Prefix+"/sign-in", "", nil))
	reply := s.act("agent", subject, signedIn, "DPoP", proof(key))
	require.Equal(t, http.StatusOK, reply.StatusCode, reply.body)
	act := claimsOf(t, reply.json(t)["access_token"])["act"]
	assert.Equal(t, map[string]any{"sub": claimsOf(t, signedIn)["sub"], "client_id": "agent"}, act)
}

// TestAnAssertionIsExchangedToo, for what the grant jwt-bearer gives, since it acts for nobody.
func TestAnAssertionIsExchangedToo(t *testing.T) {
	p := startPlatform(t, "kubernetes")
	s := startServer(t, workloads(p.workload(nil)), map[string]any{"real_clock": true})
	exchange := func(assertion string, pairs ...string) answer {
		return s.tokenAs("", append([]string{
			"grant_type", "urn:ietf:params:oauth:grant-type:token-exchange", "subject_token", assertion, "subject_token_type", "urn:ietf:params:oauth:token-type:jwt",
		}, pairs...)...)
	}
	assertion := p.assertion(nil)
	exchange(assertion, "requested_token_type", "urn:ietf:params:oauth:token-type:id_token").refused(t, 400, "invalid_request")
	reply := exchange(assertion, "requested_token_type", accessToken)
	require.Equal(t, http.StatusOK, reply.StatusCode, reply.body)
	assert.Equal(t, accessToken, reply.json(t)["issued_token_type"])
	got := claimsOf(t, reply.json(t)["access_token"])
	assert.Equal(t, "biller", got["client_id"])
	assert.NotContains(t, got, "act")
	exchange(assertion).refused(t, 400, "invalid_grant")
	s.assert(assertion).refused(t, 400, "invalid_grant")
	exchange(s.own("job")).refused(t, 400, "invalid_grant")
	exchange("").refused(t, 400, "invalid_request")
}

// TestAnAgentIsNoOperator: what an agent does for somebody it does at services, and never at what only the person or an operator
// may do here.
func TestAnAgentIsNoOperator(t *testing.T) {
	s := agentServer(t, nil)
	asAdmin := s.acting("for-admins", s.admin())
	assert.Equal(t, "admin", claimsOf(t, asAdmin)["role"])
	plain := s.signedIn(newWallet(t, "Ed25519"), "")
	asPerson := s.acting("agent", plain)
	assert.True(t, s.active(asAdmin))
	for _, token := range []string{asAdmin, asPerson} {
		for _, path := range []string{"/mints", "/sessions", "/keys", "/oauth/clients", "/wallets"} {
			err := testutil.Get(t.Context(), s.url+serverauth.Prefix+path, token, nil)
			assert.ErrorContains(t, err, "403", path)
		}
		for _, path := range []string{"/revoke", "/keys/rotate", "/oauth/clients", "/wallets"} {
			assert.ErrorContains(t, s.asOperator(token, path, map[string]any{}), "403", path)
		}
	}
}

func TestFreeClaimsStayAsTheyAreWritten(t *testing.T) {
	s := agentServer(t, nil, testutil.WithClaimsProvider(claims.ProviderFunc(func(context.Context, store.Subject) (claims.Claims, error) {
		return claims.Claims{Extra: map[string]any{"tenant": int64(9007199254740993)}}, nil
	})))
	got := s.acting("agent", s.signedIn(newWallet(t, "Ed25519"), ""))
	payload, err := base64.RawURLEncoding.DecodeString(strings.Split(got, ".")[1])
	require.NoError(t, err)
	assert.Contains(t, string(payload), `"tenant":9007199254740993`)
}

func TestRulesThatCannotWork(t *testing.T) {
	rule := func(changes map[string]any) map[string]any {
		all := map[string]any{"roles": []string{"wallet"}, "scopes": []string{"read"}, "resources": []string{mcp, "pico"}}
		for key, value := range changes {
			all[key] = value
		}
		return all
	}
	start := func(client, fleet map[string]any) error {
		own := map[string]any{"id": "agent", "secret": clientSecret, "grants": []string{"client_credentials"}}
		for key, value := range client {
			own[key] = value
		}
		return app.New(serverauth.Module, oauth.Module, app.ConfigMap(map[string]any{
			"server_auth": map[string]any{"issuer": "https://auth.example.com", "algorithm": "EdDSA"},
			"oauth":       map[string]any{"clients": []any{own}, "scopes": map[string]any{"read": "read"}, "resources": []any{map[string]any{"uri": mcp}}, "fleet_may_act": fleet},
		})).Err()
	}
	require.NoError(t, start(map[string]any{"may_act": []any{rule(nil)}}, map[string]any{"agent": []any{rule(nil)}}))
	for key, changes := range map[string]map[string]any{
		"roles": {"roles": []string{}}, "roles[0]": {"roles": []string{""}}, "roles[1]": {"roles": []string{"a", "a"}}, "scopes[0]": {"scopes": []string{"root"}},
		"scopes[1]": {"scopes": []string{"read", "read"}}, "resources[0]": {"resources": []string{"https://unknown.example.com"}}, "unknown": {"unknown": "x"},
	} {
		require.ErrorContains(t, start(map[string]any{"may_act": []any{rule(nil), rule(changes)}}, nil), "may_act[1]."+key)
		err := start(nil, map[string]any{"agent": []any{rule(changes)}})
		require.ErrorContains(t, err, "oauth.fleet_may_act")
		require.ErrorContains(t, err, key)
	}
	require.ErrorContains(t, start(nil, map[string]any{"boss": []any{rule(nil)}}), "oauth.fleet_may_act.boss")
	require.ErrorContains(t, start(map[string]any{"secret": "", "grants": []string{"authorization_code"}, "redirect_uris": []string{redirect}, "may_act": []any{rule(nil)}}, nil), "oauth.clients[0].may_act")
}

// remoteValidator validates as a service does that fetches keys and denylist from the server.
func remoteValidator(tb testing.TB, s *server) *verify.TokenValidator {
	tb.Helper()
	keys, err := verify.NewRemoteKeySet(verify.RemoteKeySetConfig{Issuer: s.url})
	require.NoError(tb, err)
	denylist, err := verify.NewRemoteDenylist(verify.RemoteDenylistConfig{
		URL: s.url + serverauth.Prefix + "/revoked-jtis", ClientID: "denylist", ClientSecret: clientSecret, TTL: 50 * time.Millisecond,
	})
	require.NoError(tb, err)
	validator, err := verify.NewTokenValidator(verify.ValidatorConfig{
		Issuers: []verify.TrustedIssuer{{Issuer: s.url, Audience: "pico", Keys: keys, Denylist: denylist}}, CacheSize: 100,
	})
	require.NoError(tb, err)
	return validator
}

// signedIn is the access token of a plain sign-in, bound to a key if there is a proof.
func (s *server) signedIn(w *testutil.Wallet, proof string) string {
	s.Helper()
	var challenge testutil.Challenge
	require.NoError(s, testutil.Post(context.Background(), s.url+serverauth.Prefix+"/challenge", map[string]string{"address": w.Address, "algorithm": w.Algorithm}, &challenge))
	body, err := testutil.SignInRequest(w, challenge)
	require.NoError(s, err)
	return s.posted("/sign-in", body, "DPoP", proof)["access_token"].(string)
}

// posted posts JSON with a header and returns the answer.
func (s *server) posted(path string, body map[string]any, header, value string) map[string]any {
	s.Helper()
	text, err := json.Marshal(body)
	require.NoError(s, err)
	request, err := http.NewRequest(http.MethodPost, s.url+serverauth.Prefix+path, bytes.NewReader(text))
	require.NoError(s, err)
	request.Header.Set("Content-Type", "application/json")
	if value != "" {
		request.Header.Set(header, value)
	}
	reply := s.browser().do(request)
	require.Equal(s, http.StatusOK, reply.StatusCode, reply.body)
	return reply.json(s)
}
