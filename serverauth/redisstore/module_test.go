package redisstore_test

import (
	"errors"
	"net/http"
	"slices"
	"testing"
	"time"

	"github.com/labstack/echo/v4"
	"go.uber.org/fx"

	"github.com/picoauth/picoauth/app"
	"github.com/picoauth/picoauth/clientauth"
	"github.com/picoauth/picoauth/serverauth"
	"github.com/picoauth/picoauth/serverauth/redisstore"
	"github.com/picoauth/picoauth/testutil"
	"github.com/picoauth/picoauth/testutil/services"
)

const adminPassword = "correct horse battery staple"

// instance is one of several servers on one Redis, with a route that needs a token.
func instance(t *testing.T, url string) *testutil.App {
	t.Helper()
	return testutil.NewApp(t, serverauth.Module, clientauth.Module, redisstore.Module,
		app.ConfigMap(map[string]any{"server_auth": map[string]any{
			"storage_url": url, "key_encryption_key": encryptionKey, "algorithm": "EdDSA",
			"auto_create_admin": true, "admin_password": adminPassword, "rate_limit_per_minute": 0,
		}}),
		fx.Invoke(func(e *echo.Echo) {
			e.GET("/me", func(c echo.Context) error { return c.NoContent(http.StatusOK) })
		}))
}

func status(err error) int {
	var reply *testutil.StatusError
	switch {
	case err == nil:
		return http.StatusOK
	case errors.As(err, &reply):
		return reply.Status
	default:
		return 0
	}
}

// Two servers are one: a challenge of the one is good at the other, as is a session, and what the one revokes the
// other refuses within 100 ms.
func TestTwoInstances(t *testing.T) {
	url := services.Redis(t).URL()
	a, b := instance(t, url), instance(t, url)
	ctx := t.Context()
	api := func(app *testutil.App, path string) string { return app.URL + serverauth.Prefix + path }

	wallet, err := testutil.NewWallet("Ed25519")
	if err != nil {
		t.Fatal(err)
	}
	var challenge testutil.Challenge
	ask := map[string]string{"address": wallet.Address, "algorithm": wallet.Algorithm}
	if err := testutil.Post(ctx, api(a, "/challenge"), ask, &challenge); err != nil {
		t.Fatal(err)
	}
	request, err := testutil.SignInRequest(wallet, challenge)
	if err != nil {
		t.Fatal(err)
	}
	var in testutil.SignedIn
	if err := testutil.Post(ctx, api(b, "/sign-in"), request, &in); err != nil {
		t.Fatal(err)
	}
	if got := status(testutil.Post(ctx, api(a, "/sign-in"), request, nil)); got != http.StatusUnauthorized {
		t.Errorf("a spent challenge: %d", got)
	}
	var first, second serverauth.Tokens
	refresh := map[string]string{"refresh_token": in.RefreshToken}
	if err := errors.Join(testutil.Post(ctx, api(a, "/refresh"), refresh, &first), testutil.Post(ctx, api(b, "/refresh"), refresh, &second)); err != nil {
		t.Fatal(err)
	}
	if first.RefreshToken != second.RefreshToken {
		t.Error("one refresh token became two")
	}
	var admin serverauth.Tokens
	login := map[string]string{"email": "admin@pico.local", "password": adminPassword}
	if err := testutil.Post(ctx, api(a, "/login"), login, &admin); err != nil {
		t.Fatal(err)
	}
	me := func(token string) int { return status(testutil.Get(ctx, b.URL+"/me", token, nil)) }
	if got := me(first.AccessToken); got != http.StatusOK {
		t.Fatalf("a valid token: %d", got)
	}
	revokeSubject := func() error {
		return testutil.PostAs(ctx, api(a, "/revoke"), admin.AccessToken, map[string]string{"sub": wallet.Address}, nil)
	}
	refused(t, revokeSubject, func() bool { return me(first.AccessToken) == http.StatusUnauthorized })
	if got := status(testutil.Post(ctx, api(b, "/refresh"), map[string]string{"refresh_token": first.RefreshToken}, nil)); got != http.StatusUnauthorized {
		t.Errorf("a revoked session is refreshed: %d", got)
	}
	took := make([]time.Duration, 5)
	for i := range took {
		in, err := testutil.SignIn(ctx, b.URL, wallet)
		if err != nil {
			t.Fatal(err)
		}
		logout := func() error {
			return testutil.Post(ctx, api(a, "/logout"), map[string]string{"refresh_token": in.RefreshToken}, nil)
		}
		took[i] = refused(t, logout, func() bool { return me(in.AccessToken) == http.StatusUnauthorized })
	}
	slices.Sort(took)
	t.Logf("refused %s after the reply", took)
	if median := took[len(took)/2]; median > 100*time.Millisecond {
		t.Errorf("a revoked token is accepted for %s", median)
	}
	if got := status(testutil.Get(ctx, b.URL+"/readyz", "", nil)); got != http.StatusOK {
		t.Errorf("/readyz: %d", got)
	}
}

