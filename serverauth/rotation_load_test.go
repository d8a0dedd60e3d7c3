package serverauth_test

import (
	"context"
	"net/http"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/labstack/echo/v4"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"go.uber.org/fx"

	"github.com/picoauth/picoauth/app"
	"github.com/picoauth/picoauth/clientauth"
	"github.com/picoauth/picoauth/serverauth/keys"
	"github.com/picoauth/picoauth/testutil"
)

// resourceOf is another service, which knows the issuer by its key set alone.
func resourceOf(t testing.TB, issuerURL func() string, clock *testutil.Clock) string {
	t.Helper()
	// The issuer is restarted on another port: a front that stays passes on to whichever runs.
	front := testutil.NewApp(t, fx.Invoke(func(e *echo.Echo) {
		e.Any("/*", func(c echo.Context) error {
			reply, err := http.Get(issuerURL() + c.Request().URL.String())
			if err != nil {
				return err
			}
			defer reply.Body.Close()
			c.Response().Header().Set("Cache-Control", reply.Header.Get("Cache-Control"))
			return c.Stream(reply.StatusCode, reply.Header.Get("Content-Type"), reply.Body)
		})
	}))
	service := testutil.NewApp(t, testutil.WithClock(clock), clientauth.Module, app.ConfigMap(map[string]any{"auth_client": map[string]any{
		"issuer": "http://localhost:8100", "audience": "pico", "jwks_url": front.URL + "/api/v1/auth/jwks",
		"accepted_algorithms": []string{"EdDSA", "ES256"},
	}}), fx.Invoke(func(e *echo.Echo) {
		e.GET("/api/profile", func(c echo.Context) error { return c.NoContent(http.StatusNoContent) })
	}))
	return service.URL
}

func TestRotationsAndAnAlgorithmChangeUnderLoadFailNoRequest(t *testing.T) {
	clock, backend := testutil.NewClock(time.Now()), newSharedBackend(t)
	start := func(t testing.TB, algorithm string, ring **keys.Ring) *server {
		return startServer(t, map[string]any{
			"algorithm": algorithm, "storage_url": "shared:", "challenge_ttl_seconds": 3600, "rate_limit_per_minute": 0,
		}, backend, testutil.WithClock(clock), populate(ring))
	}
	var ring *keys.Ring
	var current atomic.Pointer[server]
	current.Store(start(t, "EdDSA", &ring))
	service := resourceOf(t, func() string { return current.Load().url }, clock)

	stop := make(chan struct{})
	var requests atomic.Int64
	var signedBy sync.Map // kid
	var load sync.WaitGroup
	for range 4 {
		load.Go(func() {
			wallet := newWallet(t, "Ed25519")
			for {
				select {
				case <-stop:
					return
				default:
				}
				in, err := testutil.SignIn(context.Background(), current.Load().url, wallet)
				if !assert.NoError(t, err) {
					return
				}
				if !assert.NoError(t, testutil.Get(context.Background(), service+"/api/profile", in.AccessToken, nil)) {
					return
				}
				signedBy.Store(jwtPart(t, in.AccessToken, 0)["kid"], true)
				requests.Add(1)
			}
		})
	}
	// pass lets time go by in steps that the load sees.
	pass := func(d time.Duration) {
		for end := clock.Now().Add(d); clock.Now().Before(end); {
			clock.Advance(20 * time.Second)
			require.NoError(t, ring.Tick(context.Background()))
			before := requests.Load()
			for requests.Load() == before && !t.Failed() {
				time.Sleep(time.Millisecond)
			}
		}
	}
	for range 3 {
		_, err := ring.Rotate(context.Background())
		require.NoError(t, err)
		pass(13 * time.Minute)
	}
	current.Store(start(t, "ES256", &ring)) // the one before still answers what is under way
	pass(13 * time.Minute)
	_, err := ring.Rotate(context.Background())
	require.NoError(t, err)
	pass(13 * time.Minute)
	close(stop)
	load.Wait()
	signers := 0
	signedBy.Range(func(any, any) bool { signers++; return true })
	assert.GreaterOrEqual(t, signers, 5, "each rotation brought another key")
	t.Logf("%d sign-ins with a protected request, signed by %d keys", requests.Load(), signers)
}
