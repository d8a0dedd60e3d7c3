package wallet_test

import (
	"bytes"
	"context"
	"encoding/hex"
	"encoding/json"
	"net/http"
	"net/http/httptest"
	"net/url"
	"sync"
	"testing"

	"github.com/labstack/echo/v4"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"go.uber.org/fx"

	"github.com/picoauth/picoauth/app"
	"github.com/picoauth/picoauth/clientauth"
	"github.com/picoauth/picoauth/serverauth"
	"github.com/picoauth/picoauth/serverauth/wallet"
	"github.com/picoauth/picoauth/testutil"
)

// counted is a server with everything in it, of which is known how often a request has an address read.
type counted struct {
	t    *testing.T
	e    *echo.Echo
	mu   sync.Mutex
	read []string
}

func newCounted(t *testing.T) *counted {
	s := &counted{t: t}
	a := app.New(
		app.ConfigMap(map[string]any{
			"app.port": 0, "app.log_level": "error", "server_auth.algorithm": "EdDSA",
			"server_auth.supported_wallet_algorithms": []string{"ML-DSA-44", "ML-DSA-65", "ML-DSA-87", "Ed25519", "secp256k1", "eip191"},
		}),
		serverauth.Module, clientauth.Module, fx.Populate(&s.e),
	)
	require.NoError(t, a.Start(t.Context()))
	t.Cleanup(func() { require.NoError(t, a.Stop(context.Background())) })
	s.e.GET("/protected", func(c echo.Context) error { return c.NoContent(http.StatusNoContent) })
	t.Cleanup(wallet.OnRead(func(text string) {
		s.mu.Lock()
		defer s.mu.Unlock()
		s.read = append(s.read, text)
	}))
	return s
}

// ask sends a request, expects its status and its reads of an address, and returns the reply.
func (s *counted) ask(reads, status int, method, path, bearer string, body any) (reply map[string]any) {
	s.t.Helper()
	text, err := json.Marshal(body)
	require.NoError(s.t, err)
	r := httptest.NewRequest(method, path, bytes.NewReader(text))
	r.Header.Set("Content-Type", "application/json")
	if bearer != "" {
		r.Header.Set("Authorization", "Bearer "+bearer)
	}
	s.mu.Lock()
	s.read = nil
	s.mu.Unlock()
	w := httptest.NewRecorder()
	s.e.ServeHTTP(w, r)
	require.Equal(s.t, status, w.Code, "%s %s: %s", method, path, w.Body)
	s.mu.Lock()
	defer s.mu.Unlock()
	assert.Len(s.t, s.read, reads, "%s %s reads %q", method, path, s.read)
	_ = json.Unmarshal(w.Body.Bytes(), &reply)
	return reply
}

func signatureOf(t *testing.T, w *testutil.Wallet, challenge map[string]any) string {
	signature, err := w.Sign([]byte(challenge["message"].(string)))
	require.NoError(t, err)
	return hex.EncodeToString(signature)
}

// An address is read where it enters, once: of the texts of a request that hold one, each, and nothing of it afterwards.
func TestAnAddressIsReadOnceARequest(t *testing.T) {
	const prefix = "/api/v1/auth"
	for _, kind := range testutil.WalletAlgorithms() {
		t.Run(kind, func(t *testing.T) {
			s := newCounted(t)
			w, err := testutil.NewWallet(kind)
			require.NoError(t, err)
			algorithm := w.Algorithm
			joining, err := testutil.NewWallet("eip191")
			require.NoError(t, err)

			asked := map[string]any{"address": w.Address, "algorithm": algorithm, "domain": "http://localhost:8100"}
			challenge := s.ask(1, http.StatusOK, http.MethodPost, prefix+"/challenge", "", asked)
			signed := map[string]any{
				"algorithm": algorithm, "public_key": w.PublicKeyHex(), "message": challenge["message"],
				"signature": signatureOf(t, w, challenge),
			}
			s.ask(1, http.StatusOK, http.MethodPost, prefix+"/sign-in", "", signed)

			challenge = s.ask(1, http.StatusOK, http.MethodPost, prefix+"/challenge", "", asked)
			signed["message"], signed["address"], signed["challenge"] = challenge["message"], w.Address, challenge["challenge"]
			signed["signature"] = signatureOf(t, w, challenge)
			tokens := s.ask(2, http.StatusOK, http.MethodPost, prefix+"/sign-in", "", signed) // the field's and the message's
			s.ask(2, http.StatusUnauthorized, http.MethodPost, prefix+"/sign-in", "", signed) // the nonce is spent
			access := tokens["access_token"].(string)

			s.ask(0, http.StatusNoContent, http.MethodGet, "/protected", access, nil)
			tokens = s.ask(0, http.StatusOK, http.MethodPost, prefix+"/refresh", "", map[string]any{"refresh_token": tokens["refresh_token"]})
			access = tokens["access_token"].(string)

			asked = map[string]any{"address": joining.Address, "join": true}
			challenge = s.ask(1, http.StatusOK, http.MethodPost, prefix+"/challenge", access, asked)
			s.ask(1, http.StatusOK, http.MethodPost, prefix+"/wallets", access, map[string]any{
				"message": challenge["message"], "signature": signatureOf(t, joining, challenge),
			})
			s.ask(0, http.StatusOK, http.MethodGet, prefix+"/wallets", access, nil)
			s.ask(1, http.StatusNoContent, http.MethodDelete, prefix+"/wallets/"+url.PathEscape(joining.Address), access, nil)
			s.ask(0, http.StatusNoContent, http.MethodPost, prefix+"/logout", "", map[string]any{"refresh_token": tokens["refresh_token"]})
		})
	}
}
