package serverauth_test

import (
	"cmp"
	"fmt"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/labstack/echo/v4"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/picoauth/picoauth/app"
	"github.com/picoauth/picoauth/serverauth"
	"github.com/picoauth/picoauth/testutil"
)

// limited is a server that counts, with a clock that stands still.
type limited struct {
	t     *testing.T
	echo  *echo.Echo
	clock *testutil.Clock
	admin string

	method string // of the calls; empty: POST
	body   string // of the calls; empty: an empty object
}

func startLimited(t *testing.T, settings, appSettings map[string]any) *limited {
	t.Helper()
	l := &limited{t: t, clock: testutil.NewClock(time.Now())}
	all := map[string]any{"auto_create_admin": true, "admin_password": "correct horse", "fleet_mint_secret": fleetSecret, "rate_limit_per_minute": 120}
	for name, value := range settings {
		all[name] = value
	}
	s := startServer(t, all, testutil.WithClock(l.clock), populate(&l.echo), app.ConfigMap(map[string]any{"app": appSettings}))
	l.admin = s.post("/login", map[string]any{"email": "admin@pico.local", "password": "correct horse"}).tokens(t).Access
	return l
}

func (l *limited) login(client string) tokens {
	l.t.Helper()
	l.body = `{"email":"admin@pico.local","password":"correct horse"}`
	defer func() { l.body = "" }()
	return l.call("/login", client).tokens(l.t)
}

// call sends a request from an address, with further headers as pairs.
func (l *limited) call(path, client string, header ...string) reply {
	request := httptest.NewRequest(cmp.Or(l.method, http.MethodPost), serverauth.Prefix+path, strings.NewReader(cmp.Or(l.body, "{}")))
	request.Header.Set("Content-Type", "application/json")
	request.RemoteAddr = client
	for i := 0; i < len(header); i += 2 {
		request.Header.Add(header[i], header[i+1])
	}
	recorder := httptest.NewRecorder()
	l.echo.ServeHTTP(recorder, request)
	return reply{recorder.Code, recorder.Header(), recorder.Body.Bytes()}
}

// passes counts how many of n calls are not refused with 429.
func (l *limited) passes(n int, path, client string, header ...string) (passed int) {
	l.t.Helper()
	for range n {
		if got := l.call(path, client, header...); got.status != http.StatusTooManyRequests {
			require.Less(l.t, got.status, 500)
			passed++
		}
	}
	return passed
}

var limitedPaths = []string{"/challenge", "/sign-in", "/login", "/refresh", "/logout", "/fleet/sessions"}

func TestTheRateIsABurstAndARefill(t *testing.T) {
	for _, perMinute := range []int{1, 7, 120} {
		l := startLimited(t, map[string]any{"rate_limit_per_minute": perMinute}, nil)
		for _, path := range limitedPaths {
			assert.Equal(t, perMinute, l.passes(perMinute+5, path, "192.0.2.1:1"), "%s: the burst", path)
		}
		step := time.Minute / time.Duration(perMinute)
		for _, path := range limitedPaths {
			refused := l.call(path, "192.0.2.1:1")
			refused.problem(t, http.StatusTooManyRequests, "too many requests")
			assert.Equal(t, fmt.Sprint(int((step+time.Second-1)/time.Second)), refused.header.Get("Retry-After"))
			assert.Equal(t, "no-store", refused.header.Get("Cache-Control"))
		}
		l.clock.Advance(step - time.Millisecond)
		assert.Zero(t, l.passes(3, "/challenge", "192.0.2.1:1"))
		l.clock.Advance(time.Millisecond)
		assert.Equal(t, 1, l.passes(3, "/challenge", "192.0.2.1:1"), "one has come back")
		l.clock.Advance(3 * step)
		assert.Equal(t, min(3, perMinute), l.passes(perMinute+5, "/challenge", "192.0.2.1:1"))
		l.clock.Advance(time.Hour)
		assert.Equal(t, perMinute, l.passes(perMinute+5, "/challenge", "192.0.2.1:1"), "never more than the burst")
	}
}

