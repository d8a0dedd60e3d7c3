package signin_test

import (
	"context"
	"crypto"
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/rsa"
	"encoding/json"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/decred/dcrd/dcrec/secp256k1/v4"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/picoauth/picoauth/clientauth/jose"
	"github.com/picoauth/picoauth/clientauth/signin"
	"github.com/picoauth/picoauth/serverauth/dpop"
	"github.com/picoauth/picoauth/testutil"
)

func TestTokensAreBoundToEveryKindOfKey(t *testing.T) {
	running := newServer(t, map[string]any{"server_auth.supported_wallet_algorithms": strings.Join(algorithms, ",")})
	p256, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	require.NoError(t, err)
	_, ed, err := ed25519.GenerateKey(rand.Reader)
	require.NoError(t, err)
	private, err := rsa.GenerateKey(rand.Reader, 2048)
	require.NoError(t, err)
	for _, key := range []crypto.Signer{nil, p256, ed, private} {
		for _, algorithm := range []string{signin.Ed25519, signin.EIP191, signin.Solana, signin.MLDSA44} {
			source := newSource(t, signin.Config{Issuer: running.URL, Algorithm: algorithm, DPoP: true, DPoPSigner: key})
			token, err := source.Token()
			require.NoError(t, err, "%T %s", key, algorithm)
			assert.Equal(t, "DPoP", token.TokenType)
			if key != nil {
				thumbprint, err := jose.Thumbprint(key.Public())
				require.NoError(t, err)
				assert.Equal(t, thumbprint, bound(t, token.AccessToken))
			}
			for range 3 {
				status, body := profileOf(t, source, running.URL)
				assert.Equal(t, 200, status, "%T %s: %s", key, algorithm, body)
				assert.Contains(t, body, `"body":"body"`)
			}
			assert.Error(t, testutil.Get(t.Context(), running.URL+"/api/profile", token.AccessToken, nil), "as a bearer token")
		}
	}
	p384, err := ecdsa.GenerateKey(elliptic.P384(), rand.Reader)
	require.NoError(t, err)
	_, err = signin.NewSource(signin.Config{Issuer: running.URL, Algorithm: signin.Ed25519, Signer: ed, DPoPSigner: p384})
	require.Error(t, err)
}

// What the wallet signs names the key, so that the signature buys nothing for another one.
func TestTheSignedMessageNamesTheKey(t *testing.T) {
	running := newServer(t, nil)
	p := newProxy(t, running.URL)
	var mu sync.Mutex
	var signed string
	p.Config.Handler = watching(p.Config.Handler, func(path string, body map[string]string) {
		mu.Lock()
		defer mu.Unlock()
		if path == "/api/v1/auth/sign-in" {
			signed = body["message"]
		}
	})
	token, err := newSource(t, signin.Config{Issuer: p.URL, Algorithm: signin.Solana, DPoP: true}).Token()
	require.NoError(t, err)
	mu.Lock()
	defer mu.Unlock()
	assert.Contains(t, signed, "urn:ietf:params:oauth:jwk-thumbprint:sha-256:"+bound(t, token.AccessToken))
}

func watching(next http.Handler, seen func(path string, body map[string]string)) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		text, err := readAll(r)
		var body map[string]string
		if err == nil && json.Unmarshal(text, &body) == nil {
			seen(r.URL.Path, body)
		}
		next.ServeHTTP(w, r)
	})
}

// A session of before DPoP was asked for goes on, and is bound by its next refresh; one of another key does not.
func TestASessionOfBefore(t *testing.T) {
	running := newServer(t, nil)
	p := newProxy(t, running.URL)
	c := signin.Config{Issuer: p.URL, Signer: newSigner(t, signin.Ed25519), StateFile: filepath.Join(t.TempDir(), "state.json")}
	_, err := newSource(t, c).Token()
	require.NoError(t, err)
	c.DPoP = true
	token, err := newSource(t, c).Token()
	require.NoError(t, err)
	assert.NotEmpty(t, bound(t, token.AccessToken))
	assert.Equal(t, 1, p.requests("/sign-in"))

	_, c.DPoPSigner, err = ed25519.GenerateKey(rand.Reader)
	require.NoError(t, err)
	other, err := newSource(t, c).Token()
	require.NoError(t, err)
	assert.NotEqual(t, bound(t, token.AccessToken), bound(t, other.AccessToken))
	assert.Equal(t, 2, p.requests("/sign-in"))
	text, err := os.ReadFile(c.StateFile)
	require.NoError(t, err)
	assert.NotContains(t, string(text), "dpop_key", "the caller's key stays the caller's")

	c.DPoP, c.DPoPSigner = false, nil
	plain, err := newSource(t, c).Token()
	require.NoError(t, err)
	assert.Empty(t, bound(t, plain.AccessToken))
}

