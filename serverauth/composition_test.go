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

// A loopback host without a scheme is one of http and of https: the port of one is not that of the other.
func TestALoopbackDomainWithAPort(t *testing.T) {
	settings := serverauth.DefaultServerAuthSettings()
	settings.AllowedDomains = []string{"localhost:80", "[::1]:443"}
	assert.NoError(t, settings.Validate())
}

func TestSettingsOutOfRangeNameKeyValueAndRange(t *testing.T) {
	for key, want := range map[string]string{
		"challenge_ttl_seconds=0":                 "server_auth.challenge_ttl_seconds: 0 is not within 1 to 3600",
		"message_ttl_seconds=3601":                "server_auth.message_ttl_seconds: 3601 is not within 1 to 3600",
		"refresh_grace_seconds=301":               "server_auth.refresh_grace_seconds: 301 is not within 0 to 300",
		"clock_skew_seconds=601":                  "server_auth.clock_skew_seconds: 601 is not within 0 to 600",
		"access_token_expire_minutes=0":           "server_auth.access_token_expire_minutes: 0 is not within 1 to 43200",
		"refresh_token_expire_days=3651":          "server_auth.refresh_token_expire_days: 3651 is not within 1 to 3650",
		"algorithm=HS256":                         `server_auth.algorithm: "HS256" is not one of`,
		"issuer=http://x/":                        `server_auth.issuer: "http://x/" is not`,
		"issuer=https://a.example?":               `server_auth.issuer: "https://a.example?" is not`,
		"issuer=https://a.example#":               `server_auth.issuer: "https://a.example#" is not`,
		"issuer=https://a.example/b?c":            `server_auth.issuer: "https://a.example/b?c" is not`,
		"issuer=https://a.example/b c":            `server_auth.issuer: "https://a.example/b c" has a character`,
		"issuer=https://a.example/bü":             `server_auth.issuer: "https://a.example/bü" has a character`,
		"allowed_domains=https://a.example:443":   `server_auth.allowed_domains[0]: "https://a.example:443" has its scheme's own port`,
		"allowed_domains=a.example:443":           `server_auth.allowed_domains[0]: "a.example:443" has its scheme's own port`,
		"allowed_domains=http://a.example:80":     `server_auth.allowed_domains[0]: "http://a.example:80" has its scheme's own port`,
		"fleet_roles=agent,operator":              `server_auth.fleet_roles: "operator" is also`,
		"allowed_domains=a b":                     `server_auth.allowed_domains[0]: "a b" is not`,
		"allowed_chains=1":                        `server_auth.allowed_chains[0]: "1" is not`,
		"allowed_chains=eip155:1,solana:mainet":   `server_auth.allowed_chains[1]: "solana:mainet" is not a chain that a message can name`,
		"allowed_chains=solana:mainnet-beta":      `server_auth.allowed_chains[0]: "solana:mainnet-beta" is not a chain that a message can name`,
		"allowed_chains=bip122:*":                 `server_auth.allowed_chains[0]: "bip122:*" is not`,
		"audience=pico,other":                     `server_auth.audience: "pico,other" is a list`,
		"audience=pico\n":                         "server_auth.audience: has a line break",
		`audience="pico"`:                         "server_auth.audience: has quotes around it",
		"issuer=https://a/{tenant}":               `server_auth.issuer: "https://a/{tenant}" is not`,
		"operator_roles=operator,wallet":          `server_auth.operator_roles[1]: "wallet" is the role that every wallet gets by default`,
		"admin_role=wallet":                       `server_auth.admin_role: "wallet" is the role that every wallet gets by default`,
		"fleet_mint_secret=fifteen letters":       "server_auth.fleet_mint_secret: is too short to be a secret: it has 15 characters and needs at least 16",
		"fleet_mint_secret= 0123456789abcdef0":    "server_auth.fleet_mint_secret: has white space around it",
		"fleet_mint_secret=0123456789abcdefß":     "server_auth.fleet_mint_secret: has a character that is not allowed in an HTTP header",
		"fleet_mint_secret=${FLEET_SECRET_OF_16}": "server_auth.fleet_mint_secret: holds a ${ that is not",
		"key_encryption_key=abc":                  "server_auth.key_encryption_key: must be 32 bytes",
		"statement=a\nb":                          "server_auth.statement: must be one line",
		"isuer=x":                                 "server_auth.isuer",
		"supported_wallet_algorithms=a, b ":       `unsupported wallet algorithm: "a"`,
		"supported_wallet_algorithms=ml_dsa_65":   `server_auth.supported_wallet_algorithms[0]: unsupported wallet algorithm: "ml_dsa_65"; did you mean "ML-DSA-65"?`,
		"allowed_domains=app.example.com:65536":   `server_auth.allowed_domains[0]: "app.example.com:65536" is not`,
	} {
		name, value, _ := strings.Cut(key, "=")
		a := app.New(app.ConfigMap(map[string]any{"server_auth." + name: value, "app.port": 0}), serverauth.Module)
		assert.ErrorContains(t, a.Err(), want, key)
	}
}

