package oauth_test

import (
	"log/slog"
	"maps"
	"net/http"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"go.uber.org/fx"

	"github.com/picoauth/picoauth/app"
	"github.com/picoauth/picoauth/serverauth"
	"github.com/picoauth/picoauth/serverauth/oauth"
	"github.com/picoauth/picoauth/testutil"
)

const jwtBearer = "urn:ietf:params:oauth:grant-type:jwt-bearer"

// platform is where programs run that get tokens for assertions. Its tokens have the shape of a platform that exists.
type platform struct {
	*testutil.Issuer
	subject string
	claims  map[string]any
}

// The claims are those of real tokens: a projected token of a Kubernetes service account, a JWT-SVID of SPIRE, and the OpenID
// Connect token of a job of GitHub Actions.
var shapes = map[string]platform{
	"kubernetes": {nil, "system:serviceaccount:payments:biller", map[string]any{
		"aud": []string{"https://auth.example.com"}, "kubernetes.io": map[string]any{
			"namespace": "payments", "node": map[string]any{"name": "node-1", "uid": "5b4c3d2e-1f0a-4b9c-8d7e-6f5a4b3c2d1e"},
			"pod":            map[string]any{"name": "biller-6d9f7c5b8-x2x4z", "uid": "9a8b7c6d-5e4f-4a3b-8c2d-1e0f9a8b7c6d"},
			"serviceaccount": map[string]any{"name": "biller", "uid": "1a2b3c4d-5e6f-4071-8293-a4b5c6d7e8f9"}, "warnafter": 1},
	}},
	"spiffe": {nil, "spiffe://example.org/ns/payments/sa/biller", map[string]any{"aud": []string{"https://auth.example.com"}, "jti": nil, "nbf": nil}},
	"github": {nil, "repo:octo-org/octo-repo:ref:refs/heads/main", map[string]any{
		"aud": "https://auth.example.com", "ref": "refs/heads/main", "sha": "example-sha", "repository": "octo-org/octo-repo", "repository_id": "74",
		"repository_owner": "octo-org", "repository_visibility": "private", "actor": "octocat", "workflow": "deploy", "event_name": "push", "ref_type": "branch",
		"ref_protected": "true", "run_id": "30433642", "run_attempt": "1", "runner_environment": "github-hosted",
		"job_workflow_ref": "octo-org/octo-repo/.github/workflows/deploy.yml@refs/heads/main",
	}},
}

var minted atomic.Int64

// startPlatform runs the platform of a shape.
func startPlatform(tb testing.TB, shape string) platform {
	tb.Helper()
	p := shapes[shape]
	p.Issuer = testutil.NewIssuer(tb, testutil.IssuerConfig{Audience: "https://auth.example.com", Algorithms: []string{"RS256", "ES256"}})
	return p
}

// assertion is a token of the platform's, with changes.
func (p platform) assertion(changes map[string]any) string {
	claims := maps.Clone(p.claims)
	for _, ours := range []string{"role", "client_id", "sid"} { // the tokens of platforms have none of these
		claims[ours] = nil
	}
	maps.Copy(claims, changes)
	life := 10*time.Minute - time.Duration(minted.Add(1))*time.Second // those without jti of one second differ by this
	return p.Mint(testutil.Token{Subject: p.subject, Life: life, Claims: claims, Header: map[string]any{"typ": "JWT"}})
}

// workload is an item of oauth.workloads that takes the platform's assertions, with changes.
func (p platform) workload(changes map[string]any) map[string]any {
	all := map[string]any{"issuer": p.Name, "jwks_url": p.JWKS.URL, "audience": "https://auth.example.com", "subject": p.subject, "client": "biller",
		"role": "robot", "scope": "read tools", "resources": []string{mcp}}
	maps.Copy(all, changes)
	return all
}

func workloads(items ...any) map[string]any { return map[string]any{"workloads": items} }

// assert presents an assertion without any other credentials.
func (s *server) assert(assertion string, pairs ...string) answer {
	s.Helper()
	return s.tokenAs("", append([]string{"grant_type", jwtBearer, "assertion", assertion}, pairs...)...)
}

