package serverauth_test

import (
	"context"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/knadh/koanf/providers/confmap"
	"github.com/knadh/koanf/v2"
	"github.com/labstack/echo/v4"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"go.uber.org/fx"
	"go.uber.org/fx/fxtest"

	"github.com/picoauth/picoauth/app"
	"github.com/picoauth/picoauth/clientauth"
	"github.com/picoauth/picoauth/serverauth"
	"github.com/picoauth/picoauth/testutil"
)

func TestEverythingTheModulesNeedIsThere(t *testing.T) {
	require.NoError(t, fx.ValidateApp(app.Options(serverauth.Module)))
	require.NoError(t, fx.ValidateApp(app.Options(serverauth.Module, clientauth.Module)))
}

func TestBothModulesInAPlainFxApp(t *testing.T) {
	config := koanf.New(".")
	require.NoError(t, config.Load(confmap.Provider(map[string]any{"server_auth.algorithm": "EdDSA"}, "."), nil))
	e := echo.New()
	e.GET("/api/profile", func(c echo.Context) error {
		user, _ := clientauth.FromContext(c.Request().Context())
		return c.String(http.StatusOK, user.Subject)
	})
	running := fxtest.New(t,
		fx.Supply(config, e), fx.Provide(func() *slog.Logger { return slog.New(slog.DiscardHandler) }),
		serverauth.Module, clientauth.Module,
	)
	running.RequireStart()
	defer running.RequireStop()
	web := httptest.NewServer(e)
	defer web.Close()

	w := newWallet(t, "Ed25519")
	in, err := testutil.SignIn(context.Background(), web.URL, w)
	require.NoError(t, err)
	for token, want := range map[string]int{"": 401, "x": 401, in.AccessToken: 200, in.RefreshToken: 401} {
		request, _ := http.NewRequest(http.MethodGet, web.URL+"/api/profile", nil)
		if token != "" {
			request.Header.Set("Authorization", "Bearer "+token)
		}
		reply, err := http.DefaultClient.Do(request)
		require.NoError(t, err)
		body, _ := io.ReadAll(reply.Body)
		reply.Body.Close()
		assert.Equal(t, want, reply.StatusCode)
		if want == 200 {
			assert.Equal(t, w.Address, string(body))
		} else {
			assert.True(t, strings.HasPrefix(reply.Header.Get("WWW-Authenticate"), "Bearer "))
		}
	}
}

// refusingStore is a ChallengeStore that makes one known nonce and accepts none.
type refusingStore struct{ created, asked int }

func (s *refusingStore) Create(context.Context, string, time.Duration) (string, error) {
	s.created++
	return strings.Repeat("ab", 32), nil
}

func (s *refusingStore) Validate(context.Context, string, string) (bool, error) {
	s.asked++
	return false, nil
}

func (s *refusingStore) Cleanup(context.Context) (int, error) { return 0, nil }

func TestChallengeStoreIsSwappedByDecorateAtTheRoot(t *testing.T) {
	store := &refusingStore{}
	s := startServer(t, nil, fx.Decorate(func() serverauth.ChallengeStore { return store }))
	w := newWallet(t, "Ed25519")
	assert.Equal(t, strings.Repeat("ab", 32), s.challenge(w.Address))
	s.post("/sign-in", s.signInBody(w)).problem(t, 401, "invalid or expired challenge")
	assert.Equal(t, 2, store.created)
	assert.Equal(t, 1, store.asked)
}

func TestARouteOfTheAppThatIsTheIssuersOwnFailsTheStart(t *testing.T) {
	clash := func(e *echo.Echo) { e.POST(serverauth.Prefix+"/login", func(echo.Context) error { return nil }) }
	t.Run("in an app", func(t *testing.T) {
		a := app.New(app.ConfigMap(map[string]any{"app.port": 0, "server_auth.algorithm": "EdDSA"}), serverauth.Module, fx.Invoke(clash))
		require.NoError(t, a.Err())
		assert.ErrorContains(t, a.Start(context.Background()), "/api/v1/auth/login")
	})
	t.Run("in a plain fx app", func(t *testing.T) {
		e := echo.New()
		a := fx.New(fx.NopLogger, fx.Supply(koanf.New("."), e), fx.Provide(func() *slog.Logger { return slog.New(slog.DiscardHandler) }),
			serverauth.Module, fx.Invoke(clash))
		require.NoError(t, a.Err())
		assert.ErrorContains(t, a.Start(context.Background()), "/api/v1/auth/login")
	})
}