func TestAllFaultsOfAllSectionsAreReportedAtOnce(t *testing.T) {
	t.Setenv("SERVER_AUTH__ADMIN_PASSWORD", "hunter2")
	err := app.New(serverauth.Module, clientauth.Module, app.ConfigMap(map[string]any{
		"app.port": -1, "server_auth": map[string]any{"auto_create_admin": true, "allowed_chains": "x,y", "allowed_domains": "a b"},
		"auth_client.leeway_seconds": 601,
	})).Err()
	require.Error(t, err)
	assert.NotContains(t, err.Error(), "hunter2")
	for _, want := range []string{
		"app.port: -1 is not within 0 to 65535 (ConfigMap)",
		"server_auth.admin_password: is too short to be a secret: it has 7 characters and needs at least 8 (environment variable SERVER_AUTH__ADMIN_PASSWORD)",
		`server_auth.allowed_chains[0]: "x" is not`, `server_auth.allowed_chains[1]: "y" is not`, `server_auth.allowed_domains[0]: "a b"`,
		"auth_client.leeway_seconds: 601 is not within 0 to 600 seconds (ConfigMap)",
	} {
		assert.ErrorContains(t, err, want)
	}
}

// The default of allowed_domains follows from the issuer: what is wrong with the issuer is one fault, not two.
func TestAWrongIssuerIsOneFault(t *testing.T) {
	for _, issuer := range []string{"", "localhost:8100", "ftp://a"} {
		err := app.New(serverauth.Module, app.ConfigMap(map[string]any{"app.port": 0, "server_auth.issuer": issuer, "server_auth.allowed_chains": "x"})).Err()
		assert.ErrorContains(t, err, "server_auth.issuer: ")
		assert.ErrorContains(t, err, "server_auth.allowed_chains[0]: ")
		assert.NotContains(t, err.Error(), "allowed_domains")
	}
}

func TestChainsThatAreAllowed(t *testing.T) {
	const ethereum, solana = "0x5aAeb6053F3E94C9b9A09f33669435E7Ef1BeAed", "9WzDXwBbmkg8ZTbNMqUxvQRAyrZzDsGYdLVL9zYtAWWM"
	for _, test := range []struct {
		allowed, address, chain string
		status                  int
		line                    string // of the message
	}{
		{"eip155:*", ethereum, "eip155:8453", 200, "Chain ID: 8453"},
		{"eip155:*", ethereum, "", 200, "Chain ID: 1"},
		{"eip155:10,eip155:*", ethereum, "", 200, "Chain ID: 10"},
		{"eip155:*", ethereum, "eip155:01", 400, ""},
		{"eip155:*", ethereum, "eip155:*", 400, ""},
		{"eip155:*", solana, "", 400, ""},
		{"solana:*", solana, "solana:devnet", 200, "Chain ID: devnet"},
		{"solana:*", solana, "", 200, "Chain ID: mainnet"},
	} {
		s := startServer(t, map[string]any{"allowed_chains": test.allowed})
		reply := s.post("/challenge", map[string]any{"address": test.address, "chain_id": test.chain})
		require.Equal(t, test.status, reply.status, "%+v: %s", test, reply.body)
		if test.line != "" {
			assert.Contains(t, string(reply.body), test.line+`\n`, "%+v", test)
		}
	}
}

func TestAVersionRouteOfTheAppsOwnIsProtected(t *testing.T) {
	own := func(e *echo.Echo) {
		e.GET("/version", func(c echo.Context) error { return c.String(http.StatusOK, "own") })
	}
	for name, options := range map[string][]fx.Option{
		"before": {fx.Module("early", fx.Invoke(own)), serverauth.Module, clientauth.Module},
		"after":  {serverauth.Module, clientauth.Module, fx.Invoke(own)},
	} {
		reply, err := http.Get(testutil.NewApp(t, options...).URL + "/version")
		require.NoError(t, err)
		require.NoError(t, reply.Body.Close())
		assert.Equal(t, http.StatusUnauthorized, reply.StatusCode, name)
	}
}
