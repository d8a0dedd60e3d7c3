package clientauth_test

import (
	"context"
	"encoding/json"
	"encoding/pem"
	"errors"
	"fmt"
	"io"
	"log"
	"log/slog"
	"maps"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/knadh/koanf/providers/confmap"
	"github.com/knadh/koanf/v2"
	"github.com/labstack/echo/v4"
	"go.uber.org/fx"

	"github.com/picoauth/picoauth/app"
	"github.com/picoauth/picoauth/clientauth"
	"github.com/picoauth/picoauth/clientauth/jose"
)

// host is a plain fx app with a koanf, an echo and a logger of its own; the user's options are at the root.
type host struct {
	*fx.App
	echo   *echo.Echo
	policy *clientauth.Policy
	valid  *clientauth.TokenValidator
}

func newHost(c *clock, section map[string]any, options ...fx.Option) *host {
	h := &host{echo: echo.New()}
	k := koanf.New(".")
	_ = k.Load(confmap.Provider(map[string]any{"auth_client": section}, ""), nil)
	h.App = fx.New(append([]fx.Option{fx.NopLogger, fx.Supply(k, h.echo, quiet), fx.Supply(app.Clock(c.Now)), clientauth.Module,
		fx.Populate(&h.policy, &h.valid)}, options...)...)
	h.echo.GET("/me", func(c echo.Context) error {
		caller, ok := clientauth.FromContext(c.Request().Context())
		if !ok {
			return c.String(http.StatusOK, "anonymous")
		}
		return c.String(http.StatusOK, caller.Subject+" "+strings.Join(caller.Roles, ","))
	})
	return h
}

func (h *host) me(token string) *httptest.ResponseRecorder {
	return call(h.echo, "GET", "/me", "Authorization", "Bearer "+token)
}

func startHost(t testing.TB, h *host) {
	t.Helper()
	if err := h.Err(); err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithTimeout(context.Background(), 5*time.Second)
	defer cancel()
	if err := h.Start(ctx); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = h.Stop(context.Background()) })
}

func TestAPlainFxApp(t *testing.T) {
	s := signers()[jose.RS256]
	jwks := newServer(t, serveKeys([]signer{s}))
	h := newHost(newClock(), map[string]any{"issuer": issuerName, "audience": audience, "jwks_url": jwks.URL})
	startHost(t, h)
	eventually(t, "the keys are fetched before the first request", func() bool { return jwks.Requests.Load() == 1 })
	if w := h.me(s.Token(claims(nil))); w.Code != 200 || w.Body.String() != "alice wallet" {
		t.Errorf("%d %s", w.Code, w.Body)
	}
	if w := call(h.echo, "GET", "/me"); w.Code != 401 || w.Header().Get("WWW-Authenticate") != `Bearer realm="pico"` {
		t.Errorf("%d %v", w.Code, w.Header())
	}
	if n := jwks.Requests.Load(); n != 1 {
		t.Errorf("%d requests", n)
	}
}

func TestTheDefaultJWKSURL(t *testing.T) {
	s := signers()[jose.RS256]
	issuer := newServer(t, func(w http.ResponseWriter, r *http.Request) {
		if r.URL.Path == "/api/v1/auth/jwks" {
			serveKeys([]signer{s})(w, r)
		}
	})
	for _, name := range []string{issuer.URL, issuer.URL + "/"} {
		h := newHost(newClock(), map[string]any{"issuer": name, "audience": audience})
		startHost(t, h)
		if w := h.me(s.Token(claims(object{"iss": name}))); w.Code != 200 {
			t.Errorf("%s: %d %s", name, w.Code, w.Body)
		}
	}
}

func TestAPrivateAuthorityIsTrusted(t *testing.T) {
	s, l := signers()[jose.EdDSA], &list{}
	l.revoke(clientauth.Revocation{JTI: "gone"})
	mux := http.NewServeMux()
	mux.HandleFunc("/jwks", serveKeys([]signer{s}))
	mux.HandleFunc("/revoked", l.serve)
	server := httptest.NewUnstartedServer(mux)
	server.Config.ErrorLog = log.New(io.Discard, "", 0)
	server.StartTLS()
	t.Cleanup(server.Close)
	caFile := filepath.Join(t.TempDir(), "ca.pem")
	certificate := pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: server.Certificate().Raw})
	if err := os.WriteFile(caFile, certificate, 0o600); err != nil {
		t.Fatal(err)
	}
	for file, want := range map[string]int{caFile: 200, "": 503} {
		h := newHost(newClock(), map[string]any{"issuer": issuerName, "audience": audience, "jwks_url": server.URL + "/jwks",
			"revocation_endpoint": server.URL + "/revoked", "ca_file": file})
		startHost(t, h)
		if w := h.me(s.Token(claims(nil))); w.Code != want {
			t.Errorf("ca_file %q: %d %s", file, w.Code, w.Body)
		}
		if w := h.me(s.Token(claims(object{"jti": "gone"}))); want == 200 && w.Code != 401 {
			t.Errorf("revoked: %d %s", w.Code, w.Body)
		}
	}
}

