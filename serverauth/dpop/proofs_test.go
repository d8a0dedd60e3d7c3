package dpop_test

import (
	"context"
	"errors"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/picoauth/picoauth/app"
	"github.com/picoauth/picoauth/clientauth/jose"
	"github.com/picoauth/picoauth/clientauth/verify"
	"github.com/picoauth/picoauth/serverauth/dpop"
	"github.com/picoauth/picoauth/serverauth/store"
	"github.com/picoauth/picoauth/testutil"
)

const (
	issuer = "https://auth.example.com"
	path   = "/api/v1/auth/sign-in"
)

// asking is a request that came to http://10.0.0.1:8100, a machine behind a proxy.
func asking(proofs ...string) *http.Request {
	r := httptest.NewRequest(http.MethodPost, "http://10.0.0.1:8100"+path, nil)
	for _, proof := range proofs {
		r.Header.Add("DPoP", proof)
	}
	return r
}

func newProofs(t testing.TB, c dpop.Config) *dpop.Proofs {
	t.Helper()
	c.Issuer, c.Leeway = issuer, time.Minute
	proofs, err := dpop.New(c)
	require.NoError(t, err)
	return proofs
}

func TestProofsOfRequestsForTokens(t *testing.T) {
	key := testutil.NewProofKey(jose.ES256)
	proofs := newProofs(t, dpop.Config{})
	good := func(claims map[string]any) string {
		return key.Proof(http.MethodPost, issuer+path, "", claims)
	}
	private := key.JWK()
	private["d"] = "AAAA"
	for name, test := range map[string]struct {
		sent []string
		good bool
	}{
		"of the issuer's URL":       {[]string{good(nil)}, true},
		"of the connection's":       {[]string{good(map[string]any{"htu": "http://10.0.0.1:8100" + path})}, true},
		"with a hash of some token": {[]string{good(map[string]any{"ath": "x"})}, true},
		"a minute old":              {[]string{good(map[string]any{"iat": time.Now().Unix() - 59})}, true},
		"two":                       {[]string{good(nil), good(nil)}, false},
		"an empty one":              {[]string{""}, false},
		"another URL":               {[]string{good(map[string]any{"htu": "https://evil.example" + path})}, false},
		"another path":              {[]string{good(map[string]any{"htu": issuer + "/api/v1/auth/refresh"})}, false},
		"another method":            {[]string{good(map[string]any{"htm": "GET"})}, false},
		"too old":                   {[]string{good(map[string]any{"iat": time.Now().Unix() - 70})}, false},
		"too new":                   {[]string{good(map[string]any{"iat": time.Now().Unix() + 70})}, false},
		"no jti":                    {[]string{good(map[string]any{"jti": nil})}, false},
		"a private key":             {[]string{key.Sign(map[string]any{"jwk": private}, map[string]any{"jti": "1", "htm": "POST", "htu": issuer + path, "iat": time.Now().Unix()})}, false},
		"alg none":                  {[]string{"eyJ0eXAiOiJkcG9wK2p3dCIsImFsZyI6Im5vbmUifQ." + strings.Split(good(nil), ".")[1] + ".AA"}, false},
		"alg of another key":        {[]string{key.Sign(map[string]any{"jwk": key.JWK(), "alg": "EdDSA"}, map[string]any{"jti": "1", "htm": "POST", "htu": issuer + path, "iat": time.Now().Unix()})}, false},
		"alg HS256":                 {[]string{key.Sign(map[string]any{"jwk": key.JWK(), "alg": "HS256"}, map[string]any{"jti": "1", "htm": "POST", "htu": issuer + path, "iat": time.Now().Unix()})}, false},
		"another's key":             {[]string{key.Sign(map[string]any{"jwk": testutil.NewProofKey(jose.ES256).JWK()}, map[string]any{"jti": "1", "htm": "POST", "htu": issuer + path, "iat": time.Now().Unix()})}, false},
		"an access token's typ":     {[]string{key.Sign(map[string]any{"jwk": key.JWK(), "typ": "at+jwt"}, map[string]any{"jti": "1", "htm": "POST", "htu": issuer + path, "iat": time.Now().Unix()})}, false},
	} {
		t.Run(name, func(t *testing.T) {
			proof, err := proofs.Read(asking(test.sent...))
			if test.good {
				require.NoError(t, err)
				assert.Equal(t, key.Thumbprint(), proof.Key())
				return
			}
			refused(t, err)
			assert.Empty(t, proof.Key())
		})
	}
	none, err := proofs.Read(asking())
	require.NoError(t, err)
	assert.Empty(t, none.Key())
	require.NoError(t, none.Spend(t.Context()))
}

