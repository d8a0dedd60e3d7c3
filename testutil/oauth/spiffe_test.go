package oauth_test

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"encoding/json"
	"net/http"
	"net/http/httptest"
	"net/url"
	"testing"
	"time"

	"github.com/go-jose/go-jose/v4"
	"github.com/go-jose/go-jose/v4/jwt"
	"github.com/spiffe/go-spiffe/v2/bundle/spiffebundle"
	"github.com/spiffe/go-spiffe/v2/spiffeid"
	"github.com/spiffe/go-spiffe/v2/svid/jwtsvid"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// A JWT-SVID that go-spiffe takes is taken, and so is the bundle that go-spiffe writes; what go-spiffe refuses is refused.
func TestSPIFFE(t *testing.T) {
	domain := spiffeid.RequireTrustDomainFromString("example.org")
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	require.NoError(t, err)
	stolen, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	require.NoError(t, err)
	bundle := spiffebundle.New(domain)
	require.NoError(t, bundle.AddJWTAuthority("authority", key.Public()))
	text, err := bundle.Marshal()
	require.NoError(t, err)
	require.Contains(t, string(text), "jwt-svid")
	federation := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { _, _ = w.Write(text) }))
	t.Cleanup(federation.Close)
	const discovery = "- issuer: https://oidc-discovery.example.org"
	issuer := runServer(t, documented(t, "workloads.md", "yaml", discovery, discovery+"\n      jwks_url: "+federation.URL))

	const audience = documentedIssuer
	mint := func(with *ecdsa.PrivateKey, typ jose.ContentType, changes object) string {
		options := (&jose.SignerOptions{}).WithHeader("kid", "authority")
		if typ != "" {
			options = options.WithType(typ)
		}
		signer, err := jose.NewSigner(jose.SigningKey{Algorithm: jose.ES256, Key: with}, options)
		require.NoError(t, err)
		now := time.Now()
		claims := object{"iss": "https://oidc-discovery.example.org", "sub": "spiffe://example.org/ns/payments/sa/biller", "aud": []string{audience},
			"iat": now.Unix(), "exp": now.Add(5 * time.Minute).Unix()}
		for name, value := range changes {
			claims[name] = value
		}
		svid, err := jwt.Signed(signer).Claims(claims).Serialize()
		require.NoError(t, err)
		return svid
	}
	token := func(svid string) (int, object) {
		form := url.Values{"grant_type": {"urn:ietf:params:oauth:grant-type:jwt-bearer"}, "assertion": {svid}, "scope": {"invoices"}}
		reply, err := http.PostForm(issuer+"/api/v1/auth/oauth/token", form) //nolint:noctx // the server is the test's own
		require.NoError(t, err)
		defer func() { _ = reply.Body.Close() }()
		var members object
		require.NoError(t, json.NewDecoder(reply.Body).Decode(&members))
		return reply.StatusCode, members
	}
	for name, c := range map[string]struct {
		svid  string
		taken bool
	}{
		"as SPIRE makes them": {mint(key, "JWT", nil), true},
		"typ JOSE":            {mint(key, "JOSE", nil), true},
		"without typ":         {mint(key, "", nil), true},
		"another audience":    {mint(key, "JWT", object{"aud": []string{"https://other.example.com"}}), false},
		"expired":             {mint(key, "JWT", object{"iat": 1, "exp": 2}), false},
		"another key":         {mint(stolen, "JWT", nil), false},
		"another type":        {mint(key, "at+jwt+x", nil), false},
		"no SPIFFE ID":        {mint(key, "JWT", object{"sub": "biller"}), false},
	} {
		found, err := jwtsvid.ParseAndValidate(c.svid, bundle, []string{audience})
		assert.Equal(t, c.taken, err == nil, "%s: go-spiffe: %v", name, err)
		status, reply := token(c.svid)
		if !c.taken {
			assert.Equal(t, http.StatusBadRequest, status, "%s: %v", name, reply)
			assert.Equal(t, "invalid_grant", reply["error"], name)
			continue
		}
		require.Equal(t, http.StatusOK, status, "%s: %v", name, reply)
		claims, err := jwt.ParseSigned(reply["access_token"].(string), []jose.SignatureAlgorithm{jose.RS256})
		require.NoError(t, err)
		var who struct {
			Subject string `json:"sub"`
			Client  string `json:"client_id"`
		}
		require.NoError(t, claims.UnsafeClaimsWithoutVerification(&who))
		assert.Equal(t, "https://oidc-discovery.example.org "+found.ID.String(), who.Subject)
		assert.Equal(t, "payments", who.Client)
		status, _ = token(c.svid)
		assert.Equal(t, http.StatusBadRequest, status, "%s: it serves once", name)
	}
	status, reply := token(mint(key, "JWT", object{"sub": "spiffe://example.org/ns/other/sa/biller"}))
	assert.Equal(t, []any{http.StatusBadRequest, "invalid_grant"}, []any{status, reply["error"]}, "a JWT-SVID of nobody who is known")
}
