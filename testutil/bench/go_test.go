package bench_test

import (
	"testing"

	"github.com/MicahParks/keyfunc/v3"
	"github.com/coreos/go-oidc/v3/oidc"
	"github.com/golang-jwt/jwt/v5"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/picoauth/picoauth/clientauth/jose"
	"github.com/picoauth/picoauth/testutil"
)

// oidcVerifier is go-oidc as its documentation sets it up: discovery, and the audience as client id.
func oidcVerifier(t *testing.T, issuer, audience string) func(token string) error {
	t.Helper()
	provider, err := oidc.NewProvider(t.Context(), issuer)
	require.NoError(t, err)
	verifier := provider.Verifier(&oidc.Config{ClientID: audience})
	return func(token string) error {
		_, err := verifier.Verify(t.Context(), token)
		return err
	}
}

// keyfuncVerifier is golang-jwt with keyfunc.
func keyfuncVerifier(t *testing.T, jwks, issuer, audience string, algorithms ...string) func(token string) error {
	t.Helper()
	keys, err := keyfunc.NewDefaultCtx(t.Context(), []string{jwks})
	require.NoError(t, err)
	parser := jwt.NewParser(jwt.WithIssuer(issuer), jwt.WithAudience(audience), jwt.WithExpirationRequired(), jwt.WithValidMethods(algorithms))
	return func(token string) error {
		_, err := parser.Parse(token, keys.Keyfunc)
		return err
	}
}

func TestGoOIDC(t *testing.T) {
	for _, algorithm := range classical {
		t.Run(algorithm, func(t *testing.T) {
			s := newServer(t, algorithm)
			verify := oidcVerifier(t, s.URL, audience)
			require.NoError(t, verify(s.tokens["wallet"]))
			require.NoError(t, verify(s.tokens["admin"]))
			assert.Error(t, verify(s.tokens["refresh"]))
			assert.Error(t, oidcVerifier(t, s.URL, "another")(s.tokens["wallet"]))
		})
	}
}

func TestKeyfunc(t *testing.T) {
	for _, algorithm := range classical {
		t.Run(algorithm, func(t *testing.T) {
			s := newServer(t, algorithm)
			for _, jwks := range []string{s.jwks, s.classicalJWKS} {
				verify := keyfuncVerifier(t, jwks, s.URL, audience, algorithm)
				require.NoError(t, verify(s.tokens["wallet"]))
				require.NoError(t, verify(s.tokens["admin"]))
				assert.Error(t, verify(s.tokens["refresh"]))
			}
		})
	}
}

// Both judge the fake issuer's tokens alike, but for what neither of them looks at: a refresh token is a token to them,
// and keyfunc passes over "crit". ML-DSA keys in the same set disturb neither.
func TestGoLibrariesAndTheFakeIssuer(t *testing.T) {
	lenient := map[testutil.Flaw]bool{testutil.RefreshToken: true, testutil.UnknownExtension: true}
	for _, algorithm := range classical {
		issuer := testutil.NewIssuer(t, testutil.IssuerConfig{Algorithms: []string{algorithm, jose.MLDSA65}})
		for name, verify := range map[string]func(string) error{
			"go-oidc": oidcVerifier(t, issuer.Name, issuer.Audience),
			"keyfunc": keyfuncVerifier(t, issuer.JWKS.URL, issuer.Name, issuer.Audience, algorithm),
		} {
			for flaw, token := range flawedTokens(issuer, algorithm) {
				if flaw == "good" {
					assert.NoError(t, verify(token), name)
				} else if !lenient[testutil.Flaw(flaw)] {
					assert.Error(t, verify(token), "%s: %s", name, flaw)
				}
			}
		}
	}
}
