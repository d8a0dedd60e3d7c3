package examples_test

import (
	"encoding/json"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/picoauth/picoauth/testutil"
	"github.com/picoauth/picoauth/testutil/services"
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
	issuer := serve(t, "standalone", issuerSettings(services.FreePort(t), "",
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
			assert.NotContains(t, out, ": 404", "a success does not end in what looks like a failure")
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

func TestAWalletWithAKeyFileStaysTheSame(t *testing.T) {
	issuer := serve(t, "standalone", issuerSettings(services.FreePort(t), "",
		"SERVER_AUTH__SUPPORTED_WALLET_ALGORITHMS=ML-DSA-44, ML-DSA-65, ML-DSA-87, Ed25519, secp256k1, eip191")...)
	key := filepath.Join(t.TempDir(), "alice.key")
	subjects := map[any]string{}
	for _, algorithm := range testutil.WalletAlgorithms() {
		for range 2 {
			out, err := walletlogin(t, "--url", issuer.url, "--algorithm", algorithm, "--key", key)
			require.NoError(t, err, out)
			subjects[printedClaims(t, out, "access token claims")["sub"]] = algorithm
		}
	}
	assert.Len(t, subjects, len(testutil.WalletAlgorithms()), "%v", subjects)
	if runtime.GOOS != "windows" {
		file, err := os.Stat(key)
		require.NoError(t, err)
		assert.Equal(t, os.FileMode(0o600), file.Mode())
	}
	require.NoError(t, os.WriteFile(key, []byte("abc\n"), 0o600))
	out, err := walletlogin(t, "--url", issuer.url, "--key", key)
	assert.Error(t, err)
	assert.Equal(t, "walletlogin: "+key+" does not hold 32 bytes in hex\n", out)
}

// A token that is bound to a key is of use with that key only: at the issuer's own app, and at a service that demands proofs
// with nonces of its own.
func TestTokensBoundToAKey(t *testing.T) {
	issuer := serve(t, "embedded", issuerSettings(services.FreePort(t), "")...)
	resource := serve(t, "resource", resourceSettings(issuer.url, "AUTH_CLIENT__REQUIRE_DPOP=true", "AUTH_CLIENT__DPOP_NONCE=true")...)
	for _, algorithm := range []string{"Ed25519", "eip191", testutil.SolanaWallet} {
		arguments := []string{"--url", issuer.url, "--algorithm", algorithm}
		for route, plain := range map[string]string{issuer.url + "/api/profile": ": 200", resource.url + "/api/profile": ": 401"} {
			out, err := walletlogin(t, append(arguments, "--dpop", "--call", route)...)
			require.NoError(t, err, out)
			assert.Contains(t, out, "GET "+route+": 200")
			assert.Contains(t, printedClaims(t, out, "access token claims"), "cnf")
			out, err = walletlogin(t, append(arguments, "--call", route)...)
			require.NoError(t, err, out)
			assert.Contains(t, out, "GET "+route+plain)
		}
		token, err := walletlogin(t, append(arguments, "--dpop", "--print-token")...)
		require.NoError(t, err, token)
		assert.Equal(t, 401, get(t, issuer.url+"/api/profile", strings.TrimSuffix(token, "\n")).status)
	}
}

// The steps are those of the package comment of examples/claims.
func TestAWalletWithAKeyFileGetsItsRole(t *testing.T) {
	arguments := []string{"--algorithm", "Ed25519", "--key", filepath.Join(t.TempDir(), "alice.key"), "--url"}
	p := serve(t, "claims", issuerSettings(services.FreePort(t), "")...)
	out, err := walletlogin(t, append(arguments, p.url)...)
	require.NoError(t, err, out)
	claims := printedClaims(t, out, "access token claims")
	assert.Equal(t, "reader", claims["role"])
	p.kill()

	for editor, status := range map[string]int{claims["sub"].(string): 201, "somebody else": 403} {
		p = serve(t, "claims", issuerSettings(services.FreePort(t), "", "DIRECTORY__EDITORS="+editor)...)
		token, err := walletlogin(t, append(arguments, p.url, "--print-token")...)
		require.NoError(t, err, token)
		assert.Equal(t, status, call(t, "POST", p.url+"/api/articles", strings.TrimSuffix(token, "\n"), "").status)
	}
	p = serve(t, "claims", issuerSettings(services.FreePort(t), "", "DIRECTORY__BLOCKED="+claims["sub"].(string))...)
	out, err = walletlogin(t, append(arguments, p.url)...)
	assert.Error(t, err)
	assert.Contains(t, out, "403 subject_refused")
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
	p := serve(t, "embedded", issuerSettings(services.FreePort(t), "", withAdmin...)...)
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