func TestItStartsWhileItsIssuerIsDown(t *testing.T) {
	s := signers()[jose.RS256]
	c := newClock()
	jwks := newServer(t, serveStatus(http.StatusBadGateway))
	h := newHost(c, map[string]any{"issuer": issuerName, "audience": audience, "jwks_endpoint": jwks.URL})
	startHost(t, h)
	eventually(t, "503", func() bool { return h.me(s.Token(claims(nil))).Code == 503 })
	jwks.Become(serveKeys([]signer{s}))
	c.Move(2 * time.Second)
	if w := h.me(s.Token(claims(nil))); w.Code != 200 {
		t.Errorf("%d %s", w.Code, w.Body)
	}
}

func TestStartIsRefused(t *testing.T) {
	good := map[string]any{"issuer": issuerName, "audience": audience}
	for name, test := range map[string]struct {
		section map[string]any
		want    string
	}{
		"nothing":           {nil, "auth_client.issuer: must not be empty"},
		"no issuer":         {with(good, object{"issuer": nil}), "auth_client.issuer: must not be empty"},
		"no audience":       {with(good, object{"audience": nil}), "auth_client.audience: must not be empty"},
		"unknown key":       {with(good, object{"isuer": "x"}), "auth_client.isuer"},
		"http":              {with(good, object{"jwks_url": "http://auth.example.com/"}), "auth_client.jwks_url"},
		"http issuer":       {with(good, object{"issuer": "http://auth.example.com"}), "auth_client.jwks_url"},
		"http denylist":     {with(good, object{"revocation_endpoint": "http://auth.example.com"}), "auth_client.revocation_endpoint"},
		"two URLs":          {with(good, object{"jwks_url": "https://a", "jwks_endpoint": "https://b"}), "auth_client.jwks_endpoint"},
		"HS256":             {with(good, object{"accepted_algorithms": "RS256, HS256"}), `auth_client.accepted_algorithms[1]: "HS256"`},
		"none":              {with(good, object{"accepted_algorithms": []string{"none"}}), `auth_client.accepted_algorithms[0]: "none"`},
		"leeway":            {with(good, object{"leeway_seconds": 601}), "auth_client.leeway_seconds: 601 is not within 0 to 600"},
		"negative leeway":   {with(good, object{"leeway_seconds": -1}), "auth_client.leeway_seconds"},
		"jwks ttl":          {with(good, object{"jwks_ttl_seconds": 0}), "auth_client.jwks_ttl_seconds"},
		"revocation ttl":    {with(good, object{"revocation_ttl_seconds": 0}), "auth_client.revocation_ttl_seconds"},
		"cache":             {with(good, object{"token_cache_size": -1}), "auth_client.token_cache_size"},
		"bearer and secret": {with(good, object{"revocation_bearer": "a", "revocation_secret": "b"}), "auth_client.revocation_secret"},
		"secret with a CR":  {with(good, object{"revocation_secret": "a\rb"}), "auth_client.revocation_secret"},
		"secret, umlaut":    {with(good, object{"revocation_secret": "geheimnis für alle"}), "auth_client.revocation_secret"},
		"bearer, space":     {with(good, object{"revocation_bearer": "a b"}), "auth_client.revocation_bearer"},
		"client, bearer":    {with(good, object{"revocation_client_id": "a", "revocation_client_secret": "b", "revocation_bearer": "c"}), "auth_client.revocation_client_id: is set together with"},
		"client, no secret": {with(good, object{"revocation_client_id": "a"}), "auth_client.revocation_client_secret: must not be empty"},
		"secret, no client": {with(good, object{"revocation_client_secret": "a"}), "auth_client.revocation_client_id: must not be empty"},
		"client with a CR":  {with(good, object{"revocation_client_id": "c", "revocation_client_secret": "a\rb"}), "auth_client.revocation_client_secret"},
		"resource, http":    {with(good, object{"resource": "http://api.example.com"}), `auth_client.resource: "http://api.example.com" must be https`},
		"resource, user":    {with(good, object{"resource": "https://a:pw@api.example.com"}), "auth_client.resource: must not have a user name"},
		"resource, part":    {with(good, object{"resource": "https://api.example.com#x"}), "auth_client.resource: "},
		"name, no resource": {with(good, object{"resource_name": "x"}), "auth_client.resource: must not be empty"},
		"scope, space":      {with(good, object{"resource": "https://api.example.com", "scopes_supported": []string{"a b"}}), `auth_client.scopes_supported: "a b" is not a scope`},
		"no audiences":      {with(good, object{"audience": ""}), "auth_client.audience: must not be empty"},
		"quoted audience":   {with(good, object{"audience": `"pico"`}), "auth_client.audience[0]: has quotes around it"},
		"audience and LF":   {with(good, object{"audience": []string{"pico\n"}}), "auth_client.audience[0]: has a line break"},
		"audience claim":    {with(good, object{"audience_claim": "sub"}), `auth_client.audience_claim: "sub" is not one of`},
		"claim is a list":   {with(good, object{"required_claims": object{"a": []string{"b"}}}), "auth_client.required_claims.a: must be a text"},
		"claim and LF":      {with(good, object{"required_claims": object{"a": object{"b": "c\n"}}}), "auth_client.required_claims.a.b: has a line break"},
		"quoted claim":      {with(good, object{"required_claims": object{"a": "'b'"}}), "auth_client.required_claims.a: has quotes around it"},
		"two paths":         {with(good, object{"scope_path": "scp,scope"}), `auth_client.scope_path: "scp,scope" is a list`},
		"two role paths":    {with(good, object{"role_path": "a,b"}), `auth_client.role_path: "a,b" is a list`},
		"public URL, ?":     {with(good, object{"public_url": "https://api.example.com?"}), "auth_client.public_url: is not a URL"},
		"public URL, #":     {with(good, object{"public_url": "https://api.example.com/#"}), "auth_client.public_url: is not a URL"},
		"claims are a text": {with(good, object{"required_claims": "a=b"}), "auth_client.required_claims: must be a section"},
		"discovery and URL": {with(good, object{"discovery": true, "jwks_url": "https://a.example/keys"}), "auth_client.jwks_url: is set together with discovery"},
		"discovery, http":   {with(good, object{"discovery": true, "issuer": "http://auth.example.com"}), "auth_client.discovery: "},
		"tenants, no URL":   {with(good, object{"tenants": "a", "issuer": "https://login.example.com/{tenant}/v2.0"}), "auth_client.jwks_url: must not be empty"},
		"tenants, found":    {with(good, object{"tenants": "a", "discovery": true, "jwks_url": "https://a.example/keys"}), "auth_client.discovery: cannot be used together with tenants"},
		"tenants, no place": {with(good, object{"tenants": "a", "jwks_url": "https://a.example/keys"}), "auth_client.issuer: the issuer "},
		"tenants, * and a":  {with(good, object{"issuer": "https://a.example/{tenant}", "tenants": []string{"*", "a"}, "jwks_url": "https://a.example/keys"}), "auth_client.issuer: the tenants of "},
		"issuer template":   {with(good, object{"issuer": "https://login.example.com/{tenantid}/v2.0"}), "is a template"},
		"list of issuers":   {with(good, object{"issuer": "https://a.example,https://b.example"}), "is a list"},
		"list, quotes":      {object{"issuers": []any{with(good, object{"audience": "'a'"})}}, "auth_client.issuers[0].audience[0]: has quotes around it"},
		"same issuer twice": {with(good, object{"issuers": []any{good}}), "auth_client.issuers[0].issuer: "},
		"twice in the list": {object{"issuers": []any{good, good}}, "auth_client.issuers[1].issuer: "},
		"list, no audience": {object{"issuers": []any{object{"issuer": issuerName}}}, "auth_client.issuers[0].audience: must not be empty"},
		"no CA file":        {with(good, object{"ca_file": "/nowhere/ca.pem"}), "auth_client.ca_file: open /nowhere/ca.pem"},
		"empty CA file":     {with(good, object{"ca_file": "/dev/null"}), "auth_client.ca_file: /dev/null holds no PEM certificate"},
		"list, no issuer":   {object{"issuers": []any{object{"audience": audience}}}, "auth_client.issuers[0].issuer: must not be empty"},
		"list, HS256":       {object{"issuers": []any{with(good, object{"accepted_algorithms": []any{"HS256"}})}}, "auth_client.issuers[0].accepted_algorithms"},
		"list, unknown key": {object{"issuers": []any{with(good, object{"x": 1})}}, "auth_client.issuers[0].x"},
		"list, bad ttl":     {object{"issuers": []any{with(good, object{"jwks_ttl_seconds": -1})}}, "auth_client.issuers[0].jwks_ttl_seconds"},
	} {
		err := newHost(newClock(), test.section).Err()
		if err == nil || !strings.Contains(err.Error(), test.want) {
			t.Errorf("%s: %v", name, err)
		}
		if err != nil && (strings.Contains(err.Error(), "a\rb") || strings.Count(err.Error(), test.want) > 1) {
			t.Errorf("%s: it shows a secret or says things twice: %v", name, err)
		}
	}
}

