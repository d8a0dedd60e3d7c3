package signin_test

import (
	"encoding/json"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync/atomic"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/picoauth/picoauth/clientauth/signin"
)

// TestNothingButASignInIsSigned: a server cannot have a program sign what it likes, nor pass another server's message on to a program
// that binds its tokens to a key.
func TestNothingButASignInIsSigned(t *testing.T) {
	running := newServer(t, nil)
	var change func(given map[string]any)
	var signed atomic.Int32
	evil := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if !strings.HasSuffix(r.URL.Path, "/challenge") {
			signed.Add(1)
			w.WriteHeader(http.StatusTeapot)
			return
		}
		reply, err := http.Post(running.URL+r.URL.Path, "application/json", r.Body)
		if err != nil {
			return
		}
		defer reply.Body.Close()
		var given map[string]any
		_ = json.NewDecoder(reply.Body).Decode(&given)
		change(given)
		_ = json.NewEncoder(w).Encode(given)
	}))
	defer evil.Close()
	replace := func(old, with string) func(map[string]any) {
		return func(given map[string]any) {
			given["message"] = strings.Replace(given["message"].(string), old, with, 1)
		}
	}
	for name, change1 := range map[string]func(map[string]any){
		"whatever":          func(given map[string]any) { given["message"] = "I owe you everything." },
		"no sign-in":        replace("wants you to sign in", "wants you to pay"),
		"another nonce":     replace("Nonce: ", "Nonce: 0"),
		"another proof key": replace("jwk-thumbprint:sha-256:", "jwk-thumbprint:sha-256:A"),
		"another account": func(given map[string]any) {
			given["message"] = strings.Split(given["message"].(string), "\n")[0] + "\nx\n"
		},
		"no nonce": func(given map[string]any) { given["challenge"], given["message"] = "transfer all", "" },
	} {
		change = change1
		_, err := newSource(t, signin.Config{Issuer: evil.URL, Algorithm: signin.Solana, DPoP: true}).Token()
		require.ErrorContains(t, err, "not a sign-in message for this key", name)
	}
	assert.Zero(t, signed.Load(), "no signature has left the program")
	change = func(map[string]any) {}
	_, err := newSource(t, signin.Config{Issuer: evil.URL, Algorithm: signin.Solana, DPoP: true}).Token()
	require.Error(t, err)
	assert.EqualValues(t, 1, signed.Load(), "the message as it is")
}