// refused returns for how long after the reply to its revocation the other server accepts a token.
func refused(t *testing.T, revoke func() error, isRefused func() bool) time.Duration {
	t.Helper()
	if err := revoke(); err != nil {
		t.Fatal(err)
	}
	began := time.Now()
	for !isRefused() {
		if time.Since(began) > 5*time.Second {
			t.Fatal("a revoked token is accepted")
		}
	}
	return time.Since(began)
}

// While Redis is away sign-ins are answered with 503 and /readyz is red; when it is back both recover by themselves.
func TestInstanceOutage(t *testing.T) {
	server := services.Redis(t)
	a := instance(t, server.URL())
	ctx := t.Context()
	wallet, err := testutil.NewWallet("Ed25519")
	if err != nil {
		t.Fatal(err)
	}
	signIn := func() int {
		_, err := testutil.SignIn(ctx, a.URL, wallet)
		return status(err)
	}
	ready := func() int { return status(testutil.Get(ctx, a.URL+"/readyz", "", nil)) }
	becomes := func(what string, want int, get func() int) {
		t.Helper()
		for began := time.Now(); get() != want; {
			if time.Since(began) > 20*time.Second {
				t.Fatalf("%s is %d and does not become %d", what, get(), want)
			}
		}
	}
	if got := signIn(); got != http.StatusOK {
		t.Fatalf("sign-in: %d", got)
	}
	server.Kill(t)
	if got := signIn(); got != http.StatusServiceUnavailable {
		t.Errorf("sign-in without Redis: %d", got)
	}
	becomes("/readyz", http.StatusServiceUnavailable, ready)
	server.Start(t)
	becomes("sign-in", http.StatusOK, signIn)
	becomes("/readyz", http.StatusOK, ready)
}

// The storage is emptied, and one of two servers is restarted: the other one goes by the new secrets and keys within
// seconds, so that whatever the one issues is good at the other.
func TestEmptiedStorage(t *testing.T) {
	url := services.Redis(t).URL()
	a := instance(t, url)
	ctx := t.Context()
	login := func(app *testutil.App) (tokens serverauth.Tokens, err error) {
		credentials := map[string]string{"email": "admin@pico.local", "password": adminPassword}
		return tokens, testutil.Post(ctx, app.URL+serverauth.Prefix+"/login", credentials, &tokens)
	}
	if _, err := login(a); err != nil {
		t.Fatal(err)
	}
	if err := client(t, url).FlushAll(ctx).Err(); err != nil {
		t.Fatal(err)
	}
	b := instance(t, url)
	deadline := time.Now().Add(10 * time.Second)
	both := func() error {
		for _, pair := range [][2]*testutil.App{{a, b}, {b, a}} {
			tokens, err := login(pair[0])
			if err != nil {
				return err
			}
			refresh := map[string]string{"refresh_token": tokens.RefreshToken}
			if err := testutil.Post(ctx, pair[1].URL+serverauth.Prefix+"/refresh", refresh, &tokens); err != nil {
				return err
			}
			wallet, err := testutil.NewWallet("Ed25519")
			if err != nil {
				return err
			}
			var challenge testutil.Challenge
			ask := map[string]string{"address": wallet.Address, "algorithm": wallet.Algorithm}
			if err := testutil.Post(ctx, pair[0].URL+serverauth.Prefix+"/challenge", ask, &challenge); err != nil {
				return err
			}
			request, err := testutil.SignInRequest(wallet, challenge)
			if err != nil {
				return err
			}
			if err := testutil.Post(ctx, pair[1].URL+serverauth.Prefix+"/sign-in", request, nil); err != nil {
				return err
			}
		}
		return nil
	}
	err := both()
	for ; err != nil && time.Now().Before(deadline); err = both() {
		time.Sleep(100 * time.Millisecond)
	}
	for range 10 {
		if err == nil {
			err = both()
		}
	}
	if err != nil {
		t.Error(err)
	}
}
