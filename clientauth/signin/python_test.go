package signin_test

import (
	"crypto/ed25519"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"net/http"
	"net/http/httptest"
	"path/filepath"
	"sync/atomic"
	"testing"
	"time"

	"github.com/decred/dcrd/dcrec/secp256k1/v4"
	"github.com/decred/dcrd/dcrec/secp256k1/v4/ecdsa"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/picoauth/picoauth/clientauth/signin"
	"github.com/picoauth/picoauth/testutil/tokentest"
)

// pythonServer answers with the recorded shapes of pico-server-auth 0.2: a bare nonce of 64 hex digits, ECDSA signatures in DER
// only, tokens without token_type and expires_in, errors with detail alone, and no endpoint that refreshes.
func pythonServer(t *testing.T) (issuer string, signIns *atomic.Int64) {
	t.Helper()
	const nonce = "e8b0f6b2210377cd90e045f144e7c57ed39360c545e43dbe9d7f05ac7bb5321d"
	signIns = new(atomic.Int64)
	refuse := func(w http.ResponseWriter, status int, detail string) {
		w.Header().Set("Content-Type", "application/json")
		w.WriteHeader(status)
		fmt.Fprintf(w, `{"detail":%q}`, detail)
	}
	signer := tokentest.Fresh("ES256")
	mux := http.NewServeMux()
	mux.HandleFunc("POST /api/v1/auth/challenge", func(w http.ResponseWriter, _ *http.Request) {
		fmt.Fprintf(w, `{"challenge":%q,"ttl":60}`, nonce)
	})
	mux.HandleFunc("POST /api/v1/auth/sign-in", func(w http.ResponseWriter, r *http.Request) {
		var asked map[string]string
		if json.NewDecoder(r.Body).Decode(&asked) != nil || asked["challenge"] != nonce {
			refuse(w, http.StatusUnauthorized, "invalid or expired challenge")
			return
		}
		public, _ := hex.DecodeString(asked["public_key"])
		signature, _ := hex.DecodeString(asked["signature"])
		if !pythonVerifies(asked["algorithm"], public, []byte(nonce), signature) {
			refuse(w, http.StatusUnauthorized, "signature verification failed")
			return
		}
		signIns.Add(1)
		now := time.Now().Unix()
		access := signer.Token(tokentest.Object{"sub": asked["address"], "iat": now, "exp": now + 900, "role": "wallet"})
		fmt.Fprintf(w, `{"access_token":%q,"refresh_token":"r","address":%q,"algorithm":%q}`, access, asked["address"], asked["algorithm"])
	})
	mux.HandleFunc("/", func(w http.ResponseWriter, _ *http.Request) { refuse(w, http.StatusNotFound, "Not Found") })
	running := httptest.NewServer(mux)
	t.Cleanup(running.Close)
	return running.URL, signIns
}

func pythonVerifies(algorithm string, public, text, signature []byte) bool {
	if algorithm == signin.Ed25519 {
		return len(public) == ed25519.PublicKeySize && ed25519.Verify(public, text, signature)
	}
	key, err := secp256k1.ParsePubKey(public)
	if err != nil {
		return false
	}
	parsed, err := ecdsa.ParseDERSignature(signature)
	digest := sha256.Sum256(text)
	return err == nil && parsed.Verify(digest[:], key)
}

func TestPythonsServerSignsIn(t *testing.T) {
	for _, algorithm := range []string{signin.Ed25519, signin.Secp256k1} {
		t.Run(algorithm, func(t *testing.T) {
			issuer, signIns := pythonServer(t)
			state := filepath.Join(t.TempDir(), "state.json")
			c := signin.Config{Issuer: issuer, Algorithm: algorithm, Signer: newSigner(t, algorithm), StateFile: state}
			first, err := newSource(t, c).Token()
			require.NoError(t, err)
			assert.Equal(t, "Bearer", first.Type())
			assert.WithinDuration(t, time.Now().Add(15*time.Minute), first.Expiry, time.Minute, "the expiry is that of the token")
			again, err := newSource(t, c).Token()
			require.NoError(t, err)
			assert.Equal(t, first.AccessToken, again.AccessToken, "the state file holds it")

			expire(t, state)
			_, err = newSource(t, c).Token()
			require.NoError(t, err, "a server that cannot refresh gets a new sign-in")
			assert.EqualValues(t, 2, signIns.Load())
		})
	}
}

func TestPythonsRefusalIsSaid(t *testing.T) {
	issuer, _ := pythonServer(t)
	_, err := newSource(t, signin.Config{Issuer: issuer, Algorithm: signin.EIP191}).Token()
	require.ErrorContains(t, err, "the server answered 401: signature verification failed")
}