func TestEachEndpointAndEachClientHasItsOwnBucket(t *testing.T) {
	l := startLimited(t, nil, nil)
	require.Equal(t, 120, l.passes(130, "/challenge", "192.0.2.1:1"))
	assert.Zero(t, l.passes(5, "/challenge", "192.0.2.1:65535"), "the port is not the client")
	assert.Zero(t, l.passes(5, "/challenge", "[::ffff:192.0.2.1]:1"), "the same address in IPv6")
	assert.Equal(t, 120, l.passes(130, "/refresh", "192.0.2.1:1"), "another endpoint")
	assert.Equal(t, 120, l.passes(130, "/challenge", "192.0.2.2:1"), "another client")

	require.Equal(t, 120, l.passes(130, "/challenge", "[2001:db8:1:2::1]:1"))
	assert.Zero(t, l.passes(5, "/challenge", "[2001:db8:1:2:ffff:ffff:ffff:ffff]:1"), "the same /64")
	assert.Zero(t, l.passes(5, "/challenge", "[2001:db8:1:2::1%eth0]:1"), "the same with a zone")
	assert.Equal(t, 120, l.passes(130, "/challenge", "[2001:db8:1:3::1]:1"), "another /64")
}

func TestNothingElseIsLimited(t *testing.T) {
	l := startLimited(t, map[string]any{"rate_limit_per_minute": 1}, nil)
	for _, path := range []string{"/revoke", "/keys/nonsense/compromised", "/introspect"} {
		assert.Equal(t, 20, l.passes(20, path, "192.0.2.1:1", bearer(l.admin)...), path)
	}
	off := startLimited(t, map[string]any{"rate_limit_per_minute": 0}, nil)
	for _, path := range limitedPaths {
		assert.Equal(t, 1000, off.passes(1000, path, "192.0.2.1:1"), "0 is off")
	}
}

// TestWrongFleetSecretsKeepNobodyOut guesses from the address that the secret's holder is behind, too.
func TestWrongFleetSecretsKeepNobodyOut(t *testing.T) {
	const shared = "192.0.2.1:1"
	for _, endpoint := range []struct{ method, path string }{
		{http.MethodPost, "/introspect"}, {http.MethodGet, "/revoked-jtis"}, {http.MethodPost, "/fleet/sessions"},
	} {
		t.Run(endpoint.path, func(t *testing.T) {
			l := startLimited(t, nil, nil)
			l.method = endpoint.method
			passes := func(n int, secret string) int { return l.passes(n, endpoint.path, shared, "X-Fleet-Secret", secret) }
			l.call(endpoint.path, shared, "X-Fleet-Secret", "wrong").problem(t, 401, "invalid X-Fleet-Secret")
			assert.Equal(t, 119, passes(130, "wrong"), "wrong ones count")
			for range 60 {
				assert.Equal(t, 2, passes(2, fleetSecret), "the right one is never refused for them")
				assert.Zero(t, passes(2, "wrong"))
				assert.Zero(t, passes(1, fleetSecret+"x"))
			}
			assert.NotEqual(t, http.StatusUnauthorized, l.call(endpoint.path, "192.0.2.2:1", "X-Fleet-Secret", fleetSecret).status)
		})
	}
	l := startLimited(t, nil, nil)
	assert.Equal(t, 1000, l.passes(1000, "/introspect", shared, "X-Fleet-Secret", fleetSecret), "the right one does not count")
	assert.Equal(t, 120, l.passes(130, "/introspect", shared, "X-Fleet-Secret", "wrong"))
	assert.Equal(t, 5, l.passes(5, "/introspect", shared, bearer(l.admin)...), "a token needs no secret")
}

func TestAnUnsetFleetSecretMatchesNothing(t *testing.T) {
	l := startLimited(t, map[string]any{"fleet_mint_secret": ""}, nil)
	for _, secret := range []string{"", "wrong"} {
		l.call("/fleet/sessions", "192.0.2.1:1", "X-Fleet-Secret", secret).problem(t, 404, "fleet sessions are not configured")
	}
	assert.Equal(t, 118, l.passes(130, "/fleet/sessions", "192.0.2.1:1"), "guesses count all the same")
	l.call("/introspect", "192.0.2.1:1", "X-Fleet-Secret", "wrong").problem(t, 401, "invalid X-Fleet-Secret")
}