func TestDisabledLetsEverythingPass(t *testing.T) {
	for _, section := range []map[string]any{{"enabled": false}, {"enabled": "false", "issuer": issuerName}} {
		h := newHost(newClock(), section)
		startHost(t, h)
		if w := h.me("garbage"); w.Code != 200 || w.Body.String() != "anonymous" {
			t.Errorf("%d %s", w.Code, w.Body)
		}
		if _, err := h.valid.Validate(context.Background(), signers()[jose.RS256].Token(claims(nil))); !errors.Is(err, clientauth.ErrInvalidToken) {
			t.Errorf("a validator that trusts nobody: %v", err)
		}
	}
}

// local is an issuer in the same app.
func local(denylist clientauth.Denylist, s signer) fx.Option {
	return fx.Provide(func() *clientauth.LocalIssuer {
		return &clientauth.LocalIssuer{TrustedIssuer: clientauth.TrustedIssuer{Issuer: "http://localhost:8100", Audience: audience,
			Algorithms: []string{s.Alg}, Keys: keysOf(s), Denylist: denylist}}
	})
}

func TestTheIssuerInTheSameAppIsTheDefault(t *testing.T) {
	s := signers()[jose.ES256]
	index := clientauth.NewRevocationIndex()
	token := s.Token(claims(object{"iss": "http://localhost:8100"}))
	for _, section := range []map[string]any{nil, {"issuer": "http://localhost:8100"}, {"audience": audience}} {
		h := newHost(newClock(), section, local(index, s))
		startHost(t, h)
		if w := h.me(token); w.Code != 200 {
			t.Errorf("%v: %d %s", section, w.Code, w.Body)
		}
	}
	h := newHost(newClock(), nil, local(index, s))
	startHost(t, h)
	if w := h.me(token); w.Code != 200 {
		t.Fatal(w.Code)
	}
	index.Apply(clientauth.Revocation{SID: "session-1"})
	if w := h.me(token); w.Code != 401 {
		t.Errorf("a revocation is effective on the next request: %d", w.Code)
	}
	narrow := newHost(newClock(), map[string]any{"audience": "other", "accepted_algorithms": "EdDSA"}, local(nil, s))
	startHost(t, narrow)
	if w := narrow.me(token); w.Code != 401 {
		t.Errorf("the section narrows what the local issuer says: %d", w.Code)
	}
}

