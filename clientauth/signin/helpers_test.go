package signin_test

import (
	"bytes"
	"crypto"
	"crypto/ed25519"
	"crypto/rand"
	"encoding/json"
	"io"
	"net/http"
	"net/http/httptest"
	"net/http/httputil"
	"net/url"
	"os"
	"strings"
	"sync"
	"sync/atomic"
	"testing"

	"github.com/cloudflare/circl/sign/mldsa/mldsa44"
	"github.com/cloudflare/circl/sign/mldsa/mldsa65"
	"github.com/cloudflare/circl/sign/mldsa/mldsa87"
	"github.com/decred/dcrd/dcrec/secp256k1/v4"
	"github.com/decred/dcrd/dcrec/secp256k1/v4/ecdsa"
	"github.com/labstack/echo/v4"
	"github.com/stretchr/testify/require"
	"go.uber.org/fx"

	"github.com/picoauth/picoauth/app"
	"github.com/picoauth/picoauth/clientauth"
	"github.com/picoauth/picoauth/clientauth/signin"
	"github.com/picoauth/picoauth/serverauth"
	"github.com/picoauth/picoauth/testutil"
)

// hsm signs digests with a secp256k1 key, as an HSM does: DER, and no parity.
type hsm struct{ key *secp256k1.PrivateKey }

func (h hsm) Public() crypto.PublicKey { return h.key.PubKey() }

func (h hsm) Sign(_ io.Reader, digest []byte, _ crypto.SignerOpts) ([]byte, error) {
	return ecdsa.Sign(h.key, digest).Serialize(), nil
}

func newSigner(t testing.TB, algorithm string) crypto.Signer {
	t.Helper()
	var signer crypto.Signer
	var err error
	switch algorithm {
	case signin.MLDSA44:
		_, signer, err = generate(mldsa44.GenerateKey)
	case signin.MLDSA65:
		_, signer, err = generate(mldsa65.GenerateKey)
	case signin.MLDSA87:
		_, signer, err = generate(mldsa87.GenerateKey)
	case signin.Ed25519, signin.Solana:
		_, signer, err = ed25519.GenerateKey(rand.Reader)
	default:
		var key *secp256k1.PrivateKey
		key, err = secp256k1.GeneratePrivateKey()
		signer = hsm{key}
	}
	require.NoError(t, err)
	return signer
}

func generate[Public any, Private crypto.Signer](make func(io.Reader) (Public, Private, error)) (Public, crypto.Signer, error) {
	public, private, err := make(rand.Reader)
	return public, private, err
}

func newSource(t testing.TB, c signin.Config) *signin.Source {
	t.Helper()
	if c.Algorithm == "" {
		c.Algorithm = signin.Ed25519
	}
	if c.Signer == nil {
		c.Signer = newSigner(t, c.Algorithm)
	}
	source, err := signin.NewSource(c)
	require.NoError(t, err)
	return source
}

// newServer runs an auth server that also has a protected route, /api/profile.
func newServer(t testing.TB, settings map[string]any) *testutil.App {
	t.Helper()
	values := map[string]any{"server_auth.rate_limit_per_minute": 0}
	for name, value := range settings {
		values[name] = value
	}
	return testutil.NewApp(t, serverauth.Module, clientauth.Module, app.ConfigMap(values), fx.Invoke(func(e *echo.Echo) { e.Any("/api/profile", profile) }))
}

// profile says who calls, and what was sent.
func profile(c echo.Context) error {
	user, _ := clientauth.FromContext(c.Request().Context())
	body, _ := io.ReadAll(c.Request().Body)
	return c.JSON(http.StatusOK, map[string]string{"subject": user.Subject, "body": string(body)})
}

// proxy stands between a client and a server, counts requests by path, and does what goes wrong on a network.
type proxy struct {
	*httptest.Server
	lose  atomic.Int64 // so many replies are lost after the server has answered
	down  atomic.Bool
	mu    sync.Mutex
	count map[string]int
}

