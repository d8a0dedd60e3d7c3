package bench_test

import (
	"errors"
	"net/http"
	"slices"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/picoauth/picoauth/clientauth/jose"
	"github.com/picoauth/picoauth/testutil"
)

// PyJWT accepts our server's tokens under the rules of the Python resource server, and no refresh token.
func TestPyJWT(t *testing.T) {
	for _, algorithm := range classical {
		t.Run(algorithm, func(t *testing.T) {
			s := newServer(t, algorithm)
			var got verdicts
			runPython(t, "verify.py", s.question(s.jwks), &got)
			got.accepted(t, "wallet")
			got.accepted(t, "admin")
			got.refused(t, "refresh")
		})
	}
}

// The fake issuer's flaws mean the same to PyJWT, but for three that those rules let pass.
func TestPyJWTAndTheFakeIssuer(t *testing.T) {
	lenient := []testutil.Flaw{testutil.NoExpiry, testutil.RefreshToken, testutil.UnknownExtension}
	for _, algorithm := range classical {
		issuer := testutil.NewIssuer(t, testutil.IssuerConfig{Algorithms: []string{algorithm, jose.MLDSA65}})
		var got verdicts
		runPython(t, "verify.py", question{issuer.Name, issuer.Audience, issuer.JWKS.URL, flawedTokens(issuer, algorithm)}, &got)
		got.accepted(t, "good")
		for _, flaw := range testutil.Flaws() {
			if !slices.Contains(lenient, flaw) {
				got.refused(t, string(flaw))
			}
		}
	}
}

// A service with clientauth, told no more than the Python server's URL and audience, accepts what that server issues.
func TestTokensOfThePythonServer(t *testing.T) {
	var minted minted
	issuer := publish(t, &minted.JWKS)
	runPython(t, "mint.py", question{Issuer: issuer, Audience: audience}, &minted)
	require.Len(t, minted.Tokens, 8)
	service := protected(t, issuer)
	for name, token := range minted.Tokens {
		var caller struct{ Subject, Role string }
		err := testutil.Get(t.Context(), service.URL+"/me", token, &caller)
		switch kind, _, _ := strings.Cut(name, " "); kind {
		case "wallet", "admin":
			require.NoError(t, err, name)
			assert.Equal(t, kind, caller.Role, name)
			assert.NotEmpty(t, caller.Subject, name)
		default:
			var refused *testutil.StatusError
			require.True(t, errors.As(err, &refused), "%s: %v", name, err)
			assert.Equal(t, http.StatusUnauthorized, refused.Status, name)
		}
	}
}