func TestPathsBesideTheIssuersAreProtected(t *testing.T) {
	s := startServer(t, nil, fx.Invoke(func(e *echo.Echo) {
		e.GET("/api/v1/authors", func(c echo.Context) error { return c.NoContent(200) })
		e.GET(serverauth.Prefix+"/x", func(c echo.Context) error { return c.NoContent(200) })
	}))
	assert.Equal(t, 401, s.get("ors").status)
	assert.Equal(t, 401, s.get("/x").status)
	assert.Equal(t, 401, s.get("/no-such-path").status)
	assert.Equal(t, 200, s.get("/jwks").status)
	assert.Equal(t, 200, s.do(http.MethodHead, "/jwks", "", nil).status)
}

func TestConstructorsWorkWithoutFx(t *testing.T) {
	settings := serverauth.DefaultServerAuthSettings()
	store, err := serverauth.NewInMemoryChallengeStore(settings)
	require.NoError(t, err)
	nonce, err := store.Create(context.Background(), "address", time.Minute)
	require.NoError(t, err)
	ok, err := store.Validate(context.Background(), "address", nonce)
	require.NoError(t, err)
	assert.True(t, ok)
	ok, err = store.Validate(context.Background(), "address", nonce)
	require.NoError(t, err)
	assert.False(t, ok)

	verifier, err := serverauth.NewWalletVerifier(settings)
	require.NoError(t, err)
	for _, name := range testutil.WalletAlgorithms() {
		w := newWallet(t, name)
		if w.PublicKey == nil || strings.HasPrefix(name, "ML-DSA") && name != "ML-DSA-65" {
			continue
		}
		signature, err := w.Sign([]byte("text"))
		require.NoError(t, err)
		assert.NoError(t, verifier.Verify(w.Algorithm, w.PublicKey, []byte("text"), signature), name)
		assert.ErrorIs(t, verifier.Verify(w.Algorithm, w.PublicKey, []byte("other"), signature), serverauth.ErrInvalidSignature, name)
	}
	assert.ErrorIs(t, verifier.Verify("none", nil, nil, nil), serverauth.ErrUnsupportedAlgorithm)
}

func TestSettingsOutOfRangeNameKeyValueAndRange(t *testing.T) {
	for key, want := range map[string]string{
		"challenge_ttl_seconds=0":           "server_auth.challenge_ttl_seconds: 0 is not within 1 to 3600",
		"message_ttl_seconds=3601":          "server_auth.message_ttl_seconds: 3601 is not within 1 to 3600",
		"refresh_grace_seconds=301":         "server_auth.refresh_grace_seconds: 301 is not within 0 to 300",
		"clock_skew_seconds=601":            "server_auth.clock_skew_seconds: 601 is not within 0 to 600",
		"access_token_expire_minutes=0":     "server_auth.access_token_expire_minutes: 0 is not within 1 to 43200",
		"refresh_token_expire_days=3651":    "server_auth.refresh_token_expire_days: 3651 is not within 1 to 3650",
		"algorithm=HS256":                   `server_auth.algorithm: "HS256" is not one of`,
		"issuer=http://x/":                  `server_auth.issuer: "http://x/" is not`,
		"fleet_roles=agent,operator":        `server_auth.fleet_roles: "operator" is also`,
		"allowed_domains=a b":               `server_auth.allowed_domains: "a b" is not`,
		"allowed_chains=1":                  `server_auth.allowed_chains: "1" is not`,
		"statement=a\nb":                    "server_auth.statement: must be one line",
		"isuer=x":                           "server_auth.isuer",
		"supported_wallet_algorithms=a, b ": `unsupported wallet algorithm: "a"`,
	} {
		name, value, _ := strings.Cut(key, "=")
		a := app.New(app.ConfigMap(map[string]any{"server_auth." + name: value, "app.port": 0}), serverauth.Module)
		assert.ErrorContains(t, a.Err(), want, key)
	}
}