func TestTheTransportAnswersForNonces(t *testing.T) {
	running := newServer(t, map[string]any{"auth_client.dpop_nonce": true})
	source := newSource(t, signin.Config{Issuer: running.URL, DPoP: true})
	p := newProxy(t, running.URL)
	transport := signin.NewTransport(source, nil)
	client := &http.Client{Transport: transport}
	for n := range 3 {
		reply, err := client.Post(p.URL+"/api/profile", "text/plain", strings.NewReader("body"))
		require.NoError(t, err)
		assert.Equal(t, 200, reply.StatusCode)
		assert.Contains(t, read(t, reply), `"body":"body"`)
		require.NoError(t, reply.Body.Close())
		assert.Equal(t, 2+n, p.path("/api/profile"), "the first is asked twice")
	}
}

// A proof that is refused is made anew, once: the network may have sent the request twice.
func TestARefusedProofIsMadeAnew(t *testing.T) {
	running := newServer(t, nil)
	var proofs []string
	refusing := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		proofs = append(proofs, r.Header.Get("DPoP"))
		w.Header().Set("WWW-Authenticate", `DPoP algs="ES256", error="invalid_dpop_proof"`)
		w.WriteHeader(http.StatusUnauthorized)
	}))
	defer refusing.Close()
	status, _ := profileOf(t, newSource(t, signin.Config{Issuer: running.URL, DPoP: true}), refusing.URL)
	assert.Equal(t, 401, status)
	require.Len(t, proofs, 2)
	assert.NotEqual(t, proofs[0], proofs[1])
}

// A server that replaces its key, and one that takes the old one back at once, cost one request at most.
func TestARotatedServerKey(t *testing.T) {
	running := newServer(t, map[string]any{"server_auth.auto_create_admin": true, "server_auth.admin_password": "correct horse"})
	var admin struct {
		AccessToken string `json:"access_token"`
	}
	const prefix = "/api/v1/auth"
	login := func() {
		require.NoError(t, testutil.Post(t.Context(), running.URL+prefix+"/login", map[string]string{"email": "admin@pico.local", "password": "correct horse"}, &admin))
	}
	login()
	for _, dpop := range []bool{false, true} {
		p := newProxy(t, running.URL)
		source := newSource(t, signin.Config{Issuer: p.URL, DPoP: dpop})
		status, _ := profileOf(t, source, running.URL)
		require.Equal(t, 200, status)
		require.NoError(t, testutil.PostAs(t.Context(), running.URL+prefix+"/keys/rotate", admin.AccessToken, map[string]string{}, nil))
		status, _ = profileOf(t, source, running.URL)
		assert.Equal(t, 200, status)
		var keys struct {
			Items []struct{ KID, State string }
		}
		require.NoError(t, testutil.Get(t.Context(), running.URL+prefix+"/keys", admin.AccessToken, &keys))
		for _, key := range keys.Items {
			if key.State != "active" {
				_ = testutil.PostAs(t.Context(), running.URL+prefix+"/keys/"+key.KID+"/compromised", admin.AccessToken, map[string]string{}, nil)
				login()
			}
		}
		status, body := profileOf(t, source, running.URL)
		assert.Equal(t, 200, status, body)
		assert.Equal(t, 1, p.requests("/sign-in"))
		assert.LessOrEqual(t, p.requests("/refresh"), 1)
	}
}