func TestForeignIssuersBesideTheLocalOne(t *testing.T) {
	s, foreign := signers()[jose.ES256], signers()[jose.EdDSA]
	jwks := newServer(t, serveKeys([]signer{foreign}))
	h := newHost(newClock(), map[string]any{"issuers": []any{
		map[string]any{"issuer": "https://two.example", "audience": "two", "jwks_url": jwks.URL, "accepted_algorithms": []any{"EdDSA"}},
	}}, local(nil, s))
	startHost(t, h)
	for name, test := range map[string]struct {
		token string
		want  int
	}{
		"local":               {s.Token(claims(object{"iss": "http://localhost:8100"})), 200},
		"foreign":             {foreign.Token(claims(object{"iss": "https://two.example", "aud": "two"})), 200},
		"foreign as local":    {foreign.Token(claims(object{"iss": "http://localhost:8100"})), 401},
		"for local audience":  {foreign.Token(claims(object{"iss": "https://two.example"})), 401},
		"foreign, local keys": {s.Token(claims(object{"iss": "https://two.example", "aud": "two"})), 401},
	} {
		if w := h.me(test.token); w.Code != test.want {
			t.Errorf("%s: %d %s", name, w.Code, w.Body)
		}
	}
}

func TestTheDenylistOfTheSettings(t *testing.T) {
	c, s, l := newClock(), signers()[jose.RS256], &list{}
	jwks, revoked := newServer(t, serveKeys([]signer{s})), newServer(t, l.serve)
	h := newHost(c, map[string]any{"issuer": issuerName, "audience": audience, "jwks_url": jwks.URL, "revocation_endpoint": revoked.URL,
		"revocation_secret": "the fleet's secret", "revocation_ttl_seconds": "2"})
	startHost(t, h)
	token := s.Token(claims(nil))
	if w := h.me(token); w.Code != 200 {
		t.Fatalf("%d %s", w.Code, w.Body)
	}
	l.revoke(clientauth.Revocation{JTI: "token-1"})
	c.Move(2 * time.Second)
	if w := h.me(token); w.Code != 401 || !strings.Contains(w.Body.String(), "token_revoked") {
		t.Errorf("%d %s", w.Code, w.Body)
	}
	revoked.Become(serveStatus(http.StatusInternalServerError))
	c.Move(2 * time.Second)
	if w := h.me(s.Token(claims(object{"jti": "other"}))); w.Code != 503 {
		t.Errorf("%d %s", w.Code, w.Body)
	}
}

