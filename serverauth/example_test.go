package serverauth_test

import (
	"context"
	"crypto/ed25519"
	"encoding/json"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"time"

	"github.com/knadh/koanf/providers/confmap"
	"github.com/knadh/koanf/v2"
	"github.com/labstack/echo/v4"
	"go.uber.org/fx"

	"github.com/picoauth/picoauth/app"
	"github.com/picoauth/picoauth/clientauth"
	"github.com/picoauth/picoauth/clientauth/signin"
	"github.com/picoauth/picoauth/serverauth"
	"github.com/picoauth/picoauth/serverauth/sqlstore/sqlite"
)

// The auth server and the application that it protects are one process. A main function calls Run in place of Start.
func Example() {
	var server *app.Server
	application := app.New(
		app.ConfigMap(map[string]any{"app.port": 0, "app.log_level": "error", "server_auth.algorithm": "EdDSA"}),
		serverauth.Module, // /api/v1/auth/*
		clientauth.Module, // every other route needs a token
		fx.Invoke(func(e *echo.Echo) { e.GET("/api/profile", profile) }),
		fx.Populate(&server),
	)
	start(application)
	defer stop(application)
	url := "http://" + server.Addr().String()

	fmt.Println(get(http.DefaultClient, url+"/api/profile"))
	fmt.Println(get(signedIn(url), url+"/api/profile"))
	// Output:
	// 401
	// 200 wallet
}

// The auth server alone, with its state in a SQLite file and its keys beside it, as examples/standalone has it.
func Example_standalone() {
	folder, err := os.MkdirTemp("", "picoauth-example-")
	check(err)
	defer os.RemoveAll(folder)
	var server *app.Server
	application := app.New(
		app.ConfigMap(map[string]any{
			"app.port": 0, "app.log_level": "error",
			"server_auth.issuer": "https://auth.example.com", "server_auth.algorithm": "ES256",
			"server_auth.storage_url": "sqlite:" + filepath.Join(folder, "picoauth.db"), "server_auth.key_dir": filepath.Join(folder, "keys"),
		}),
		serverauth.Module,
		serverauth.Home, // GET /
		sqlite.Module,   // a storage_url may begin with sqlite:
		fx.Populate(&server),
	)
	start(application)
	defer stop(application)

	reply, err := http.Get("http://" + server.Addr().String() + "/.well-known/openid-configuration")
	check(err)
	defer reply.Body.Close()
	var discovery struct {
		JWKS string `json:"jwks_uri"`
	}
	check(json.NewDecoder(reply.Body).Decode(&discovery))
	fmt.Println(discovery.JWKS)
	// Output: https://auth.example.com/api/v1/auth/jwks?kty=RSA,EC,OKP
}

// printedChallenges is a store that says what its app does with the one that it wraps.
type printedChallenges struct{ serverauth.ChallengeStore }

func (p printedChallenges) Validate(ctx context.Context, address, nonce string) (bool, error) {
	spent, err := p.ChallengeStore.Validate(ctx, address, nonce)
	fmt.Println("a challenge was spent:", spent, err)
	return spent, err
}

// A decorator at the root of the app, which returns the interface, replaces or wraps a store.
func ExampleChallengeStore() {
	var server *app.Server
	application := app.New(
		app.ConfigMap(map[string]any{"app.port": 0, "app.log_level": "error", "server_auth.algorithm": "EdDSA"}),
		serverauth.Module,
		fx.Decorate(func(store serverauth.ChallengeStore) serverauth.ChallengeStore { return printedChallenges{store} }),
		fx.Populate(&server),
	)
	start(application)
	defer stop(application)

	_, err := newSource("http://" + server.Addr().String()).Token()
	check(err)
	// Output: a challenge was spent: true <nil>
}

