package clientauth_test

import (
	"context"
	"errors"
	"log/slog"
	"net/http"
	"net/http/httptest"
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
	h.App = fx.New(append([]fx.Option{fx.NopLogger, fx.Supply(k, h.echo, quiet), fx.Supply(app.Clock(c.now)), clientauth.Module,
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
	eventually(t, "the keys are fetched before the first request", func() bool { return jwks.requests.Load() == 1 })
	if w := h.me(s.token(claims(nil))); w.Code != 200 || w.Body.String() != "alice wallet" {
		t.Errorf("%d %s", w.Code, w.Body)
	}
	if w := call(h.echo, "GET", "/me"); w.Code != 401 || w.Header().Get("WWW-Authenticate") != `Bearer realm="pico"` {
		t.Errorf("%d %v", w.Code, w.Header())
	}
	es := signers()[jose.ES256]
	if w := h.me(es.token(claims(nil))); w.Code != 401 {
		t.Errorf("ES256 is not accepted by default: %d", w.Code)
	}
	if n := jwks.requests.Load(); n != 1 {
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
		if w := h.me(s.token(claims(object{"iss": name}))); w.Code != 200 {
			t.Errorf("%s: %d %s", name, w.Code, w.Body)
		}
	}
}

func TestItStartsWhileItsIssuerIsDown(t *testing.T) {
	s := signers()[jose.RS256]
	c := newClock()
	jwks := newServer(t, serveStatus(http.StatusBadGateway))
	h := newHost(c, map[string]any{"issuer": issuerName, "audience": audience, "jwks_endpoint": jwks.URL})
	startHost(t, h)
	eventually(t, "503", func() bool { return h.me(s.token(claims(nil))).Code == 503 })
	jwks.become(serveKeys([]signer{s}))
	c.move(2 * time.Second)
	if w := h.me(s.token(claims(nil))); w.Code != 200 {
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
		"HS256":             {with(good, object{"accepted_algorithms": "RS256, HS256"}), `auth_client.accepted_algorithms: "HS256"`},
		"none":              {with(good, object{"accepted_algorithms": []string{"none"}}), `auth_client.accepted_algorithms: "none"`},
		"leeway":            {with(good, object{"leeway_seconds": 601}), "auth_client.leeway_seconds: 601 is not within 0 to 600"},
		"negative leeway":   {with(good, object{"leeway_seconds": -1}), "auth_client.leeway_seconds"},
		"jwks ttl":          {with(good, object{"jwks_ttl_seconds": 0}), "auth_client.jwks_ttl_seconds"},
		"revocation ttl":    {with(good, object{"revocation_ttl_seconds": 0}), "auth_client.revocation_ttl_seconds"},
		"cache":             {with(good, object{"token_cache_size": -1}), "auth_client.token_cache_size"},
		"bearer and secret": {with(good, object{"revocation_bearer": "a", "revocation_secret": "b"}), "auth_client.revocation_secret"},
		"secret with a CR":  {with(good, object{"revocation_secret": "a\rb"}), "auth_client.revocation_secret"},
		"same issuer twice": {with(good, object{"issuers": []any{good}}), "trusted twice"},
		"list, no audience": {object{"issuers": []any{object{"issuer": issuerName}}}, "auth_client.issuers[0].audience: must not be empty"},
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
		if _, err := h.valid.Validate(context.Background(), signers()[jose.RS256].token(claims(nil))); !errors.Is(err, clientauth.ErrInvalidToken) {
			t.Errorf("a validator that trusts nobody: %v", err)
		}
	}
}

// local is an issuer in the same app.
func local(denylist clientauth.Denylist, s signer) fx.Option {
	return fx.Provide(func() *clientauth.LocalIssuer {
		return &clientauth.LocalIssuer{TrustedIssuer: clientauth.TrustedIssuer{Issuer: "http://localhost:8100", Audience: audience,
			Algorithms: []string{s.alg}, Keys: keysOf(s), Denylist: denylist}}
	})
}

func TestTheIssuerInTheSameAppIsTheDefault(t *testing.T) {
	s := signers()[jose.ES256]
	index := clientauth.NewRevocationIndex()
	token := s.token(claims(object{"iss": "http://localhost:8100"}))
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
		"local":               {s.token(claims(object{"iss": "http://localhost:8100"})), 200},
		"foreign":             {foreign.token(claims(object{"iss": "https://two.example", "aud": "two"})), 200},
		"foreign as local":    {foreign.token(claims(object{"iss": "http://localhost:8100"})), 401},
		"for local audience":  {foreign.token(claims(object{"iss": "https://two.example"})), 401},
		"foreign, local keys": {s.token(claims(object{"iss": "https://two.example", "aud": "two"})), 401},
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
		"revocation_secret": "fleet", "revocation_ttl_seconds": "2"})
	startHost(t, h)
	token := s.token(claims(nil))
	if w := h.me(token); w.Code != 200 {
		t.Fatalf("%d %s", w.Code, w.Body)
	}
	l.revoke(clientauth.Revocation{JTI: "token-1"})
	c.move(2 * time.Second)
	if w := h.me(token); w.Code != 401 || !strings.Contains(w.Body.String(), "token_revoked") {
		t.Errorf("%d %s", w.Code, w.Body)
	}
	revoked.become(serveStatus(http.StatusInternalServerError))
	c.move(2 * time.Second)
	if w := h.me(s.token(claims(object{"jti": "other"}))); w.Code != 503 {
		t.Errorf("%d %s", w.Code, w.Body)
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
	if w := h.me(s.token(claims(object{"iss": "http://localhost:8100"}))); w.Body.String() != "alice boss" {
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
		fx.Supply(app.Clock(newClock().now)), fx.Populate(&server),
		fx.Invoke(func(e *echo.Echo) {
			e.GET("/me", func(c echo.Context) error { return c.NoContent(http.StatusNoContent) })
		}))
	if err := a.Start(context.Background()); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = a.Stop(context.Background()) })
	token := s.token(claims(object{"iss": "http://localhost:8100"}))
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