func TestTheDenylistIsReadAsAClient(t *testing.T) {
	c, s, l := newClock(), signers()[jose.RS256], &list{}
	asked := make(chan string, 1)
	jwks, revoked := newServer(t, serveKeys([]signer{s})), newServer(t, func(w http.ResponseWriter, r *http.Request) {
		id, secret, _ := r.BasicAuth()
		select {
		case asked <- id + " " + secret:
		default:
		}
		l.serve(w, r)
	})
	h := newHost(c, map[string]any{"issuer": issuerName, "audience": audience, "jwks_url": jwks.URL, "revocation_endpoint": revoked.URL,
		"revocation_client_id": "https://api.example.com/id", "revocation_client_secret": "a:b+c% ü"})
	startHost(t, h)
	if w := h.me(s.Token(claims(nil))); w.Code != 200 {
		t.Fatalf("%d %s", w.Code, w.Body)
	}
	if got := <-asked; got != "https%3A%2F%2Fapi.example.com%2Fid a%3Ab%2Bc%25+%C3%BC" {
		t.Errorf("%s", got)
	}
}

func TestTheResourceOfTheSettings(t *testing.T) {
	s, foreign := signers()[jose.ES256], signers()[jose.EdDSA]
	jwks := newServer(t, serveKeys([]signer{foreign}))
	const resource, metadata = "https://api.example.com/mcp", "https://api.example.com/.well-known/oauth-protected-resource/mcp"
	h := newHost(newClock(), map[string]any{"resource": resource, "resource_name": "Things", "scopes_supported": "things:read, things:write", "issuers": []any{
		map[string]any{"issuer": "https://two.example", "jwks_url": jwks.URL},
		map[string]any{"issuer": "https://login.example/{tenant}", "tenants": "*", "audience": "three", "jwks_url": jwks.URL},
	}}, local(nil, s))
	startHost(t, h)
	for _, path := range []string{"/.well-known/oauth-protected-resource/mcp", "/.well-known/oauth-protected-resource"} {
		const want = `{"resource":"https://api.example.com/mcp","authorization_servers":["http://localhost:8100","https://two.example"],` +
			`"scopes_supported":["things:read","things:write"],"bearer_methods_supported":["header"],"resource_name":"Things",` +
			`"dpop_signing_alg_values_supported":["ES256","EdDSA","RS256","PS256"]}`
		if w := call(h.echo, "GET", path, "Authorization", "Bearer x"); w.Code != 200 || w.Body.String() != want {
			t.Errorf("%s: %d %s", path, w.Code, w.Body)
		}
	}
	if got := call(h.echo, "GET", "/me").Header().Get("WWW-Authenticate"); got != `Bearer realm="`+resource+`", resource_metadata="`+metadata+`"` {
		t.Errorf("%s", got)
	}
	for name, test := range map[string]struct {
		token string
		want  int
	}{
		"local, for the resource":     {s.Token(claims(object{"iss": "http://localhost:8100", "aud": resource})), 200},
		"local, for the server":       {s.Token(claims(object{"iss": "http://localhost:8100"})), 401},
		"elsewhere, for the resource": {foreign.Token(claims(object{"iss": "https://two.example", "aud": resource})), 200},
		"an audience of its own":      {foreign.Token(claims(object{"iss": "https://login.example/t", "tid": "t", "aud": "three"})), 200},
		"another's audience":          {foreign.Token(claims(object{"iss": "https://login.example/t", "tid": "t", "aud": resource})), 401},
	} {
		if w := h.me(test.token); w.Code != test.want {
			t.Errorf("%s: %d %s", name, w.Code, w.Body)
		}
	}
	alone := newHost(newClock(), map[string]any{"resource": resource, "issuers": []any{map[string]any{"issuer": "https://two.example", "jwks_url": jwks.URL}}})
	startHost(t, alone)
	if w := alone.me(foreign.Token(claims(object{"iss": "https://two.example", "aud": resource}))); w.Code != 200 {
		t.Errorf("an issuer of the list alone: %d %s", w.Code, w.Body)
	}
	both := newHost(newClock(), map[string]any{"resource": resource, "audience": []string{audience, resource}}, local(nil, s))
	startHost(t, both)
	for _, aud := range []string{audience, resource} {
		if w := both.me(s.Token(claims(object{"iss": "http://localhost:8100", "aud": aud}))); w.Code != 200 {
			t.Errorf("%s: %d %s", aud, w.Code, w.Body)
		}
	}
}