// The application knows who its users are.
func ExampleClaimsProvider() {
	editors := map[string]bool{exampleAddress: true}
	var server *app.Server
	application := app.New(
		app.ConfigMap(map[string]any{"app.port": 0, "app.log_level": "error", "server_auth.algorithm": "EdDSA"}),
		serverauth.Module,
		clientauth.Module,
		fx.Decorate(func() serverauth.ClaimsProvider {
			return serverauth.ClaimsProviderFunc(func(_ context.Context, subject serverauth.Subject) (serverauth.Claims, error) {
				if !editors[subject.ID] {
					return serverauth.Claims{}, serverauth.ErrSubjectRefused // 403, and the end of the session
				}
				return serverauth.Claims{Role: "editor", Groups: []string{"staff"}}, nil
			})
		}),
		fx.Invoke(func(e *echo.Echo) { e.GET("/api/profile", profile, clientauth.RequireGroup("staff")) }),
		fx.Populate(&server),
	)
	start(application)
	defer stop(application)
	url := "http://" + server.Addr().String()

	fmt.Println(get(signedIn(url), url+"/api/profile"))
	// Output: 200 editor
}

// An fx app that has an echo already needs no app.New: the modules ask for a koanf, an echo and a logger.
func Example_withoutApp() {
	settings := koanf.New(".")
	check(settings.Load(confmap.Provider(map[string]any{"server_auth.algorithm": "EdDSA"}, "."), nil))
	e := echo.New()
	e.GET("/api/profile", profile)
	application := fx.New(
		fx.NopLogger,
		fx.Supply(settings, e, slog.New(slog.DiscardHandler)),
		serverauth.Module,
		clientauth.Module,
	)
	start(application)
	defer stop(application)
	web := httptest.NewServer(e)
	defer web.Close()

	fmt.Println(get(signedIn(web.URL), web.URL+"/api/profile"))
	// Output: 200 wallet
}

// The verifier alone: no fx, no echo.
func ExampleNewWalletVerifier() {
	verifier, err := serverauth.NewWalletVerifier(serverauth.DefaultServerAuthSettings())
	check(err)
	message := []byte("the challenge")
	signature := ed25519.Sign(exampleKey, message)
	public := exampleKey[ed25519.SeedSize:]
	fmt.Println(verifier.Verify("Ed25519", public, message, signature))
	fmt.Println(verifier.Verify("Ed25519", public, []byte("another"), signature) != nil)
	// Output:
	// <nil>
	// true
}

// exampleKey is the key of whoever signs in, and exampleAddress its address.
var exampleKey = ed25519.NewKeyFromSeed(make([]byte, ed25519.SeedSize))

const exampleAddress = "3b6a27bcceb6a42d62a3a8d02a6f0d73653215771de243a63ac048a18b59da29"

func newSource(issuer string) *signin.Source {
	source, err := signin.NewSource(signin.Config{Issuer: issuer, Algorithm: signin.Ed25519, Signer: exampleKey})
	check(err)
	return source
}

// signedIn is the client of somebody who signs in with exampleKey.
func signedIn(issuer string) *http.Client {
	return &http.Client{Transport: signin.NewTransport(newSource(issuer), nil)}
}

// profile is a route of the application: it says in which role the caller is.
func profile(c echo.Context) error {
	user, ok := clientauth.FromContext(c.Request().Context())
	if !ok {
		return echo.ErrUnauthorized
	}
	return c.String(http.StatusOK, user.Role)
}

func get(client *http.Client, url string) string {
	reply, err := client.Get(url)
	check(err)
	defer reply.Body.Close()
	if reply.StatusCode != http.StatusOK {
		return fmt.Sprint(reply.StatusCode)
	}
	text, err := io.ReadAll(reply.Body)
	check(err)
	return fmt.Sprint(reply.StatusCode, " ", string(text))
}

// lifecycle is an fx.App, or what app.New returns.
type lifecycle interface {
	Start(ctx context.Context) error
	Stop(ctx context.Context) error
}

func start(application lifecycle) {
	ctx, cancel := context.WithTimeout(context.Background(), 30*time.Second)
	defer cancel()
	check(application.Start(ctx))
}

func stop(application lifecycle) {
	ctx, cancel := context.WithTimeout(context.Background(), 30*time.Second)
	defer cancel()
	check(application.Stop(ctx))
}

func check(err error) {
	if err != nil {
		panic(err)
	}
}
