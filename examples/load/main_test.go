package main

import (
	"bytes"
	"context"
	"flag"
	"math/rand/v2"
	"net/http"
	"os"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/labstack/echo/v4"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"go.uber.org/fx"

	"github.com/picoauth/picoauth/app"
	"github.com/picoauth/picoauth/clientauth"
	"github.com/picoauth/picoauth/serverauth"
	"github.com/picoauth/picoauth/testutil"
)

// TestMain lets the test be the baseline's process too.
func TestMain(m *testing.M) {
	if slices.Contains(os.Args, "--serve-baseline") {
		main()
		return
	}
	os.Exit(m.Run())
}

// newServer runs an app with the auth server and a protected route.
func newServer(t *testing.T, settings map[string]any) *testutil.App {
	t.Helper()
	return testutil.NewApp(t, app.ConfigMap(map[string]any{"server_auth": settings}), serverauth.Module, clientauth.Module,
		fx.Invoke(func(e *echo.Echo) {
			e.GET("/api/profile", func(c echo.Context) error { return c.JSON(http.StatusOK, map[string]string{}) })
		}))
}

func unlimited(algorithm string) map[string]any {
	return map[string]any{"rate_limit_per_minute": 0, "algorithm": algorithm,
		"supported_wallet_algorithms": []string{"ML-DSA-44", "ML-DSA-65", "ML-DSA-87", "Ed25519", "secp256k1", "eip191"}}
}

func TestEveryModeWithABaseline(t *testing.T) {
	server := newServer(t, unlimited("EdDSA"))
	for _, mode := range modes() {
		t.Run(mode, func(t *testing.T) {
			var out, progress bytes.Buffer
			cfg := config{url: server.URL, mode: mode, algorithm: "Ed25519", path: "/api/profile", connections: 2,
				duration: 250 * time.Millisecond, baseline: true}
			require.NoError(t, run(t.Context(), cfg, &out, &progress))
			assert.Regexp(t, `server +\d+/s +\S+s +\S+s +0\n`, out.String())
			assert.Regexp(t, `baseline +\d+/s +\S+s +\S+s +0\n`, out.String())
			assert.Regexp(t, `ratio +\d+\.\d\d\n`, out.String())
			assert.Contains(t, out.String(), "--mode "+mode)
			assert.Contains(t, progress.String(), "\r")
			assert.NotContains(t, strings.TrimSpace(progress.String()), "\n", "one line")
		})
	}
}

func TestEveryAlgorithmWithABaseline(t *testing.T) {
	servers := map[string]string{}
	for _, signing := range []string{"EdDSA", "ES256", "RS256", "ML-DSA-65"} {
		servers[signing] = newServer(t, unlimited(signing)).URL
	}
	check := func(t *testing.T, url, wallet string) {
		var out bytes.Buffer
		cfg := config{url: url, mode: modeSignIn, algorithm: wallet, path: "/api/profile", connections: 1,
			duration: 50 * time.Millisecond, baseline: true}
		require.NoError(t, run(t.Context(), cfg, &out, new(bytes.Buffer)))
		assert.NotContains(t, out.String(), "first error")
	}
	for signing, url := range servers {
		t.Run(signing, func(t *testing.T) { check(t, url, "Ed25519") })
	}
	for _, wallet := range testutil.WalletAlgorithms() {
		t.Run(wallet, func(t *testing.T) { check(t, servers["EdDSA"], wallet) })
	}
}

func TestWhatThePersonMustKnow(t *testing.T) {
	ready := config{mode: modeSignIn, algorithm: "Ed25519", path: "/api/profile", connections: 2, duration: time.Second}
	t.Run("no server", func(t *testing.T) {
		cfg := ready
		cfg.url = "http://127.0.0.1:1"
		assert.ErrorContains(t, run(t.Context(), cfg, new(bytes.Buffer), new(bytes.Buffer)), "no auth server at http://127.0.0.1:1")
	})
	t.Run("a rate limit", func(t *testing.T) {
		cfg := ready
		cfg.url = newServer(t, map[string]any{"rate_limit_per_minute": 1, "algorithm": "EdDSA"}).URL
		assert.ErrorContains(t, run(t.Context(), cfg, new(bytes.Buffer), new(bytes.Buffer)), "SERVER_AUTH__RATE_LIMIT_PER_MINUTE=0")
	})
	t.Run("no protected route", func(t *testing.T) {
		cfg := ready
		cfg.url, cfg.mode, cfg.path = newServer(t, unlimited("EdDSA")).URL, modeProtected, "/none"
		assert.ErrorContains(t, run(t.Context(), cfg, new(bytes.Buffer), new(bytes.Buffer)), "has no route /none")
	})
	t.Run("errors under load", func(t *testing.T) {
		cfg := ready
		cfg.duration = 300 * time.Millisecond
		cfg.url = newServer(t, map[string]any{"rate_limit_per_minute": 3, "algorithm": "EdDSA"}).URL
		var out bytes.Buffer
		require.NoError(t, run(t.Context(), cfg, &out, new(bytes.Buffer)))
		assert.Contains(t, out.String(), "first error of the server: status 429")
	})
	t.Run("interrupted", func(t *testing.T) {
		cfg := ready
		cfg.url, cfg.duration = newServer(t, unlimited("EdDSA")).URL, time.Hour
		ctx, cancel := context.WithTimeout(t.Context(), 500*time.Millisecond)
		defer cancel()
		var out bytes.Buffer
		require.NoError(t, run(ctx, cfg, &out, new(bytes.Buffer)))
		assert.Contains(t, out.String(), "throughput")
	})
}