type everybodyIsBoss struct{}

func (everybodyIsBoss) ResolveRoles(context.Context, *clientauth.SecurityContext) ([]string, error) {
	return []string{"boss"}, nil
}

func TestTheRoleResolverIsDecoratedAtTheRoot(t *testing.T) {
	s := signers()[jose.ES256]
	h := newHost(newClock(), nil, local(nil, s), fx.Decorate(func(clientauth.RoleResolver) clientauth.RoleResolver { return everybodyIsBoss{} }))
	startHost(t, h)
	if w := h.me(s.Token(claims(object{"iss": "http://localhost:8100"}))); w.Body.String() != "alice boss" {
		t.Errorf("%d %s", w.Code, w.Body)
	}
}

func TestTheAppsOwnRoutesAreOpen(t *testing.T) {
	s := signers()[jose.ES256]
	h := newHost(newClock(), nil, local(nil, s), fx.Provide(func(e *echo.Echo) app.PublicRoutes {
		return app.PublicRoutes{e.GET("/healthz", func(c echo.Context) error { return c.NoContent(http.StatusNoContent) })}
	}))
	startHost(t, h)
	if w := call(h.echo, "GET", "/healthz"); w.Code != 204 {
		t.Errorf("%d", w.Code)
	}
}

func TestModuleHasAllItsDependencies(t *testing.T) {
	err := fx.ValidateApp(fx.NopLogger, clientauth.Module, fx.Provide(func() (*koanf.Koanf, *echo.Echo, *slog.Logger) { return nil, nil, nil }),
		fx.Invoke(func(*clientauth.Policy, *clientauth.TokenValidator, clientauth.RoleResolver) {}))
	if err != nil {
		t.Error(err)
	}
}

func TestInsideApp(t *testing.T) {
	s := signers()[jose.ES256]
	var server *app.Server
	a := app.New(app.ConfigMap(map[string]any{"app.port": 0, "app.log_level": "error"}), clientauth.Module, local(nil, s),
		fx.Supply(app.Clock(newClock().Now)), fx.Populate(&server),
		fx.Invoke(func(e *echo.Echo) {
			e.GET("/me", func(c echo.Context) error { return c.NoContent(http.StatusNoContent) })
		}))
	if err := a.Start(context.Background()); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = a.Stop(context.Background()) })
	token := s.Token(claims(object{"iss": "http://localhost:8100"}))
	for _, test := range []struct {
		method, path, token string
		want                int
	}{
		{"GET", "/healthz", "", 200}, {"HEAD", "/healthz", "", 200}, {"GET", "/me", "", 401}, {"GET", "/me", token, 204}, {"HEAD", "/me", token, 204},
		{"GET", "/nowhere", "", 401}, {"GET", "/nowhere", token, 404}, {"POST", "/healthz", "", 401}, {"POST", "/me", token, 405},
	} {
		request := must(http.NewRequest(test.method, "http://"+server.Addr().String()+test.path, nil))
		if test.token != "" {
			request.Header.Set("Authorization", "Bearer "+test.token)
		}
		reply := must(http.DefaultClient.Do(request))
		_ = reply.Body.Close()
		if reply.StatusCode != test.want {
			t.Errorf("%s %s: %d, want %d", test.method, test.path, reply.StatusCode, test.want)
		}
	}
}

