package serverauth_test

import (
	"bytes"
	"context"
	"crypto"
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/rsa"
	"crypto/sha256"
	"encoding/json"
	"io"
	"maps"
	"net/http"
	"runtime"
	"testing"

	"github.com/cloudflare/circl/sign/mldsa/mldsa65"
	"github.com/cloudflare/circl/sign/schemes"
	"github.com/decred/dcrd/dcrec/secp256k1/v4"
	secp "github.com/decred/dcrd/dcrec/secp256k1/v4/ecdsa"
	"github.com/labstack/echo/v4"
	"github.com/stretchr/testify/require"
	"go.uber.org/fx"
	"golang.org/x/crypto/sha3"

	"github.com/picoauth/picoauth/app"
	"github.com/picoauth/picoauth/serverauth"
	"github.com/picoauth/picoauth/testutil"
)

// benchEcho is the echo of a running app with the auth server, to be called in process. Its rate limit is off.
func benchEcho(b *testing.B, settings map[string]any, options ...fx.Option) *echo.Echo {
	b.Helper()
	var e *echo.Echo
	all := map[string]any{"rate_limit_per_minute": 0, "algorithm": "EdDSA"}
	maps.Copy(all, settings)
	testutil.NewApp(b, append(options, app.ConfigMap(map[string]any{"server_auth": all}), serverauth.Module, fx.Populate(&e))...)
	return e
}

// caller calls one route of a handler in process, with as little as possible around it.
type caller struct {
	b       *testing.B
	handler http.Handler
	request *http.Request
	body    bytes.Reader
	header  http.Header
	status  int
	reply   bytes.Buffer
}

func newCaller(b *testing.B, h http.Handler, method, path string) *caller {
	b.Helper()
	c := &caller{b: b, handler: h, header: http.Header{}}
	request, err := http.NewRequestWithContext(context.Background(), method, path, nil)
	require.NoError(b, err)
	request.RemoteAddr = "192.0.2.1:1234"
	if method == http.MethodPost {
		request.Header.Set("Content-Type", "application/json")
		request.Body = io.NopCloser(&c.body)
	}
	c.request = request
	return c
}

// call sends a body and fails the benchmark unless it succeeds.
func (c *caller) call(body []byte) {
	c.body.Reset(body)
	c.request.ContentLength = int64(len(body))
	clear(c.header)
	c.reply.Reset()
	c.handler.ServeHTTP(c, c.request)
	if c.status/100 != 2 {
		c.b.Fatalf("status %d: %s", c.status, &c.reply)
	}
}

// Header, WriteHeader and Write make it the writer of its own reply.
func (c *caller) Header() http.Header         { return c.header }
func (c *caller) WriteHeader(status int)      { c.status = status }
func (c *caller) Write(p []byte) (int, error) { return c.reply.Write(p) }

// emptyEndpoint is the floor of an endpoint: the least that echo answers JSON with.
func emptyEndpoint(b *testing.B, method string) *caller {
	e := echo.New()
	e.Add(method, "/empty", func(c echo.Context) error { return c.JSON(http.StatusOK, map[string]string{"a": "b"}) })
	return newCaller(b, e, method, "/empty")
}

// signer signs text of a token's size with nothing around it, as the floor of a token.
func signer(b *testing.B, algorithm string) func(text []byte) {
	switch algorithm {
	case "RS256":
		key, err := rsa.GenerateKey(rand.Reader, 2048)
		require.NoError(b, err)
		return func(text []byte) {
			digest := sha256.Sum256(text)
			_, _ = rsa.SignPKCS1v15(nil, key, crypto.SHA256, digest[:])
		}
	case "ES256":
		key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
		require.NoError(b, err)
		return func(text []byte) {
			digest := sha256.Sum256(text)
			_, _ = ecdsa.SignASN1(rand.Reader, key, digest[:])
		}
	case "EdDSA":
		_, key, err := ed25519.GenerateKey(rand.Reader)
		require.NoError(b, err)
		return func(text []byte) { ed25519.Sign(key, text) }
	}
	_, key, err := mldsa65.GenerateKey(rand.Reader)
	require.NoError(b, err)
	signature := make([]byte, mldsa65.SignatureSize)
	return func(text []byte) { _ = mldsa65.SignTo(key, text, nil, true, signature) }
}

// verifier checks a wallet's signature over a text from the bytes of its key, as the floor of a proof.
func verifier(b *testing.B, w *testutil.Wallet, text []byte) func() {
	signature, err := w.Sign(text)
	require.NoError(b, err)
	digest := sha256.Sum256(text)
	switch w.Algorithm {
	case "Ed25519":
		return func() { ed25519.Verify(w.PublicKey, text, signature) }
	case "secp256k1":
		return func() {
			key, _ := secp256k1.ParsePubKey(w.PublicKey)
			parsed, _ := secp.ParseDERSignature(signature)
			parsed.Verify(digest[:], key)
		}
	case "eip191":
		compact := append([]byte{signature[64]}, signature[:64]...)
		return func() {
			key, _, _ := secp.RecoverCompact(compact, digest[:])
			hash := sha3.NewLegacyKeccak256()
			hash.Write(key.SerializeUncompressed()[1:])
			hash.Sum(nil)
		}
	}
	scheme := schemes.ByName(w.Algorithm)
	return func() {
		key, err := scheme.UnmarshalBinaryPublicKey(w.PublicKey)
		require.NoError(b, err)
		scheme.Verify(key, text, signature, nil)
	}
}

// proofs makes sign-in requests of wallets in turn, each with a challenge of its own.
type proofs struct {
	challenge *caller
	wallets   []*testutil.Wallet
	made      int
	ready     [][]byte
}

func newProofs(b *testing.B, e *echo.Echo, wallets ...*testutil.Wallet) *proofs {
	return &proofs{challenge: newCaller(b, e, http.MethodPost, serverauth.Prefix+"/challenge"), wallets: wallets}
}

// batch is how many requests are made at a time. What that leaves behind is collected before one of them is timed.
const batch = 256

func (p *proofs) prepare(n int) {
	if len(p.ready) >= n {
		return
	}
	for range n + batch {
		p.ready = append(p.ready, p.make())
	}
	runtime.GC()
}

func (p *proofs) make() []byte {
	b, w := p.challenge.b, p.wallets[p.made%len(p.wallets)]
	p.made++
	ask, err := json.Marshal(map[string]string{"address": w.Address, "algorithm": w.Algorithm})
	require.NoError(b, err)
	p.challenge.call(ask)
	var c testutil.Challenge
	require.NoError(b, json.Unmarshal(p.challenge.reply.Bytes(), &c))
	request, err := testutil.SignInRequest(w, c)
	require.NoError(b, err)
	body, err := json.Marshal(request)
	require.NoError(b, err)
	return body
}

func (p *proofs) next() []byte {
	body := p.ready[len(p.ready)-1]
	p.ready = p.ready[:len(p.ready)-1]
	return body
}