// An exchange is what RFC 8693 says, with a proof of the source's key, and is asked again where the server wants a nonce.
func TestExchange(t *testing.T) {
	running := newServer(t, nil)
	var form map[string][]string
	asked := 0
	mux := http.NewServeMux()
	p := newProxy(t, running.URL)
	mux.Handle("/", p.Config.Handler)
	endpoint := httptest.NewServer(mux)
	defer endpoint.Close()
	proofs, err := dpop.New(dpop.Config{Issuer: endpoint.URL, Leeway: time.Minute})
	require.NoError(t, err)
	mux.HandleFunc("POST /api/v1/auth/oauth/token", func(w http.ResponseWriter, r *http.Request) {
		asked++
		proof, err := proofs.Read(r)
		if assert.NoError(t, err) {
			assert.NoError(t, proof.Spend(r.Context()))
		}
		w.Header().Set("Content-Type", "application/json")
		if asked == 1 {
			w.Header().Set("DPoP-Nonce", "n1")
			w.WriteHeader(http.StatusBadRequest)
			_, _ = w.Write([]byte(`{"error":"use_dpop_nonce"}`))
			return
		}
		claims, err := testutil.TokenClaims(r.Header.Get("DPoP"))
		assert.NoError(t, err)
		assert.Equal(t, "n1", claims["nonce"])
		assert.NoError(t, r.ParseForm())
		form = r.PostForm
		_, _ = w.Write([]byte(`{"access_token":"acting","issued_token_type":"urn:ietf:params:oauth:token-type:access_token","token_type":"DPoP","expires_in":60}`))
	})
	c := signin.Config{Issuer: endpoint.URL, DPoP: true, Scope: []string{"a", "b:c"}, Resource: []string{"https://one.example", "https://two.example"}}
	source := newSource(t, c)
	own, err := source.Token()
	require.NoError(t, err)
	token, err := source.Exchange(t.Context(), "the person's")
	require.NoError(t, err)
	const access = "urn:ietf:params:oauth:token-type:access_token"
	assert.Equal(t, map[string][]string{
		"grant_type": {"urn:ietf:params:oauth:grant-type:token-exchange"}, "subject_token": {"the person's"}, "subject_token_type": {access},
		"actor_token": {own.AccessToken}, "actor_token_type": {access}, "requested_token_type": {access},
		"scope": {"a b:c"}, "resource": {"https://one.example", "https://two.example"},
	}, form)
	assert.Equal(t, "DPoP", token.TokenType)
	assert.WithinDuration(t, time.Now().Add(time.Minute), token.Expiry, 10*time.Second)

	seen := make(chan http.Header, 1)
	service := httptest.NewServer(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) { seen <- r.Header }))
	defer service.Close()
	request, err := http.NewRequestWithContext(signin.WithToken(context.Background(), token), http.MethodGet, service.URL, nil)
	require.NoError(t, err)
	reply, err := (&http.Client{Transport: signin.NewTransport(source, nil)}).Do(request)
	require.NoError(t, err)
	require.NoError(t, reply.Body.Close())
	header := <-seen
	assert.Equal(t, "DPoP acting", header.Get("Authorization"))
	assert.NotEmpty(t, header.Get("DPoP"))

	mux.HandleFunc("POST /refused/api/v1/auth/oauth/token", func(w http.ResponseWriter, _ *http.Request) {
		w.WriteHeader(http.StatusBadRequest)
		_, _ = w.Write([]byte(`{"error":"invalid_grant","error_description":"no"}`))
	})
	mux.Handle("/refused/", http.StripPrefix("/refused", p.Config.Handler))
	c.Issuer, c.DPoP = endpoint.URL+"/refused", false
	_, err = newSource(t, c).Exchange(t.Context(), "x")
	var refused *signin.Error
	require.ErrorAs(t, err, &refused)
	assert.Equal(t, "invalid_grant", refused.Code)
	assert.Equal(t, "no", refused.Detail)
}

// A server that knows no DPoP gives no tokens to who asks for bound ones.
func TestAServerWithoutDPoP(t *testing.T) {
	running := newServer(t, nil)
	p := newProxy(t, running.URL)
	deaf := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		r.Header.Del("DPoP")
		p.Config.Handler.ServeHTTP(w, r)
	}))
	defer deaf.Close()
	_, err := newSource(t, signin.Config{Issuer: deaf.URL, DPoP: true}).Token()
	require.ErrorContains(t, err, "does not bind")
	_, err = newSource(t, signin.Config{Issuer: deaf.URL}).Token()
	require.NoError(t, err)
}

func TestKeysOfSeeds(t *testing.T) {
	running := newServer(t, map[string]any{"server_auth.supported_wallet_algorithms": strings.Join(algorithms, ",")})
	for _, algorithm := range signin.Algorithms() {
		var addresses []string
		for range 2 {
			signer, err := signin.NewSigner(algorithm, [signin.SeedSize]byte{1, 2, 3})
			require.NoError(t, err)
			source := newSource(t, signin.Config{Issuer: running.URL, Algorithm: algorithm, Signer: signer})
			_, err = source.Token()
			require.NoError(t, err, algorithm)
			addresses = append(addresses, source.Address())
		}
		assert.Equal(t, addresses[0], addresses[1])
	}
	_, err := signin.NewSigner("RSA", [signin.SeedSize]byte{})
	require.ErrorContains(t, err, "unknown algorithm")
	_, err = signin.NewSigner(signin.EIP191, [signin.SeedSize]byte{})
	require.Error(t, err)
	order := [signin.SeedSize]byte(secp256k1.Params().N.Bytes()) // is another name of 0, and so on
	_, err = signin.NewSigner(signin.Secp256k1, order)
	require.ErrorContains(t, err, "below the order of the curve")
}