func TestOpenLoop(t *testing.T) {
	cfg := config{url: newServer(t, unlimited("EdDSA")).URL, mode: modeSignIn, algorithm: "Ed25519", path: "/api/profile",
		connections: 4, duration: 500 * time.Millisecond, rate: 200, addresses: 40}
	var out bytes.Buffer
	require.NoError(t, openLoad(t.Context(), cfg, &out, new(bytes.Buffer)))
	assert.Regexp(t, `best rate +[1-9]\d*/s`, out.String())
	assert.Regexp(t, `sent +[1-9]\d*/s`, out.String())
	assert.Regexp(t, `served +[1-9]\d*/s`, out.String())
	assert.Regexp(t, `failed +0\n`, out.String())
	assert.Regexp(t, `memory +[1-9]\d* MB`, out.String())
	for _, path := range []string{"/healthz", "/api/v1/auth/jwks", "/api/profile"} {
		assert.Regexp(t, path+` +[1-9]\d* replies .* 0 failed`, out.String())
	}
	assert.Contains(t, out.String(), "--rate 200 --addresses 40")
}

func TestOpenLoopClients(t *testing.T) {
	o := openLoop{cfg: config{addresses: 17}}
	first := o.nextAddress()
	seen := map[string]bool{first: true}
	for range 16 {
		seen[o.nextAddress()] = true
	}
	assert.Len(t, seen, 17)
	assert.Equal(t, first, o.nextAddress(), "then they come again")
	assert.Equal(t, "2001:db8:0:0::1", first)
	assert.Empty(t, (&openLoop{}).nextAddress())
}

func TestFlags(t *testing.T) {
	cfg, serve, err := readFlags([]string{"--url", "http://host/", "--mode", "mix", "--duration", "3s", "--connections", "5", "--algorithm", "eip191"}, new(bytes.Buffer))
	require.NoError(t, err)
	assert.False(t, serve)
	assert.Equal(t, config{url: "http://host", mode: "mix", algorithm: "eip191", path: "/api/profile", connections: 5, duration: 3 * time.Second}, cfg)
	for _, wrong := range [][]string{{"--mode", "x"}, {"--algorithm", "x"}, {"--connections", "0"}, {"--duration", "-1s"}, {"rest"}, {"--unknown"},
		{"--rate", "-1"}, {"--addresses", "5"}, {"--rate", "5", "--mode", "refresh"}, {"--rate", "5", "--baseline"}, {"--rate", "5", "--url", "https://host"}} {
		_, _, err := readFlags(wrong, new(bytes.Buffer))
		assert.Error(t, err, "%v", wrong)
	}
	var help bytes.Buffer
	_, _, err = readFlags([]string{"--help"}, &help)
	assert.ErrorIs(t, err, flag.ErrHelp)
	for _, name := range []string{"-url", "-connections", "-duration", "-mode", "-algorithm", "-baseline", "-rate", "-addresses"} {
		assert.Contains(t, help.String(), name)
	}
}

func TestHistogram(t *testing.T) {
	var h histogram
	assert.Zero(t, h.quantile(.5))
	random := rand.New(rand.NewPCG(1, 2))
	var exact []time.Duration
	for range 10_000 {
		latency := time.Duration(random.ExpFloat64() * float64(time.Millisecond))
		h.add(latency)
		exact = append(exact, latency)
	}
	slices.Sort(exact)
	for _, share := range []float64{0, .5, .9, .99, .999} {
		want := exact[int(share*10_000)]
		assert.InEpsilon(t, float64(want), float64(h.quantile(share)), .07, "%v", share)
	}
	for _, latency := range []time.Duration{0, 1, 31, 32, 1 << 40, 1<<63 - 1} {
		edge := upperEdge(bucketOf(uint64(max(latency, 1))))
		assert.GreaterOrEqual(t, edge, latency)
	}
}
