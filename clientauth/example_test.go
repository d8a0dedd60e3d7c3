package clientauth_test

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"time"

	"github.com/knadh/koanf/providers/confmap"
	"github.com/knadh/koanf/v2"
	"github.com/labstack/echo/v4"
	"go.uber.org/fx"

	"github.com/picoauth/picoauth/clientauth"
	"github.com/picoauth/picoauth/clientauth/jose"
)

// exampleIssuer is what a real issuer would be: it signs tokens and shows its key.
func exampleIssuer() (sign func(role string) string, key jose.Key) {
	s := signers()[jose.EdDSA]
	return func(role string) string {
		return s.token(claims(object{"role": role, "iat": time.Now().Unix(), "nbf": nil, "exp": time.Now().Add(time.Minute).Unix()}))
	}, s.key
}

// The validator alone: no fx, no echo. With a RemoteKeySet in place of the KeyMap the keys come from the issuer.
func ExampleNewTokenValidator() {
	sign, key := exampleIssuer()
	validator, err := clientauth.NewTokenValidator(clientauth.ValidatorConfig{
		Issuers: []clientauth.TrustedIssuer{{
			Issuer: "https://auth.example.com", Audience: "pico", Algorithms: []string{jose.EdDSA}, Keys: clientauth.NewKeyMap(key),
		}},
		Leeway:    30 * time.Second,
		CacheSize: 1000,
	})
	if err != nil {
		panic(err)
	}
	caller, err := validator.Validate(context.Background(), sign("admin"))
	fmt.Println(caller.Subject, caller.Role, err)

	_, err = validator.Validate(context.Background(), "not.a.token")
	fmt.Println(errors.Is(err, clientauth.ErrInvalidToken), errors.Is(err, clientauth.ErrMalformedToken))
	// Output:
	// alice admin <nil>
	// true true
}

// A net/http service with an issuer elsewhere.
func ExampleAuthenticator_Handler() {
	keys, err := clientauth.NewRemoteKeySet(clientauth.RemoteKeySetConfig{URL: "https://auth.example.com/api/v1/auth/jwks"})
	if err != nil {
		panic(err)
	}
	validator, err := clientauth.NewTokenValidator(clientauth.ValidatorConfig{Issuers: []clientauth.TrustedIssuer{{
		Issuer: "https://auth.example.com", Audience: "pico", Algorithms: []string{jose.RS256}, Keys: keys,
	}}})
	if err != nil {
		panic(err)
	}
	auth, err := clientauth.NewAuthenticator(clientauth.AuthenticatorConfig{Validator: validator})
	if err != nil {
		panic(err)
	}
	profile := http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		caller, _ := clientauth.FromContext(r.Context())
		fmt.Fprintln(w, caller.Subject)
	})
	mux := http.NewServeMux()
	mux.Handle("GET /profile", auth.Handler(profile))
	mux.Handle("GET /admin", auth.Handler(clientauth.HasRole("admin").Handler(profile)))

	reply := httptest.NewRecorder()
	mux.ServeHTTP(reply, httptest.NewRequest("GET", "/profile", nil))
	fmt.Println(reply.Code, reply.Header().Get("WWW-Authenticate"))
	// Output: 401 Bearer realm="api"
}

// The module in an fx app of any make, with an echo of its own.
func Example_module() {
	sign, key := exampleIssuer()
	e := echo.New()
	settings := koanf.New(".")
	_ = settings.Load(confmap.Provider(map[string]any{"auth_client.token_cache_size": 100}, "."), nil)

	app := fx.New(
		fx.NopLogger,
		fx.Supply(settings, e, slog.New(slog.DiscardHandler)),
		clientauth.Module,
		// serverauth.Module provides this; without it, set auth_client.issuer and auth_client.audience.
		fx.Supply(&clientauth.LocalIssuer{TrustedIssuer: clientauth.TrustedIssuer{
			Issuer: "https://auth.example.com", Audience: "pico", Algorithms: []string{jose.EdDSA}, Keys: clientauth.NewKeyMap(key),
		}}),
		fx.Invoke(func(e *echo.Echo, policy *clientauth.Policy) {
			hello := func(c echo.Context) error {
				caller, known := clientauth.FromContext(c.Request().Context())
				if !known {
					return c.String(http.StatusOK, "hello, stranger")
				}
				return c.String(http.StatusOK, "hello, "+caller.Subject)
			}
			e.GET("/hello", hello)
			e.GET("/admin", hello, clientauth.RequireRole("admin"))
			policy.AllowAnonymous(e.GET("/", hello))
		}),
	)
	if err := app.Start(context.Background()); err != nil {
		panic(err)
	}
	defer func() { _ = app.Stop(context.Background()) }()

	for _, path := range []string{"/", "/hello", "/admin"} {
		request := httptest.NewRequest("GET", path, nil)
		request.Header.Set("Authorization", "Bearer "+sign("wallet"))
		reply := httptest.NewRecorder()
		e.ServeHTTP(reply, request)
		fmt.Printf("%s %d %q\n", path, reply.Code, reply.Header().Get("WWW-Authenticate"))
	}
	// Output:
	// / 200 ""
	// /hello 200 ""
	// /admin 403 "Bearer realm=\"pico\", error=\"insufficient_scope\", error_description=\"one of these roles is required: admin\""
}

// A handler is tested without any token.
func ExampleNewContext() {
	handler := func(ctx context.Context) string {
		caller, ok := clientauth.FromContext(ctx)
		if !ok {
			return "nobody"
		}
		return caller.Subject
	}
	ctx := clientauth.NewContext(context.Background(), &clientauth.SecurityContext{Subject: "alice", Role: "admin", Roles: []string{"admin"}})
	fmt.Println(handler(ctx), handler(context.Background()))
	// Output: alice nobody
}

func ExampleScopeCovers() {
	fmt.Println(clientauth.ScopeCovers("treasury:*", "treasury:write:opex"))
	fmt.Println(clientauth.ScopeCovers("treasury:read", "treasury:write"))
	// Output:
	// true
	// false
}
