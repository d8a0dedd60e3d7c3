package examples_test

import (
	"encoding/json"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/picoauth/picoauth/testutil"
)

// walletlogin runs the client and returns what it prints.
func walletlogin(t *testing.T, arguments ...string) (out string, err error) {
	t.Helper()
	require.NoError(t, build())
	text, err := exec.Command(filepath.Join(programFolder, "walletlogin"), arguments...).CombinedOutput()
	return string(text), err
}

// printedClaims reads the claims that stand below a heading.
func printedClaims(t *testing.T, out, heading string) map[string]any {
	t.Helper()
	_, rest, found := strings.Cut(out, heading+"\n")
	require.True(t, found, out)
	var claims map[string]any
	require.NoError(t, json.NewDecoder(strings.NewReader(rest)).Decode(&claims), out)
	return claims
}

func TestStandaloneSignsInEveryWallet(t *testing.T) {
	issuer := serve(t, "standalone", issuerSettings(freePort(t), "",
		"SERVER_AUTH__SUPPORTED_WALLET_ALGORITHMS=ML-DSA-44, ML-DSA-65, ML-DSA-87, Ed25519, secp256k1, eip191")...)
	for _, algorithm := range testutil.WalletAlgorithms() {
		t.Run(algorithm, func(t *testing.T) {
			out, err := walletlogin(t, "--url", issuer.url+"/", "--algorithm", algorithm)
			require.NoError(t, err, out)
			access, refresh := printedClaims(t, out, "access token claims"), printedClaims(t, out, "refresh token claims")
			for name, want := range map[string]any{"iss": issuer.url, "aud": "pico", "role": "wallet", "sub": access["wallet_address"]} {
				assert.Equal(t, want, access[name], name)
			}
			assert.Contains(t, out, "signed in as   "+access["sub"].(string)+"\n")
			assert.Equal(t, "refresh", refresh["type"])
			assert.Equal(t, access["sid"], refresh["sid"])
		})
	}
	t.Run("an algorithm that there is not", func(t *testing.T) {
		out, err := walletlogin(t, "--url", issuer.url, "--algorithm", "RSA")
		assert.Error(t, err)
		assert.Equal(t, 1, strings.Count(out, "\n"), out)
	})
	t.Run("a server that there is not", func(t *testing.T) {
		out, err := walletlogin(t, "--url", "http://127.0.0.1:1")
		assert.Error(t, err)
		assert.Contains(t, out, "walletlogin: sign in at http://127.0.0.1:1")
	})
}

func TestStandaloneNeedsNoSettings(t *testing.T) {
	issuer := serve(t, "standalone", "APP__PORT=0")
	for _, algorithm := range []string{"ML-DSA-65", "Ed25519", "secp256k1", "eip191", testutil.SolanaWallet} {
		out, err := walletlogin(t, "--url", issuer.url, "--algorithm", algorithm)
		require.NoError(t, err, out)
		assert.Equal(t, "http://localhost:8100", printedClaims(t, out, "access token claims")["iss"])
	}
	assert.Equal(t, 200, get(t, issuer.url+"/healthz", "").status)
	assert.Equal(t, 200, get(t, issuer.url+"/readyz", "").status)
	for _, path := range []string{"/api/v1/auth/jwks", "/.well-known/openid-configuration", "/healthz"} {
		asked := get(t, issuer.url+path, "")
		head := call(t, "HEAD", issuer.url+path, "", "")
		assert.Equal(t, 200, head.status, path)
		assert.Empty(t, head.body)
		for _, name := range []string{"Content-Type", "Etag", "Cache-Control"} {
			assert.Equal(t, asked.header.Get(name), head.header.Get(name), "%s: %s", path, name)
		}
	}
	assert.Equal(t, 404, get(t, issuer.url+"/no-such-path", "").status)
}

func TestEmbeddedProtectsItsRoutes(t *testing.T) {
	p := serve(t, "embedded", issuerSettings(freePort(t), "", withAdmin...)...)
	for _, algorithm := range []string{"ML-DSA-65", "Ed25519", "secp256k1", "eip191", testutil.SolanaWallet} {
		out, err := walletlogin(t, "--url", p.url, "--algorithm", algorithm)
		require.NoError(t, err, out)
		profile, err := json.Marshal(map[string]any{"role": "wallet", "subject": printedClaims(t, out, "access token claims")["sub"]})
		require.NoError(t, err)
		assert.Contains(t, out, "GET "+p.url+"/api/profile: 200 "+string(profile))
		assert.Contains(t, out, "GET "+p.url+"/api/admin/dashboard: 403\n")
	}
	admin := login(t, p.url)
	assert.Equal(t, 200, get(t, p.url+"/api/admin/dashboard", admin).status)
	assert.JSONEq(t, `{"subject":"admin@pico.local","role":"admin"}`, get(t, p.url+"/api/profile", admin).body)
	assert.Equal(t, 200, get(t, p.url+"/health", "").status)
	assert.Equal(t, 200, get(t, p.url+"/health", "garbage").status, "a token is not looked at")
	for _, path := range []string{"/api/profile", "/api/admin/dashboard", "/no-such-path", "/health/x", "/api/v1/auth/x", "/api/v1/authors"} {
		r := get(t, p.url+path, "")
		assert.Equal(t, 401, r.status, path)
		assert.Equal(t, `Bearer realm="pico"`, r.header.Get("WWW-Authenticate"), path)
		assert.Equal(t, "application/problem+json", r.header.Get("Content-Type"), path)
		assert.Equal(t, 401, get(t, p.url+path, "garbage").status, path)
	}
	assert.Equal(t, 404, get(t, p.url+"/no-such-path", admin).status)
	assert.Equal(t, 401, call(t, "OPTIONS", p.url+"/api/profile", "", "").status, "no preflight")
}