func refused(t testing.TB, err error) {
	t.Helper()
	var problem *app.Problem
	require.ErrorAs(t, err, &problem)
	assert.Equal(t, http.StatusBadRequest, problem.Status)
	assert.Equal(t, "invalid_dpop_proof", problem.Code)
	assert.NotEmpty(t, problem.Hint, "what came and what was wanted")
}

func TestAProofServesOnce(t *testing.T) {
	proofs := newProofs(t, dpop.Config{})
	text := testutil.NewProofKey(jose.EdDSA).Proof(http.MethodPost, issuer+path, "", nil)
	for n := range 3 {
		proof, err := proofs.Read(asking(text))
		require.NoError(t, err, "reading spends nothing")
		if err = proof.Spend(t.Context()); n == 0 {
			require.NoError(t, err)
		} else {
			refused(t, err)
		}
	}
}

// Instances of one issuer share what they have used. A store that is full, or fails, lets no proof pass.
func TestInstancesShareUsedProofs(t *testing.T) {
	shared := store.NewInMemoryUsedStore()
	one, other := newProofs(t, dpop.Config{Used: shared}), newProofs(t, dpop.Config{Used: shared})
	key := testutil.NewProofKey(jose.ES256)
	spend := func(p *dpop.Proofs, text string) error {
		proof, err := p.Read(asking(text))
		require.NoError(t, err)
		return proof.Spend(t.Context())
	}
	text := key.Proof(http.MethodPost, issuer+path, "", nil)
	require.NoError(t, spend(one, text))
	refused(t, spend(other, text))
	refused(t, spend(one, text))
	for n, p := range []*dpop.Proofs{one, other} { // as the validator of the issuer's own routes asks
		fresh, err := p.Config().Used.Spend(t.Context(), key.Thumbprint(), "jti", time.Now().Add(time.Minute), time.Now())
		require.NoError(t, err)
		assert.Equal(t, n == 0, fresh)
	}
	for _, failure := range []error{store.ErrTooManyPending, errors.New("away")} {
		err := spend(newProofs(t, dpop.Config{Used: failing{failure}}), key.Proof(http.MethodPost, issuer+path, "", nil))
		require.ErrorIs(t, err, verify.ErrProofsUnavailable)
		assert.NotErrorIs(t, err, store.ErrTooManyPending, "it is answered 503")
	}
}

type failing struct{ err error }

func (f failing) Use(context.Context, [32]byte, []byte, int64) (bool, error) { return true, f.err }
func (f failing) Note(context.Context, [32]byte) ([]byte, bool, error)       { return nil, true, f.err }
func (f failing) Prune(context.Context, int64, int) (int, error)             { return 0, f.err }

func TestAlgorithmsOfProofs(t *testing.T) {
	ed := testutil.NewProofKey(jose.EdDSA)
	text := ed.Proof(http.MethodPost, issuer+path, "", nil)
	other := ed.Sign(map[string]any{"alg": jose.Ed25519, "jwk": ed.JWK()},
		map[string]any{"jti": "1", "htm": "POST", "htu": issuer + path, "iat": time.Now().Unix()})
	for name, test := range map[string]struct {
		algorithms []string
		good       bool
	}{"by default": {nil, true}, "listed": {[]string{jose.EdDSA}, true}, "not listed": {[]string{jose.ES256}, false}, "an empty list": {[]string{}, false}} {
		proofs := newProofs(t, dpop.Config{Algorithms: test.algorithms})
		for _, sent := range []string{text, other} {
			if _, err := proofs.Read(asking(sent)); (err == nil) != test.good {
				t.Errorf("%s: %v", name, err)
			}
		}
	}
	_, err := dpop.New(dpop.Config{Algorithms: []string{"HS256"}})
	require.Error(t, err)
}

