package testutil_test

import (
	"context"
	"fmt"
	"net/http"
	"net/http/httptest"
	"testing"
	"time"

	"github.com/labstack/echo/v4"
	"go.uber.org/fx"

	"github.com/picoauth/picoauth/app"
	"github.com/picoauth/picoauth/clientauth"
	"github.com/picoauth/picoauth/clientauth/jose"
	"github.com/picoauth/picoauth/serverauth"
	"github.com/picoauth/picoauth/testutil"
)

// exampleT is the t of the examples, which have none.
type exampleT struct {
	testing.TB
	cleanups []func()
}

func (t *exampleT) Helper()                   {}
func (t *exampleT) Cleanup(f func())          { t.cleanups = append(t.cleanups, f) }
func (t *exampleT) Fatalf(f string, a ...any) { panic(fmt.Sprintf(f, a...)) }
func (t *exampleT) Errorf(f string, a ...any) { panic(fmt.Sprintf(f, a...)) }
func (t *exampleT) end() {
	for i := range t.cleanups {
		t.cleanups[len(t.cleanups)-1-i]()
	}
}

// newService is a net/http service under test: it says who calls.
func newService(issuer clientauth.TrustedIssuer) http.Handler {
	validator, err := clientauth.NewTokenValidator(clientauth.ValidatorConfig{Issuers: []clientauth.TrustedIssuer{issuer}})
	if err != nil {
		panic(err)
	}
	auth, err := clientauth.NewAuthenticator(clientauth.AuthenticatorConfig{Validator: validator})
	if err != nil {
		panic(err)
	}
	return auth.Handler(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		caller, _ := clientauth.FromContext(r.Context())
		fmt.Fprintf(w, "%s, %s", caller.Subject, caller.Role)
	}))
}

// call returns the status and the body of an answer to a request with a token.
func call(service http.Handler, token string) (int, string) {
	request := httptest.NewRequest(http.MethodGet, "/", nil)
	request.Header.Set("Authorization", "Bearer "+token)
	reply := httptest.NewRecorder()
	service.ServeHTTP(reply, request)
	return reply.Code, reply.Body.String()
}

// A service is tested with tokens that are good, and with every kind that it has to refuse.
func ExampleNewIssuer() {
	t := &exampleT{} // in a test: its *testing.T
	defer t.end()
	issuer := testutil.NewIssuer(t, testutil.IssuerConfig{Algorithms: []string{jose.ES256}})
	service := newService(issuer.TrustedIssuer())

	fmt.Println(call(service, issuer.Mint(testutil.Token{Role: "editor"})))
	for _, flaw := range testutil.Flaws() {
		if status, _ := call(service, issuer.Mint(testutil.Token{Flaw: flaw})); status != http.StatusUnauthorized {
			t.Errorf("%s: status %d", flaw, status)
		}
	}
	// Output: 200 alice, editor
}

// An app of clientauth.Module trusts the issuer by its configuration.
func ExampleWithIssuer() {
	t := &exampleT{}
	defer t.end()
	issuer := testutil.NewIssuer(t, testutil.IssuerConfig{})
	running := testutil.NewApp(t, clientauth.Module, testutil.WithIssuer(issuer), fx.Invoke(func(e *echo.Echo) {
		e.GET("/me", func(c echo.Context) error {
			caller, _ := clientauth.FromContext(c.Request().Context())
			return c.JSON(http.StatusOK, caller.Subject)
		})
	}))
	var subject string
	err := testutil.Get(context.Background(), running.URL+"/me", issuer.Mint(testutil.Token{Subject: "bob"}), &subject)
	fmt.Println(subject, err)
	// Output: bob <nil>
}

