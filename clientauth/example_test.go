package clientauth_test

import (
	"context"
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
		return s.Token(claims(object{"role": role, "iat": time.Now().Unix(), "nbf": nil, "exp": time.Now().Add(time.Minute).Unix()}))
	}, s.Key
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
