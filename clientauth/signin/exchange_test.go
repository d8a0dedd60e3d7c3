package signin_test

import (
	"context"
	"crypto"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"encoding/json"
	"fmt"
	"net"
	"net/http"
	"net/http/httptest"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/picoauth/picoauth/app"
	"github.com/picoauth/picoauth/clientauth"
	"github.com/picoauth/picoauth/clientauth/jose"
	"github.com/picoauth/picoauth/clientauth/signin"
	"github.com/picoauth/picoauth/serverauth"
	"github.com/picoauth/picoauth/serverauth/claims"
	"github.com/picoauth/picoauth/serverauth/oauth"
	"github.com/picoauth/picoauth/serverauth/store"
	"github.com/picoauth/picoauth/testutil"
)

const assistantSecret = "the secret of the assistant that nobody guesses"

// newAgentServer runs an authorization server for an agent with a secret, and one with the key that is published.
func newAgentServer(t testing.TB, key crypto.PublicKey) string {
	t.Helper()
	keys := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		assert.NoError(t, json.NewEncoder(w).Encode(jose.Set{Keys: []jose.Key{{ID: "of-the-agent", Algorithm: jose.ES256, Public: key}}}))
	}))
	t.Cleanup(keys.Close)
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	require.NoError(t, err)
	port := listener.Addr().(*net.TCPAddr).Port
	require.NoError(t, listener.Close())
	issuer := fmt.Sprintf("http://127.0.0.1:%d", port)
	rule := map[string]any{"roles": []string{"wallet"}, "scopes": []string{"read"}, "resources": []string{"https://one.example/"}}
	everybody := claims.ProviderFunc(func(context.Context, store.Subject) (claims.Claims, error) {
		return claims.Claims{Scope: "read write"}, nil
	})
	testutil.NewApp(t, serverauth.Module, oauth.Module, clientauth.Module, testutil.WithClaimsProvider(everybody), app.ConfigMap(map[string]any{
		"app": map[string]any{"port": port}, "server_auth": map[string]any{"issuer": issuer, "algorithm": "EdDSA", "rate_limit_per_minute": 0},
		"oauth": map[string]any{
			"scopes": map[string]any{"read": "read", "write": "write"}, "resources": []any{map[string]any{"uri": "https://one.example/"}},
			"clients": []any{
				map[string]any{"id": "assistant", "secret": assistantSecret, "may_act": []any{rule}},
				map[string]any{"id": "keyed", "auth_method": "private_key_jwt", "jwks_uri": keys.URL, "may_act": []any{rule}},
			},
		},
	}))
	return issuer
}

// An agent with a key of its own and a client acts for a person who has called it.
func TestAnAgentActsForAPerson(t *testing.T) {
	signer, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	require.NoError(t, err)
	issuer := newAgentServer(t, signer.Public())
	person, err := newSource(t, signin.Config{Issuer: issuer}).Token()
	require.NoError(t, err)
	for id, c := range map[string]signin.Config{
		"assistant": {ClientSecret: assistantSecret}, "keyed": {ClientSigner: signer, ClientKeyID: "of-the-agent"},
	} {
		c.Issuer, c.ClientID, c.DPoP = issuer, id, true
		for _, resource := range [][]string{nil, {"https://one.example/"}} {
			c.Signer, c.Resource = newSigner(t, signin.Ed25519), resource
			agent := newSource(t, c)
			token, err := agent.Exchange(t.Context(), person.AccessToken)
			require.NoError(t, err, id)
			own, err := agent.Token()
			require.NoError(t, err)
			assert.Equal(t, "DPoP", token.TokenType)
			assert.Equal(t, bound(t, own.AccessToken), bound(t, token.AccessToken))
			got, err := testutil.TokenClaims(token.AccessToken)
			require.NoError(t, err)
			theirs, err := testutil.TokenClaims(person.AccessToken)
			require.NoError(t, err)
			assert.Equal(t, theirs["sub"], got["sub"])
			assert.Equal(t, "read", got["scope"])
			assert.Equal(t, map[string]any{"sub": agent.Address(), "client_id": id}, got["act"])
			if resource != nil {
				assert.Equal(t, resource[0], got["aud"])
			}
		}
		c.Scope = []string{"write"}
		_, err := newSource(t, c).Exchange(t.Context(), person.AccessToken)
		var refused *signin.Error
		require.ErrorAs(t, err, &refused)
		assert.Equal(t, "invalid_scope", refused.Code)
	}
	_, err = newSource(t, signin.Config{Issuer: issuer, DPoP: true}).Exchange(t.Context(), person.AccessToken)
	var refused *signin.Error
	require.ErrorAs(t, err, &refused, "without a client")
	assert.Equal(t, "invalid_client", refused.Code)
}

func TestAClientThatCannotBe(t *testing.T) {
	key := newSigner(t, signin.Ed25519)
	for want, c := range map[string]signin.Config{
		"ClientID is missing": {ClientSecret: "x", DPoP: true}, "needs either": {ClientID: "a", DPoP: true},
		"needs either ClientSecret or": {ClientID: "a", DPoP: true, ClientSecret: "x", ClientSigner: key}, "needs Config.DPoP": {ClientID: "a", ClientSecret: "x"},
		"Config.ClientSigner has a": {ClientID: "a", DPoP: true, ClientSigner: newSigner(t, signin.MLDSA44)},
	} {
		c.Issuer, c.Algorithm, c.Signer = "https://auth.example.com", signin.Ed25519, key
		_, err := signin.NewSource(c)
		require.ErrorContains(t, err, want)
	}
}
