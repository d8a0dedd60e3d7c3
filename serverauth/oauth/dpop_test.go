package oauth_test

import (
	"net/http"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/picoauth/picoauth/testutil"
)

// TestTokensAreBoundToTheKeyOfAProof goes through the grants with DPoP (RFC 9449).
func TestTokensAreBoundToTheKeyOfAProof(t *testing.T) {
	s := startRealServer(t, map[string]any{})
	key, other := testutil.NewProofKey("ES256"), testutil.NewProofKey("EdDSA")
	proof := func(k testutil.ProofKey) string { return k.Proof(http.MethodPost, s.endpoint("/token"), "", nil) }
	w := newWallet(t, "eip191")

	asked := newAsk("dpop_jkt", key.Thumbprint())
	code := s.browser().code(asked, w)
	once := proof(key)
	reply := s.exchange(asked, code, "DPoP", once)
	require.Equal(t, http.StatusOK, reply.StatusCode, reply.body)
	tokens := reply.json(t)
	assert.Equal(t, "DPoP", tokens["token_type"])
	assert.Equal(t, map[string]any{"jkt": key.Thumbprint()}, claimsOf(t, tokens["access_token"])["cnf"])
	assert.Equal(t, http.StatusUnauthorized, s.userinfo(tokens["access_token"]).StatusCode, "without a proof it is worth nothing")

	refresh := func(token any, proof string) answer {
		return s.token("grant_type", "refresh_token", "refresh_token", token.(string), "DPoP", proof)
	}
	refresh(tokens["refresh_token"], "").refused(t, 400, "invalid_grant")
	refresh(tokens["refresh_token"], proof(other)).refused(t, 400, "invalid_grant")
	refresh(tokens["refresh_token"], once).refused(t, 400, "invalid_dpop_proof")
	refresh(tokens["refresh_token"], "a.b.c").refused(t, 400, "invalid_dpop_proof")
	next := refresh(tokens["refresh_token"], proof(key))
	require.Equal(t, http.StatusOK, next.StatusCode, next.body)
	assert.Equal(t, map[string]any{"jkt": key.Thumbprint()}, claimsOf(t, next.json(t)["access_token"])["cnf"])

	again := newAsk("dpop_jkt", key.Thumbprint())
	stolen := s.browser().code(again, w)
	s.exchange(again, stolen).refused(t, 400, "invalid_grant")
	s.exchange(again, stolen, "DPoP", proof(key)).refused(t, 400, "invalid_grant")

	own := s.tokenAs("job", "grant_type", "client_credentials", "DPoP", proof(key)).json(t)
	assert.Equal(t, "DPoP", own["token_type"])
	assert.Equal(t, map[string]any{"jkt": key.Thumbprint()}, claimsOf(t, own["access_token"])["cnf"])
	_, query := s.browser().authorize(newAsk("dpop_jkt", "short")).at(t)
	assert.Equal(t, "invalid_request", query.Get("error"))
}

// TestAClientThatGetsBoundTokensOnly is refused without a proof at every grant (RFC 9449, section 5.2), and nothing is spent.
func TestAClientThatGetsBoundTokensOnly(t *testing.T) {
	clients := defaultClients()
	for _, one := range clients {
		one.(map[string]any)["dpop_bound_access_tokens"] = true
	}
	s := startServer(t, map[string]any{"clients": clients}, map[string]any{"real_clock": true})
	key := testutil.NewProofKey("ES256")
	proof := func() string { return key.Proof(http.MethodPost, s.endpoint("/token"), "", nil) }

	asked := newAsk()
	code := s.browser().code(asked, newWallet(t, "eip191"))
	s.exchange(asked, code).refused(t, 400, "invalid_dpop_proof")
	reply := s.exchange(asked, code, "DPoP", proof())
	require.Equal(t, http.StatusOK, reply.StatusCode, reply.body)
	tokens := reply.json(t)
	assert.Equal(t, "DPoP", tokens["token_type"])
	refresh := []string{"grant_type", "refresh_token", "refresh_token", tokens["refresh_token"].(string)}
	s.token(refresh...).refused(t, 400, "invalid_dpop_proof")
	assert.Equal(t, http.StatusOK, s.token(append(refresh, "DPoP", proof())...).StatusCode)
	s.tokenAs("job", "grant_type", "client_credentials").refused(t, 400, "invalid_dpop_proof")
	assert.Equal(t, http.StatusOK, s.tokenAs("job", "grant_type", "client_credentials", "DPoP", proof()).StatusCode)
}