func TestAWorkloadGetsATokenWithoutASecret(t *testing.T) {
	var log testutil.LogRecords
	for shape, pattern := range map[string]string{"kubernetes": "system:serviceaccount:payments:*", "spiffe": "spiffe://example.org/ns/payments/*", "github": "repo:octo-org/octo-repo:*"} {
		t.Run(shape, func(t *testing.T) {
			p := startPlatform(t, shape)
			s := startServer(t, workloads(p.workload(map[string]any{"subject": pattern})), map[string]any{"real_clock": true}, fx.Decorate(func(*slog.Logger) *slog.Logger {
				return app.NewLogger(app.Settings{LogFormat: "json", LogLevel: "info"}, &log)
			}))
			assertion := p.assertion(nil)
			reply := s.assert(assertion)
			require.Equal(t, http.StatusOK, reply.StatusCode, reply.body)
			tokens, claims := reply.json(t), claimsOf(t, reply.json(t)["access_token"])
			assert.Equal(t, "no-store", reply.Header.Get("Cache-Control"))
			assert.NotContains(t, tokens, "refresh_token")
			assert.NotContains(t, tokens, "id_token")
			assert.Equal(t, "Bearer", tokens["token_type"])
			assert.Equal(t, "read", tokens["scope"], "the scopes of a resource come with it")
			assert.Equal(t, p.Name+" "+p.subject, claims["sub"])
			assert.Equal(t, []any{"biller", "robot", "read", "pico"}, []any{claims["client_id"], claims["role"], claims["scope"], claims["aud"]})
			assert.NotContains(t, claims, "sid")
			assert.LessOrEqual(t, claims["exp"], claimsOf(t, assertion)["exp"], "it ends with the assertion")
			s.assert(assertion).refused(t, 400, "invalid_grant")
			assert.Equal(t, true, s.clientPost("/introspect", "reader", "token", tokens["access_token"].(string)).json(t)["active"])

			narrow := s.assert(p.assertion(nil), "scope", "tools", "resource", mcp).json(t)
			assert.Equal(t, []any{"tools", mcp}, []any{narrow["scope"], claimsOf(t, narrow["access_token"])["aud"]})
			for code, pairs := range map[string][]string{
				"invalid_scope": {"scope", "read root"}, "invalid_target": {"resource", "https://other.example.com/"}, "invalid_dpop_proof": {"DPoP", "a.b.c"},
			} {
				unspent := p.assertion(nil)
				s.assert(unspent, pairs...).refused(t, 400, code)
				assert.Equal(t, http.StatusOK, s.assert(unspent).StatusCode, "%s: what is refused before spends nothing", code)
			}
			s.assert(p.assertion(nil), "scope", "openid").refused(t, 400, "invalid_scope")
			records := log.Of(t, "oauth_tokens")
			assert.Equal(t, p.Name+" "+p.subject, records[len(records)-1]["workload"])
			assert.Equal(t, "biller", records[len(records)-1]["client_id"])
			assert.NotContains(t, log.String(), assertion[len(assertion)-40:])
		})
	}
}

// The audit says which workload became what, also where what it becomes does not say it.
func TestTheAuditNamesTheWorkload(t *testing.T) {
	p := startPlatform(t, "kubernetes")
	s, call := startWithOperator(t, workloads(p.workload(map[string]any{"sub": "billing"})))
	token := s.assert(p.assertion(nil)).json(t)["access_token"].(string)
	assert.Equal(t, "billing", claimsOf(t, token)["sub"])
	status, mints := call(http.MethodGet, "/mints?sub=billing", "")
	require.Equal(t, http.StatusOK, status, mints)
	mint := mints["items"].([]any)[0].(map[string]any)
	assert.Equal(t, []any{"workload", "billing", "biller", "robot", p.Name + " " + p.subject},
		[]any{mint["kind"], mint["sub"], mint["client_id"], mint["role"], mint["agent_id"]})

	isActive := func() any { return s.clientPost("/introspect", "reader", "token", token).json(t)["active"] }
	assert.Equal(t, true, isActive())
	status, _ = call(http.MethodPost, "/revoke", `{"sub": "billing"}`)
	require.Equal(t, http.StatusOK, status)
	assert.Equal(t, false, isActive(), "an operator ends it as anybody")
}

func TestAnAssertionNeedsNoClientButTheRightOne(t *testing.T) {
	p := startPlatform(t, "github")
	clients := append(defaultClients(), map[string]any{"id": "biller", "secret": clientSecret, "grants": []string{jwtBearer}})
	s := startServer(t, map[string]any{"clients": clients, "workloads": []any{p.workload(nil)}}, map[string]any{"real_clock": true})
	for name, reply := range map[string]answer{
		"nobody":                       s.assert(p.assertion(nil)),
		"the client by name":           s.assert(p.assertion(nil), "client_id", "biller"),
		"the client with its secret":   s.tokenAs("biller", "grant_type", jwtBearer, "assertion", p.assertion(nil)),
		"an assertion with a document": s.assert(p.assertion(nil), "resource", mcp),
	} {
		assert.Equal(t, http.StatusOK, reply.StatusCode, "%s: %s", name, reply.body)
	}
	s.assert(p.assertion(nil), "client_id", "grafana").refused(t, 400, "invalid_grant")
	s.assert(p.assertion(nil), "client_id", "biller", "client_secret", "wrong").refused(t, 401, "invalid_client")
	s.tokenAs("job", "grant_type", jwtBearer, "assertion", p.assertion(nil)).refused(t, 400, "unauthorized_client")
	s.assert("").refused(t, 400, "invalid_request")
	s.tokenAs("", "grant_type", "client_credentials", "assertion", p.assertion(nil)).refused(t, 401, "invalid_client")
	s.assert(strings.Repeat("x", 70_000)).refused(t, 413, "invalid_request")
	metadata := s.browser().get(s.url + "/.well-known/oauth-authorization-server").json(t)
	assert.Contains(t, metadata["grant_types_supported"], jwtBearer)
}