func TestReadyOnceThereWereKeys(t *testing.T) {
	c, s := newClock(), signers()[jose.RS256]
	one, two := newServer(t, serveStatus(http.StatusBadGateway)), newServer(t, serveKeys([]signer{s}))
	var e *echo.Echo
	a := app.New(app.ConfigMap(map[string]any{"app.port": 0, "app.log_level": "error", "auth_client": map[string]any{
		"issuer": issuerName, "audience": audience, "jwks_url": one.URL,
		"issuers": []any{map[string]any{"issuer": "https://two.example", "audience": audience, "jwks_url": two.URL}}}}),
		clientauth.Module, fx.Supply(app.Clock(c.Now)), fx.Populate(&e))
	if err := a.Start(t.Context()); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = a.Stop(context.Background()) })
	expect := func(when string, status int) {
		t.Helper()
		c.Move(2 * time.Second) // a result is kept for one
		if w := visit(e, "GET", "/readyz"); w.Code != status {
			t.Errorf("%s: %d %s", when, w.Code, w.Body)
		}
	}
	expect("one of two issuers is down", 503)
	one.Become(serveText("<html>"))
	expect("it answers something else", 503)
	one.Become(serveKeys([]signer{s}))
	expect("it is up, and nobody but the probe asks", 200)
	one.Become(serveStatus(http.StatusBadGateway))
	c.Move(30 * time.Minute)
	expect("down again, the keys are used on", 200)
}

func TestReadyWhileTheDenylistIsFresh(t *testing.T) {
	c := newClock()
	keys, list := newServer(t, serveKeys([]signer{signers()[jose.RS256]})), newServer(t, serveStatus(http.StatusBadGateway))
	var e, open *echo.Echo
	for to, failOpen := range map[**echo.Echo]bool{&e: false, &open: true} {
		a := app.New(app.ConfigMap(map[string]any{"app.port": 0, "app.log_level": "error", "auth_client": map[string]any{
			"issuer": issuerName, "audience": audience, "jwks_url": keys.URL, "revocation_endpoint": list.URL, "revocation_fail_open": failOpen}}),
			clientauth.Module, fx.Supply(app.Clock(c.Now)), fx.Populate(to))
		if err := a.Start(t.Context()); err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { _ = a.Stop(context.Background()) })
	}
	expect := func(when string, status int) {
		t.Helper()
		c.Move(2 * time.Second) // a result is kept for one
		if w := visit(e, "GET", "/readyz"); w.Code != status {
			t.Errorf("%s: %d %s", when, w.Code, w.Body)
		}
		if w := visit(open, "GET", "/readyz"); w.Code != 200 {
			t.Errorf("%s, and failing open: %d %s", when, w.Code, w.Body)
		}
	}
	expect("no denylist yet", 503)
	list.Become(serveText(`{"items":[{"jti":7}]}`))
	expect("one that cannot be read", 503)
	list.Become(serveText(`{"items":[]}`))
	expect("it is there, and nobody but the probe asks", 200)
	list.Become(serveStatus(http.StatusBadGateway))
	expect("it is not too old", 200)
	c.Move(15 * time.Second)
	expect("it is", 503)
}

func TestReadyWithoutKeysFromElsewhere(t *testing.T) {
	for name, section := range map[string]map[string]any{
		"issuer in the same app": nil,
		"not enabled":            {"enabled": false, "issuer": issuerName, "audience": audience, "jwks_url": "http://127.0.0.1:1"},
	} {
		var e *echo.Echo
		a := app.New(app.ConfigMap(map[string]any{"app.port": 0, "app.log_level": "error", "auth_client": section}),
			clientauth.Module, local(nil, signers()[jose.ES256]), fx.Populate(&e))
		if err := a.Err(); err != nil {
			t.Fatal(err)
		}
		if w := visit(e, "GET", "/readyz"); w.Code != 200 {
			t.Errorf("%s: %d %s", name, w.Code, w.Body)
		}
	}
}

