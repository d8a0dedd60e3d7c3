package clientauth_test

import (
	"context"
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/rsa"
	"encoding/json"
	"io"
	"log/slog"
	"maps"
	"net/http"
	"net/http/httptest"
	"os"
	"runtime"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/picoauth/picoauth/app"
	"github.com/picoauth/picoauth/clientauth"
	"github.com/picoauth/picoauth/clientauth/jose"
)

const (
	issuerName = "https://auth.example.com"
	audience   = "pico"
)

var epoch = time.Date(2026, 5, 17, 12, 0, 0, 0, time.UTC)

// clock is moved by tests.
type clock struct{ seconds atomic.Int64 }

func newClock() *clock {
	c := &clock{}
	c.seconds.Store(epoch.Unix())
	return c
}

func (c *clock) now() time.Time           { return time.Unix(c.seconds.Load(), 0) }
func (c *clock) move(by time.Duration)    { c.seconds.Add(int64(by / time.Second)) }
func (c *clock) unix() int64              { return c.seconds.Load() }
func (c *clock) in(d time.Duration) int64 { return c.unix() + int64(d/time.Second) }

var quiet = slog.New(slog.NewTextHandler(io.Discard, nil))

// signer is a private key that makes tokens.
type signer struct {
	alg     string
	private any
	key     jose.Key
}

var signers = sync.OnceValue(func() map[string]signer {
	rsaKey := must(rsa.GenerateKey(rand.Reader, 2048))
	all := map[string]signer{}
	for _, alg := range jose.Algorithms() {
		all[alg] = newSigner(alg, rsaKey)
	}
	return all
})

// newSigner makes a key for alg; RSA ones are shared.
func newSigner(alg string, rsaKey *rsa.PrivateKey) signer {
	s := signer{alg: alg}
	switch jose.KeyType(alg) {
	case jose.KeyTypeRSA:
		s.private, s.key.Public = rsaKey, &rsaKey.PublicKey
	case jose.KeyTypeEC:
		curve := elliptic.P256()
		if alg == jose.ES384 {
			curve = elliptic.P384()
		}
		key := must(ecdsa.GenerateKey(curve, rand.Reader))
		s.private, s.key.Public = key, &key.PublicKey
	case jose.KeyTypeOKP:
		public, private, _ := ed25519.GenerateKey(rand.Reader)
		s.private, s.key.Public = private, public
	case jose.KeyTypeAKP:
		key := must(jose.GenerateMLDSAKey(alg))
		s.private, s.key.Public = key, key.Public()
	}
	s.key.ID, s.key.Algorithm = alg+"-"+must(jose.Thumbprint(s.key.Public)), alg
	return s
}

// fresh returns a new key; do not ask for RSA.
func fresh(alg string) signer { return newSigner(alg, nil) }

func must[T any](value T, err error) T {
	if err != nil {
		panic(err)
	}
	return value
}

type object = map[string]any

// with returns base with changes; a nil value removes a member.
func with(base object, changes object) object {
	out := maps.Clone(base)
	for name, value := range changes {
		if out[name] = value; value == nil {
			delete(out, name)
		}
	}
	return out
}

// claims of a valid token at the epoch.
func claims(changes object) object {
	return with(object{
		"iss": issuerName, "aud": audience, "sub": "alice", "jti": "token-1", "sid": "session-1", "role": "wallet",
		"iat": epoch.Unix(), "nbf": epoch.Unix(), "exp": epoch.Unix() + 900, "client_id": audience,
	}, changes)
}

func (s signer) header(changes object) object {
	return with(object{"alg": s.alg, "kid": s.key.ID, "typ": "at+jwt"}, changes)
}

// token signs claims under the usual header.
func (s signer) token(c object) string { return s.sign(s.header(nil), c) }

func (s signer) sign(header, c object) string {
	return s.raw(string(must(json.Marshal(header))), string(must(json.Marshal(c))))
}

// raw signs any two texts.
func (s signer) raw(header, payload string) string {
	input := jose.EncodeBase64([]byte(header)) + "." + jose.EncodeBase64([]byte(payload))
	return input + "." + jose.EncodeBase64(s.signature(input))
}

func (s signer) signature(input string) []byte {
	method, _ := jose.SigningMethod(s.alg)
	return must(method.Sign(input, s.private))
}

// countingKeys is a KeySet that counts how often it is asked.
type countingKeys struct {
	clientauth.KeySet
	calls atomic.Int64
}

func (k *countingKeys) Key(ctx context.Context, kid, alg string) (*jose.Key, error) {
	k.calls.Add(1)
	return k.KeySet.Key(ctx, kid, alg)
}

func keysOf(all ...signer) *clientauth.KeyMap {
	var keys []jose.Key
	for _, s := range all {
		keys = append(keys, s.key)
	}
	return clientauth.NewKeyMap(keys...)
}

// trusting returns a config that trusts the issuer for these keys and their algorithms.
func trusting(c *clock, all ...signer) clientauth.ValidatorConfig {
	var algorithms []string
	for _, s := range all {
		algorithms = append(algorithms, s.alg)
	}
	return clientauth.ValidatorConfig{
		Issuers: []clientauth.TrustedIssuer{{Issuer: issuerName, Audience: audience, Algorithms: algorithms, Keys: keysOf(all...)}},
		Leeway:  30 * time.Second, CacheSize: 1000, Clock: app.Clock(c.now),
	}
}

func newValidator(t testing.TB, cfg clientauth.ValidatorConfig) *clientauth.TokenValidator {
	t.Helper()
	v, err := clientauth.NewTokenValidator(cfg)
	if err != nil {
		t.Fatal(err)
	}
	return v
}

// server is an HTTP endpoint whose behaviour tests change while it runs.
type server struct {
	*httptest.Server
	requests atomic.Int64
	handler  atomic.Pointer[http.HandlerFunc]
}

func newServer(t testing.TB, handler http.HandlerFunc) *server {
	s := &server{}
	s.handler.Store(&handler)
	s.Server = httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		s.requests.Add(1)
		(*s.handler.Load())(w, r)
	}))
	t.Cleanup(s.Close)
	return s
}

func (s *server) become(handler http.HandlerFunc) { s.handler.Store(&handler) }

func serveText(text string) http.HandlerFunc {
	return func(w http.ResponseWriter, _ *http.Request) { _, _ = io.WriteString(w, text) }
}

func serveStatus(status int) http.HandlerFunc {
	return func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(status) }
}

// serveKeys answers with a JWKS; header values alternate names and values.
func serveKeys(keys []signer, header ...string) http.HandlerFunc {
	set := jose.Set{}
	for _, s := range keys {
		set.Keys = append(set.Keys, s.key)
	}
	body := must(json.Marshal(set))
	return func(w http.ResponseWriter, _ *http.Request) {
		for i := 0; i+1 < len(header); i += 2 {
			w.Header().Set(header[i], header[i+1])
		}
		_, _ = w.Write(body)
	}
}

// eventually waits for what another goroutine does; it fails after a minute.
func eventually(t testing.TB, what string, reached func() bool) {
	t.Helper()
	deadline := time.Now().Add(time.Minute)
	for !reached() {
		if time.Now().After(deadline) {
			t.Fatalf("never: %s", what)
		}
		time.Sleep(time.Millisecond)
	}
}

// long says whether the long loops run.
func long() bool { return os.Getenv("PICOAUTH_LONG") != "" }

// inUse is the live heap in bytes.
func inUse() uint64 {
	runtime.GC()
	runtime.GC()
	var m runtime.MemStats
	runtime.ReadMemStats(&m)
	return m.HeapAlloc
}