func newProxy(t testing.TB, target string) *proxy {
	t.Helper()
	to, err := url.Parse(target)
	require.NoError(t, err)
	forward := httputil.NewSingleHostReverseProxy(to)
	p := &proxy{count: make(map[string]int)}
	p.Server = httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		p.mu.Lock()
		p.count[r.URL.Path]++
		p.mu.Unlock()
		switch {
		case p.down.Load():
			panic(http.ErrAbortHandler)
		case p.lose.Add(-1) >= 0:
			forward.ServeHTTP(httptest.NewRecorder(), r)
			panic(http.ErrAbortHandler)
		default:
			forward.ServeHTTP(w, r)
		}
	}))
	t.Cleanup(p.Close)
	return p
}

func (p *proxy) requests(endpoint string) int { return p.path("/api/v1/auth" + endpoint) }

func (p *proxy) path(path string) int {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.count[path]
}

// readAll reads a request's body and puts it back.
func readAll(r *http.Request) ([]byte, error) {
	text, err := io.ReadAll(r.Body)
	r.Body = io.NopCloser(bytes.NewReader(text))
	return text, err
}

// expire makes a kept access token look as if its time were over.
func expire(t testing.TB, path string) {
	t.Helper()
	text, err := os.ReadFile(path)
	require.NoError(t, err)
	var kept map[string]any
	require.NoError(t, json.Unmarshal(text, &kept))
	kept["expires_at"] = "2020-01-01T00:00:00Z"
	text, err = json.Marshal(kept)
	require.NoError(t, err)
	require.NoError(t, os.WriteFile(path, text, 0o600))
}

func seedOf(signer crypto.Signer) []byte { return signer.(ed25519.PrivateKey).Seed() }

func signerOf(seed []byte) crypto.Signer { return ed25519.NewKeyFromSeed(seed) }

var algorithms = []string{signin.Ed25519, signin.Secp256k1, signin.EIP191, signin.MLDSA44, signin.MLDSA65, signin.MLDSA87}

func subject(t testing.TB, url, token string) string {
	t.Helper()
	var answer struct{ Subject string }
	require.NoError(t, testutil.Get(t.Context(), url+"/api/profile", token, &answer))
	return answer.Subject
}

// profileOf calls the protected route through a transport, and returns the status and the body.
func profileOf(t testing.TB, source *signin.Source, url string) (int, string) {
	t.Helper()
	client := &http.Client{Transport: signin.NewTransport(source, nil)}
	reply, err := client.Post(url+"/api/profile?a=b", "text/plain", strings.NewReader("body"))
	require.NoError(t, err)
	defer reply.Body.Close()
	return reply.StatusCode, read(t, reply)
}

func bound(t testing.TB, token string) string {
	t.Helper()
	claims, err := testutil.TokenClaims(token)
	require.NoError(t, err)
	confirmation, _ := claims["cnf"].(map[string]any)
	thumbprint, _ := confirmation["jkt"].(string)
	return thumbprint
}

func read(t testing.TB, reply *http.Response) string {
	t.Helper()
	body, err := io.ReadAll(reply.Body)
	require.NoError(t, err)
	return string(body)
}

// refreshToken asks the source's state file, which the test gave it.
func refreshToken(t testing.TB, source *signin.Source) string {
	t.Helper()
	text, err := os.ReadFile(signin.StateFile(source))
	require.NoError(t, err)
	var kept struct {
		RefreshToken string `json:"refresh_token"`
	}
	require.NoError(t, json.Unmarshal(text, &kept))
	return kept.RefreshToken
}

// bothKinds runs a test with bearer tokens and with tokens that are bound to a key.
func bothKinds(t *testing.T, test func(t *testing.T, dpop bool)) {
	t.Helper()
	t.Run("Bearer", func(t *testing.T) { test(t, false) })
	t.Run("DPoP", func(t *testing.T) { test(t, true) })
}