func TestAlgorithmsAreThoseOfTheIssuersKeys(t *testing.T) {
	rs, es, ed, other := signers()[jose.RS256], signers()[jose.ES256], signers()[jose.EdDSA], signers()[jose.MLDSA65]
	unnamed := signers()[jose.ES384]
	unnamed.Key.Algorithm = ""
	anyRSA := signers()[jose.PS256]
	anyRSA.Key.Algorithm, anyRSA.Key.ID = "", "any-rsa"
	one, two := newServer(t, serveKeys([]signer{rs, es, unnamed, anyRSA})), newServer(t, serveKeys([]signer{ed, other}))
	h := newHost(newClock(), map[string]any{"issuer": issuerName, "audience": audience, "jwks_url": one.URL,
		"issuers": []any{map[string]any{"issuer": "https://two.example", "audience": audience, "jwks_url": two.URL}}})
	startHost(t, h)
	at := func(issuer string) object { return claims(object{"iss": issuer}) }
	as := func(s signer, alg string) string { // s signs by alg, under its own kid
		method, _ := jose.SigningMethod(alg)
		input := s.Sign(s.Header(object{"alg": alg}), claims(nil))
		input = input[:strings.LastIndex(input, ".")]
		return input + "." + jose.EncodeBase64(must(method.Sign(input, s.Private)))
	}
	for name, test := range map[string]struct {
		token string
		want  int
	}{
		"RS256":                           {rs.Token(claims(nil)), 200},
		"ES256, what it changed to":       {es.Token(claims(nil)), 200},
		"a key that names none":           {unnamed.Token(claims(nil)), 200},
		"PS256, by a key that fits":       {as(anyRSA, jose.PS256), 200},
		"RS512, by a key that fits":       {as(anyRSA, jose.RS512), 200},
		"PS256, by a key for RS256":       {as(rs, jose.PS256), 401},
		"RS512, by a key for RS256":       {as(rs, jose.RS512), 401},
		"the other issuer's own":          {ed.Token(at("https://two.example")), 200},
		"ML-DSA":                          {other.Token(at("https://two.example")), 200},
		"a key of the other issuer":       {ed.Token(claims(nil)), 401},
		"a key of this, for the other":    {rs.Token(at("https://two.example")), 401},
		"HS256":                           {rs.Sign(rs.Header(object{"alg": "HS256"}), claims(nil)), 401},
		"none":                            {rs.Sign(rs.Header(object{"alg": "none"}), claims(nil)), 401},
		"the kid of a key of another alg": {es.Sign(rs.Header(object{"alg": jose.ES256}), claims(nil)), 401},
	} {
		if w := h.me(test.token); w.Code != test.want {
			t.Errorf("%s: %d %s", name, w.Code, w.Body)
		}
	}
}

func TestAnAdminPortKeepsTheProbesOpen(t *testing.T) {
	var e *echo.Echo
	a := app.New(app.ConfigMap(map[string]any{"app.port": 0, "app.admin_port": 1, "app.log_level": "error"}),
		clientauth.Module, local(nil, signers()[jose.ES256]), fx.Populate(&e))
	if err := a.Err(); err != nil {
		t.Fatal(err)
	}
	for path, want := range map[string]int{"/healthz": 200, "/metrics": 401} {
		if w := visit(e, "GET", path); w.Code != want {
			t.Errorf("%s: %d %s", path, w.Code, w.Body)
		}
	}
}

func TestTheRulesOfAForeignIssuer(t *testing.T) {
	s := signers()[jose.EdDSA]
	issuer := newServer(t, nil)
	keys := serveKeys([]signer{s})
	issuer.Become(func(w http.ResponseWriter, r *http.Request) {
		if r.URL.Path != "/.well-known/openid-configuration" {
			keys(w, r)
			return
		}
		_, _ = io.WriteString(w, `{"issuer":"`+issuer.URL+`","jwks_uri":"`+issuer.URL+`/keys"}`)
	})
	section := object{"issuer": issuer.URL, "discovery": true, "audience": []any{"orders", "bills"}, "audience_claim": "client_id", "subject_claim": "oid",
		"role_path": "realm_access.roles", "required_claims": object{"kubernetes.io.namespace": "payments", "level": 2}}
	token := claims(object{"iss": issuer.URL, "aud": nil, "client_id": "bills", "oid": "o-1", "sub": nil, "role": "admin", "level": 2,
		"realm_access": object{"roles": []string{"buyer"}}, "kubernetes.io": object{"namespace": "payments"}})
	shared := object{"issuer": "https://login.example.com/{tenant}/v2.0", "tenants": "*", "audience": "orders", "jwks_url": issuer.URL + "/keys"}
	other := claims(object{"iss": "https://login.example.com/t-1/v2.0", "tid": "t-1", "aud": "orders"})
	for name, section := range map[string]object{
		"by the flat keys": with(section, object{"issuers": []any{shared}}),
		"by the list":      {"issuers": []any{section, shared}},
	} {
		h := newHost(newClock(), section)
		startHost(t, h)
		for changes, want := range map[string]string{
			"":                   "200 o-1 buyer",
			`{"client_id": "x"}`: "401",
			`{"level": 3}`:       "401",
			`{"kubernetes.io": {"namespace": "dev"}}`: "401",
			`{"oid": null}`: "401",
		} {
			changed := maps.Clone(token)
			if changes != "" {
				_ = json.Unmarshal([]byte(changes), &changed)
			}
			w := h.me(s.Token(changed))
			if got := fmt.Sprint(w.Code, " ", w.Body); !strings.HasPrefix(got, want) {
				t.Errorf("%s, %s: %s", name, changes, got)
			}
		}
		if w := h.me(s.Token(other)); w.Code != 200 {
			t.Errorf("%s: a tenant: %d %s", name, w.Code, w.Body)
		}
	}
}