// What a service does while its issuer is down.
func ExampleEndpoint_Break() {
	t := &exampleT{}
	defer t.end()
	clock := testutil.NewClock(time.Date(2026, 5, 17, 12, 0, 0, 0, time.UTC))
	issuer := testutil.NewIssuer(t, testutil.IssuerConfig{Algorithms: []string{jose.EdDSA}, Clock: clock.Now})
	trusted := issuer.TrustedIssuer()
	ask := func() error {
		_, err := trusted.Keys.Key(context.Background(), issuer.KeyID(""), jose.EdDSA)
		return err
	}
	issuer.JWKS.Break(testutil.Outage())
	fmt.Println(ask() != nil, issuer.JWKS.Requests())
	issuer.JWKS.Heal()
	clock.Advance(time.Second)
	fmt.Println(ask(), issuer.JWKS.Requests())
	// Output:
	// true 1
	// <nil> 2
}

// A revoked token is refused when the service has asked for the denylist again, after 15 seconds at the latest.
func ExampleIssuer_RevokeToken() {
	t := &exampleT{}
	defer t.end()
	clock := testutil.NewClock(time.Date(2026, 5, 17, 12, 0, 0, 0, time.UTC))
	issuer := testutil.NewIssuer(t, testutil.IssuerConfig{Clock: clock.Now})
	validator, err := clientauth.NewTokenValidator(clientauth.ValidatorConfig{
		Issuers: []clientauth.TrustedIssuer{issuer.TrustedIssuer()}, Clock: clock.Now})
	if err != nil {
		panic(err)
	}
	token := issuer.Mint(testutil.Token{})
	_, err = validator.Validate(context.Background(), token)
	fmt.Println(err)
	issuer.RevokeToken(token)
	clock.Advance(15 * time.Second)
	_, err = validator.Validate(context.Background(), token)
	fmt.Println(err)
	// Output:
	// <nil>
	// clientauth: the token was revoked
}

// A handler is tested without a token and without a server.
func ExampleAuthenticated() {
	dashboard := clientauth.HasRole("admin").Handler(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		caller, _ := clientauth.FromContext(r.Context())
		fmt.Fprint(w, "welcome, ", caller.Subject)
	}))
	for _, role := range []string{"admin", "user"} {
		request := httptest.NewRequest(http.MethodGet, "/dashboard", nil)
		ctx := testutil.Authenticated(request.Context(), clientauth.SecurityContext{Subject: "root", Role: role})
		reply := httptest.NewRecorder()
		dashboard.ServeHTTP(reply, request.WithContext(ctx))
		fmt.Println(reply.Code)
	}
	// Output:
	// 200
	// 403
}

// The agent that acts stands beside the service that calls.
func ExampleAuthenticatedAgent() {
	ctx := testutil.Authenticated(context.Background(), clientauth.SecurityContext{Role: "service"})
	ctx = testutil.AuthenticatedAgent(ctx, clientauth.AgentContext{TaskType: "payment", Scopes: []string{"treasury:*"}})
	fmt.Println(clientauth.HasScope("treasury:write:opex")(ctx), clientauth.HasScope("payroll:read")(ctx) != nil)
	// Output: <nil> true
}

// The whole system in one process, and a wallet that signs in.
func ExampleNewApp() {
	t := &exampleT{}
	defer t.end()
	running := testutil.NewApp(t, serverauth.Module, clientauth.Module,
		app.ConfigMap(map[string]any{"server_auth.algorithm": "EdDSA"}),
		fx.Invoke(func(e *echo.Echo) {
			e.GET("/me", func(c echo.Context) error {
				caller, _ := clientauth.FromContext(c.Request().Context())
				return c.JSON(http.StatusOK, map[string]string{"subject": caller.Subject, "role": caller.Role})
			})
		}))
	wallet, err := testutil.NewWallet("Ed25519")
	if err != nil {
		panic(err)
	}
	in, err := testutil.SignIn(context.Background(), running.URL, wallet)
	if err != nil {
		panic(err)
	}
	var me map[string]string
	err = testutil.Get(context.Background(), running.URL+"/me", in.AccessToken, &me)
	fmt.Println(me["subject"] == wallet.Address, me["role"], err)
	// Output: true wallet <nil>
}