// TestRefreshesCountBySession has people share an address with each other and with somebody who sends garbage.
func TestRefreshesCountBySession(t *testing.T) {
	const shared = "192.0.2.1:1"
	l := startLimited(t, map[string]any{"rate_limit_per_minute": 5, "algorithm": "EdDSA"}, nil)
	garbage := func(n int) int { return l.passes(n, "/refresh", shared) }
	refreshes := func(n int, token *string, client string) (passed int) {
		for range n {
			l.body = `{"refresh_token":"` + *token + `"}`
			got := l.call("/refresh", client)
			if got.status == http.StatusOK {
				*token = got.tokens(t).Refresh
				passed++
				continue
			}
			got.problem(t, http.StatusTooManyRequests, "too many requests")
		}
		l.body = ""
		return passed
	}
	assert.Equal(t, 5, garbage(10), "what is no refresh token counts by the address")
	sessions := make([]string, 3)
	for i := range sessions {
		sessions[i] = l.login("198.51.100.7:1").Refresh
	}
	for i := range sessions {
		assert.Equal(t, 5, refreshes(10, &sessions[i], shared), "each session, although the address has nothing left")
		assert.Zero(t, refreshes(2, &sessions[i], "203.0.113.1:1"), "the same session from elsewhere")
	}
	assert.Zero(t, garbage(3))
	l.clock.Advance(12 * time.Second)
	assert.Equal(t, 1, refreshes(5, &sessions[0], shared))
	assert.Equal(t, 1, garbage(5))

	l.clock.Advance(8 * 24 * time.Hour)
	l.body = `{"refresh_token":"` + sessions[1] + `"}`
	for range 5 {
		l.call("/refresh", shared).problem(t, http.StatusUnauthorized, "refresh expired")
	}
	assert.Zero(t, l.passes(3, "/refresh", shared), "an expired one counts by its session too")
	l.body = ""
	assert.Equal(t, 5, garbage(10))
}

func TestForwardedAddressesAreBelievedOfTrustedProxiesOnly(t *testing.T) {
	const proxy, stranger = "10.1.2.3:1", "192.0.2.9:1"
	from := func(address string) []string { return []string{"X-Forwarded-For", address} }
	t.Run("none is trusted", func(t *testing.T) {
		l := startLimited(t, nil, nil)
		for i := range 120 {
			l.call("/challenge", stranger, "X-Forwarded-For", fmt.Sprintf("198.51.100.%d", i), "X-Real-Ip", fmt.Sprintf("198.51.100.%d", i), "Forwarded", "for=198.51.100.1")
		}
		assert.Zero(t, l.passes(5, "/challenge", stranger, from("203.0.113.1")...))
		assert.Zero(t, l.passes(5, "/challenge", stranger))
	})
	l := startLimited(t, nil, map[string]any{"trusted_proxies": []string{"10.0.0.0/8", "2001:db8:ffff::1"}})
	t.Run("a stranger's header", func(t *testing.T) {
		require.Equal(t, 120, l.passes(130, "/challenge", stranger, from("198.51.100.1")...))
		assert.Zero(t, l.passes(5, "/challenge", stranger, from("198.51.100.2")...))
	})
	t.Run("a proxy's header", func(t *testing.T) {
		require.Equal(t, 120, l.passes(130, "/challenge", proxy, from("198.51.100.10")...))
		assert.Zero(t, l.passes(5, "/challenge", "10.9.9.9:7", from("198.51.100.10")...), "by another proxy")
		assert.Zero(t, l.passes(5, "/challenge", "[2001:db8:ffff::1]:7", from("198.51.100.10")...), "by one of IPv6")
		assert.Equal(t, 5, l.passes(5, "/challenge", proxy, from("198.51.100.11")...), "another client")
	})
	t.Run("what the client wrote before the proxy", func(t *testing.T) {
		for i := range 120 {
			l.call("/challenge", proxy, from(fmt.Sprintf("203.0.113.%d, 198.51.100.20", i))...)
		}
		assert.Zero(t, l.passes(5, "/challenge", proxy, from("203.0.113.200, 198.51.100.20")...))
		assert.Zero(t, l.passes(5, "/challenge", proxy, from("garbage, 198.51.100.20, 10.0.0.7")...), "through two proxies")
		assert.Zero(t, l.passes(5, "/challenge", proxy, "X-Forwarded-For", "203.0.113.201", "X-Forwarded-For", "198.51.100.20"), "in two headers")
	})
}

func TestTheBurstHoldsUnderLoad(t *testing.T) {
	l := startLimited(t, nil, nil)
	var passed atomic.Int32
	var wg sync.WaitGroup
	for range 16 {
		wg.Go(func() {
			for range 50 {
				if l.call("/refresh", "192.0.2.1:1").status != http.StatusTooManyRequests {
					passed.Add(1)
				}
			}
		})
	}
	wg.Wait()
	assert.EqualValues(t, 120, passed.Load())
}