// What is refused tells nobody which issuers, audiences, subjects and claims there are.
func TestARefusedAssertionTellsNothing(t *testing.T) {
	p, stranger := startPlatform(t, "github"), startPlatform(t, "github")
	s := startServer(t, workloads(p.workload(map[string]any{"claims": map[string]any{"repository_id": "74"}})), map[string]any{"real_clock": true})
	var bodies []string
	for _, assertion := range []string{
		"a.b.c", stranger.assertion(nil), stranger.assertion(map[string]any{"iss": p.Name}), p.assertion(map[string]any{"aud": "https://other.example.com"}),
		p.assertion(map[string]any{"sub": "repo:octo-org/other"}), p.assertion(map[string]any{"repository_id": "75"}), p.assertion(map[string]any{"exp": 1}),
		p.Mint(testutil.Token{Subject: p.subject, Flaw: testutil.TamperedSignature}),
	} {
		reply := s.assert(assertion)
		reply.refused(t, 400, "invalid_grant")
		bodies = append(bodies, reply.body)
	}
	for _, body := range bodies {
		assert.Equal(t, bodies[0], body)
	}
}

func TestKeysOfAPlatformThatAreAwayAreNoRefusal(t *testing.T) {
	p := startPlatform(t, "spiffe")
	s := startServer(t, workloads(p.workload(nil)), nil)
	p.JWKS.Break(testutil.StatusCode(http.StatusBadGateway))
	assertion := p.assertion(nil)
	reply := s.assert(assertion)
	reply.refused(t, 503, "temporarily_unavailable")
	assert.Equal(t, "1", reply.Header.Get("Retry-After"))
	p.JWKS.Heal()
	s.clock.Advance(2 * time.Second)
	assert.Equal(t, http.StatusOK, s.assert(assertion).StatusCode)
}

// The token is bound to the key of a proof, and must be where the client that the workload is has bound tokens only.
func TestATokenOfAWorkloadIsBoundToAKey(t *testing.T) {
	p := startPlatform(t, "kubernetes")
	clients := append(defaultClients(), map[string]any{"id": "bound", "grants": []string{jwtBearer}, "dpop_bound_access_tokens": true})
	s := startServer(t, map[string]any{"clients": clients, "workloads": []any{
		p.workload(nil), p.workload(map[string]any{"subject": "system:serviceaccount:payments:bound", "client": "bound"}),
	}}, map[string]any{"real_clock": true})
	key := testutil.NewProofKey("ES256")
	proof := func() string { return key.Proof(http.MethodPost, s.endpoint("/token"), "", nil) }
	tokens := s.assert(p.assertion(nil), "DPoP", proof()).json(t)
	assert.Equal(t, "DPoP", tokens["token_type"])
	assert.Equal(t, map[string]any{"jkt": key.Thumbprint()}, claimsOf(t, tokens["access_token"])["cnf"])
	bound := map[string]any{"sub": "system:serviceaccount:payments:bound"}
	s.assert(p.assertion(bound)).refused(t, 400, "invalid_dpop_proof")
	assert.Equal(t, http.StatusOK, s.assert(p.assertion(bound), "DPoP", proof()).StatusCode)
}

// A long life of other tokens makes none of these.
func TestATokenOfAWorkloadIsShort(t *testing.T) {
	p := startPlatform(t, "kubernetes")
	s := startServer(t, workloads(p.workload(nil)), map[string]any{"real_clock": true, "access_token_expire_minutes": 10_000})
	reply := s.assert(p.assertion(map[string]any{"exp": time.Now().Add(20 * time.Hour).Unix()})).json(t)
	assert.InDelta(t, 3600, reply["expires_in"], 1)
	reply = s.assert(p.assertion(map[string]any{"exp": time.Now().Add(90 * time.Second).Unix()})).json(t)
	assert.InDelta(t, 90, reply["expires_in"], 3)
}

func TestAWorkloadThatCannotBeRefusesTheStart(t *testing.T) {
	for key, item := range map[string]map[string]any{
		"oauth.workloads[0].issuer":  {"issuer": "https://auth.example.com", "audience": "a", "subject": "*", "client": "c"},
		"oauth.workloads[0].ca_file": {"issuer": "https://kubernetes.example.com", "audience": "a", "subject": "*", "client": "c", "ca_file": "/does/not/exist"},
		"oauth.workloads[0].scope":   {"issuer": "https://kubernetes.example.com", "audience": "a", "subject": "*", "client": "c", "scope": "tools"},
	} {
		err := app.New(serverauth.Module, oauth.Module, app.ConfigMap(map[string]any{"app": map[string]any{"port": 0, "log_level": "error"},
			"server_auth": map[string]any{"issuer": "https://auth.example.com"}, "oauth": map[string]any{"workloads": []any{item},
				"resources": []any{map[string]any{"uri": mcp, "scopes": map[string]any{"tools": "use the tools"}}}}})).Err()
		require.ErrorContains(t, err, key)
	}
}