func TestTheOriginThatAProxySays(t *testing.T) {
	proofs := newProofs(t, dpop.Config{Origin: func(*http.Request) string { return "https://login.example.com" }})
	key := testutil.NewProofKey(jose.ES256)
	for url, good := range map[string]bool{"https://login.example.com": true, issuer: true, "http://10.0.0.1:8100": false} {
		if _, err := proofs.Read(asking(key.Proof(http.MethodPost, url+path, "", nil))); (err == nil) != good {
			t.Errorf("%s: %v", url, err)
		}
	}
}

func TestAKeyThatIsDemanded(t *testing.T) {
	key, other := testutil.NewProofKey(jose.ES256), testutil.NewProofKey(jose.ES256).Thumbprint()
	proof, err := newProofs(t, dpop.Config{}).Read(asking(key.Proof(http.MethodPost, issuer+path, "", nil)))
	require.NoError(t, err)
	own := key.Thumbprint()
	for name, test := range map[string]struct {
		resources []string
		fits      bool // the proof
		fitsNone  bool // no proof
	}{
		"none":                 {nil, true, true},
		"another kind":         {[]string{"https://example.com/urn:ietf:params:oauth:jwk-thumbprint:sha-256:x", "urn:ietf:params:oauth:other"}, true, true},
		"its own":              {[]string{"https://example.com", dpop.Resource(own)}, true, false},
		"in upper case":        {[]string{strings.ToUpper("urn:ietf:params:oauth:jwk-thumbprint:sha-256:") + own}, true, false},
		"another's":            {[]string{dpop.Resource(other)}, false, false},
		"two keys":             {[]string{dpop.Resource(own), dpop.Resource(other)}, false, false},
		"another hash":         {[]string{"urn:ietf:params:oauth:jwk-thumbprint:sha-512:" + own}, false, false},
		"no thumbprint":        {[]string{"urn:ietf:params:oauth:jwk-thumbprint:sha-256:"}, false, false},
		"more behind":          {[]string{dpop.Resource(own) + "?x"}, false, false},
		"thumbprint lowercase": {[]string{dpop.Resource(strings.ToLower(own))}, false, false},
	} {
		if err := proof.FitsResources(test.resources); (err == nil) != test.fits || err != nil && !errors.Is(err, dpop.ErrKeyMismatch) {
			t.Errorf("%s: %v", name, err)
		}
		if err := (dpop.Proof{}).FitsResources(test.resources); (err == nil) != test.fitsNone {
			t.Errorf("%s without a proof: %v", name, err)
		}
	}
	assert.True(t, dpop.IsThumbprint(own))
	for _, text := range []string{"", "x", own + "A", own[1:], strings.Repeat("=", 43), strings.Repeat("/", 43), "\n" + own} {
		assert.False(t, dpop.IsThumbprint(text), text)
	}
}

// The validator of the issuer's own routes goes by the same algorithms and origins.
func TestConfig(t *testing.T) {
	c := newProofs(t, dpop.Config{Algorithms: []string{jose.PS256}}).Config()
	assert.Equal(t, []string{jose.PS256}, c.Algorithms)
	assert.Equal(t, []string{"http://10.0.0.1:8100", issuer}, c.Origins(asking()))
	assert.Equal(t, verify.DefaultProofAlgorithms(), newProofs(t, dpop.Config{}).Config().Algorithms)
}

// FuzzProofs looks for a proof that the key has not signed. The good one is no seed: each process of the fuzzer has a key of its own.
func FuzzProofs(f *testing.F) {
	key := testutil.NewProofKey(jose.ES256)
	proofs := newProofs(f, dpop.Config{})
	good := key.Proof(http.MethodPost, issuer+path, "", nil)
	if proof, err := proofs.Read(asking(good)); err != nil || proof.Key() != key.Thumbprint() {
		f.Fatalf("the good one is refused: %v", err)
	}
	for _, seed := range []string{"", "..", "=", good[len(good)-3:], strings.ToUpper(good), key.Sign(map[string]any{"jwk": 1}, nil)} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, text string) {
		for _, given := range []string{text, good[:len(good)-min(len(good), len(text))] + text, good + text} {
			if _, err := proofs.Read(asking(given)); err == nil && given != good {
				t.Errorf("%q is taken", given)
			}
		}
	})
}
