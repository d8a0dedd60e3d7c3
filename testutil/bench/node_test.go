package bench_test

import (
	"encoding/json"
	"net/http"
	"net/http/httptest"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/picoauth/picoauth/clientauth"
	"github.com/picoauth/picoauth/clientauth/jose"
	"github.com/picoauth/picoauth/testutil"
)

// The package jose of npm verifies what our server issues, by the whole key set and by the one that discovery tells.
func TestJoseOfNode(t *testing.T) {
	for _, algorithm := range classical {
		t.Run(algorithm, func(t *testing.T) {
			s := newServer(t, algorithm)
			for _, jwks := range []string{s.jwks, s.classicalJWKS} {
				var got verdicts
				runNode(t, "verify.mjs", s.question(jwks), &got)
				got.accepted(t, "wallet")
				got.accepted(t, "admin")
				got.refused(t, "refresh")
			}
		})
	}
}

// It takes every good token of the fake issuer, though ML-DSA keys stand in the same set, and refuses every flaw.
func TestJoseOfNodeAndTheFakeIssuer(t *testing.T) {
	for _, algorithm := range []string{jose.RS256, jose.PS256, jose.ES256, jose.ES384, jose.EdDSA, jose.Ed25519} {
		issuer := testutil.NewIssuer(t, testutil.IssuerConfig{Algorithms: []string{algorithm, jose.MLDSA65}})
		var got verdicts
		runNode(t, "verify.mjs", question{issuer.Name, issuer.Audience, issuer.JWKS.URL, flawedTokens(issuer, algorithm)}, &got)
		got.accepted(t, "good")
		for _, flaw := range testutil.Flaws() {
			got.refused(t, string(flaw))
		}
	}
}

// An implementation of ML-DSA in JavaScript verifies the signatures of our server.
func TestMLDSAOfNode(t *testing.T) {
	for _, algorithm := range []string{jose.MLDSA44, jose.MLDSA65, jose.MLDSA87} {
		t.Run(algorithm, func(t *testing.T) {
			s := newServer(t, algorithm)
			q := s.question(s.jwks)
			issuer := testutil.NewIssuer(t, testutil.IssuerConfig{Name: s.URL, Algorithms: []string{algorithm}})
			q.Tokens["of another issuer"] = issuer.Mint(testutil.Token{})
			var got verdicts
			runNode(t, "mldsa.mjs", q, &got)
			got.accepted(t, "wallet")
			got.accepted(t, "admin")
			got.refused(t, "refresh")
			got.refused(t, "of another issuer")

			q = question{issuer.Name, issuer.Audience, issuer.JWKS.URL, flawedTokens(issuer, algorithm)}
			got = nil
			runNode(t, "mldsa.mjs", q, &got)
			got.accepted(t, "good")
			for _, flaw := range []testutil.Flaw{testutil.TamperedClaims, testutil.TamperedSignature, testutil.StolenKeyID} {
				got.refused(t, string(flaw))
			}
		})
	}
}

// The other way round: we accept the tokens that it signs.
func TestTokensOfMLDSAOfNode(t *testing.T) {
	var minted minted
	issuer := "https://auth.example.com"
	runNode(t, "mldsa_mint.mjs", question{Issuer: issuer, Audience: audience}, &minted)
	keys, skipped, err := jose.ParseSet(minted.JWKS)
	require.NoError(t, err)
	require.Empty(t, skipped)
	validator, err := clientauth.NewTokenValidator(clientauth.ValidatorConfig{Leeway: time.Minute,
		Issuers: []clientauth.TrustedIssuer{{Issuer: issuer, Audience: audience, Keys: clientauth.NewKeyMap(keys...),
			Algorithms: []string{jose.MLDSA44, jose.MLDSA65, jose.MLDSA87}}}})
	require.NoError(t, err)
	require.Len(t, minted.Tokens, 3)
	for algorithm, token := range minted.Tokens {
		caller, err := validator.Validate(t.Context(), token)
		require.NoError(t, err, algorithm)
		require.Equal(t, "noble", caller.Subject)
	}
}

// minted is what the scripts that make tokens print.
type minted struct {
	JWKS   json.RawMessage   `json:"jwks"`
	Tokens map[string]string `json:"tokens"`
}

// publish serves a key set where serverauth and the Python server have it, and returns the issuer's URL.
func publish(t *testing.T, jwks *json.RawMessage) string {
	t.Helper()
	mux := http.NewServeMux()
	mux.HandleFunc("GET /api/v1/auth/jwks", func(w http.ResponseWriter, _ *http.Request) { _, _ = w.Write(*jwks) })
	issuer := httptest.NewServer(mux)
	t.Cleanup(issuer.Close)
	return issuer.URL
}
