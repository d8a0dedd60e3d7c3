package examples_test

import (
	"crypto"
	"crypto/hmac"
	"crypto/rand"
	"crypto/rsa"
	"crypto/sha256"
	"crypto/x509"
	"encoding/base64"
	"encoding/json"
	"encoding/pem"
	"fmt"
	"maps"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"go.uber.org/fx"

	"github.com/picoauth/picoauth/app"
	"github.com/picoauth/picoauth/clientauth/jose"
	"github.com/picoauth/picoauth/serverauth"
	"github.com/picoauth/picoauth/serverauth/keys"
	"github.com/picoauth/picoauth/testutil"
	"github.com/picoauth/picoauth/testutil/services"
)

// forge makes a token of any header and claims. signature gets the text to sign.
func forge(t *testing.T, header, claims map[string]any, signature func(text []byte) []byte) string {
	t.Helper()
	part := func(v any) string {
		text, err := json.Marshal(v)
		require.NoError(t, err)
		return base64.RawURLEncoding.EncodeToString(text)
	}
	text := part(header) + "." + part(claims)
	return text + "." + base64.RawURLEncoding.EncodeToString(signature([]byte(text)))
}

func unsigned([]byte) []byte { return nil }

func byHMAC(secret []byte) func([]byte) []byte {
	return func(text []byte) []byte {
		mac := hmac.New(sha256.New, secret)
		mac.Write(text)
		return mac.Sum(nil)
	}
}

func byRSA(key *rsa.PrivateKey) func([]byte) []byte {
	return func(text []byte) []byte {
		sum := sha256.Sum256(text)
		signature, _ := rsa.SignPKCS1v15(nil, key, crypto.SHA256, sum[:]) // the key is good
		return signature
	}
}

// decoded returns the header and the claims of a token.
func decoded(t *testing.T, token string) (header, claims map[string]any) {
	t.Helper()
	parts := strings.Split(token, ".")
	for i, target := range []*map[string]any{&header, &claims} {
		text, err := base64.RawURLEncoding.DecodeString(parts[i])
		require.NoError(t, err)
		require.NoError(t, json.Unmarshal(text, target))
	}
	return header, claims
}

// changed returns a copy of the object with other fields; nil leaves one out.
func changed(object map[string]any, fields map[string]any) map[string]any {
	next := maps.Clone(object)
	maps.Copy(next, fields)
	maps.DeleteFunc(next, func(_ string, v any) bool { return v == nil })
	return next
}

// refused asserts that the profile of a service is not shown to the holder of a token.
func refused(t *testing.T, url, token string) {
	t.Helper()
	r := get(t, url+"/api/profile", token)
	assert.Equal(t, 401, r.status, "%s", r.body)
	assert.Contains(t, r.header.Get("WWW-Authenticate"), `error="invalid_token"`)
	assert.Equal(t, "application/problem+json", r.header.Get("Content-Type"))
	assert.NotContains(t, r.body, "subject")
}

func TestResourceAcceptsTheTokensOfItsIssuerOnly(t *testing.T) {
	issuer := serve(t, "standalone", issuerSettings(services.FreePort(t), "")...)
	stranger := serve(t, "standalone", issuerSettings(services.FreePort(t), "")...)
	resource := serve(t, "resource", resourceSettings(issuer.url)...)
	w, err := testutil.NewWallet("Ed25519")
	require.NoError(t, err)
	in, err := testutil.SignIn(t.Context(), issuer.url, w)
	require.NoError(t, err)
	elsewhere, err := testutil.SignIn(t.Context(), stranger.url, w)
	require.NoError(t, err)

	accepted := get(t, resource.url+"/api/profile", in.AccessToken)
	require.Equal(t, 200, accepted.status, accepted.body)
	assert.JSONEq(t, fmt.Sprintf(`{"subject":%q,"role":"wallet"}`, w.Address), accepted.body)
	assert.Equal(t, 401, get(t, resource.url+"/api/profile", "").status)

	header, claims := decoded(t, in.AccessToken)
	own, err := rsa.GenerateKey(rand.Reader, 2048)
	require.NoError(t, err)
	jwk, err := json.Marshal(jose.Key{ID: "mine", Algorithm: jose.RS256, Public: own.Public()})
	require.NoError(t, err)
	parts := strings.Split(in.AccessToken, ".")
	richer := base64.RawURLEncoding.EncodeToString([]byte(strings.Replace(rawClaims(t, in.AccessToken), `"wallet"`, `"admin"`, 1)))
	attacks := map[string]string{
		"refresh token":            in.RefreshToken,
		"another issuer's":         elsewhere.AccessToken,
		"tampered claims":          parts[0] + "." + richer + "." + parts[2],
		"tampered signature":       parts[0] + "." + parts[1] + "." + flipped(parts[2]),
		"no signature":             parts[0] + "." + parts[1] + ".",
		"two parts":                parts[0] + "." + parts[1],
		"alg none":                 forge(t, map[string]any{"alg": "none", "typ": "at+jwt"}, claims, unsigned),
		"alg none with a kid":      forge(t, changed(header, map[string]any{"alg": "none"}), claims, unsigned),
		"alg NONE, signed":         forge(t, changed(header, map[string]any{"alg": "NONE"}), claims, byRSA(own)),
		"alg none, old signature":  strings.Join([]string{encoded(t, changed(header, map[string]any{"alg": "none"})), parts[1], parts[2]}, "."),
		"another's key, this kid":  forge(t, header, claims, byRSA(own)),
		"another's key, its kid":   forge(t, changed(header, map[string]any{"kid": "mine"}), claims, byRSA(own)),
		"another's key, no kid":    forge(t, changed(header, map[string]any{"kid": nil}), claims, byRSA(own)),
		"a key in the header":      forge(t, changed(header, map[string]any{"jwk": json.RawMessage(jwk), "kid": "mine"}), claims, byRSA(own)),
		"a key set in the header":  forge(t, changed(header, map[string]any{"jku": stranger.url + "/api/v1/auth/jwks"}), claims, byRSA(own)),
		"a kid that is a path":     forge(t, changed(header, map[string]any{"kid": "../../dev/null", "alg": "HS256"}), claims, byHMAC(nil)),
		"a kid that is an SQL":     forge(t, changed(header, map[string]any{"kid": "' OR '1'='1"}), claims, byRSA(own)),
		"another algorithm":        forge(t, changed(header, map[string]any{"alg": "RS512"}), claims, byRSA(own)),
		"the elsewhere key's name": forge(t, changed(header, map[string]any{"kid": first(decoded(t, elsewhere.AccessToken))["kid"]}), claims, byRSA(own)),
		"a critical header":        forge(t, changed(header, map[string]any{"crit": []string{"exp"}}), claims, byRSA(own)),
	}
	for name, secret := range secretsOf(t, issuer.url) {
		attacks["HS256 with "+name] = forge(t, changed(header, map[string]any{"alg": "HS256"}), claims, byHMAC(secret))
		attacks["HS256 without kid, with "+name] = forge(t, map[string]any{"alg": "HS256", "typ": "at+jwt"}, claims, byHMAC(secret))
	}
	for _, name := range slices.Sorted(maps.Keys(attacks)) {
		t.Run(name, func(t *testing.T) { refused(t, resource.url, attacks[name]) })
	}
	assert.Equal(t, 200, get(t, resource.url+"/api/profile", in.AccessToken).status, "still")
}

func first(header, _ map[string]any) map[string]any { return header }

func encoded(t *testing.T, header map[string]any) string {
	part, _, _ := strings.Cut(forge(t, header, nil, unsigned), ".")
	return part
}

func rawClaims(t *testing.T, token string) string {
	text, err := base64.RawURLEncoding.DecodeString(strings.Split(token, ".")[1])
	require.NoError(t, err)
	return string(text)
}

// flipped changes the first character of a signature, all of whose bits count.
func flipped(signature string) string {
	if signature[0] == 'A' {
		return "B" + signature[1:]
	}
	return "A" + signature[1:]
}

// secretsOf are the forms in which a confused verifier might take an issuer's public keys for a secret.
func secretsOf(t *testing.T, issuer string) map[string][]byte {
	t.Helper()
	document := get(t, issuer+"/api/v1/auth/jwks", "").body
	published, skipped, err := jose.ParseSet([]byte(document))
	require.NoError(t, err)
	require.Empty(t, skipped)
	secrets := map[string][]byte{"nothing": nil, "the document": []byte(document)}
	for i, key := range published {
		public := key.Public.(*rsa.PublicKey)
		pkix, err := x509.MarshalPKIXPublicKey(public)
		require.NoError(t, err)
		pkcs1 := x509.MarshalPKCS1PublicKey(public)
		jwk, err := json.Marshal(key)
		require.NoError(t, err)
		for name, secret := range map[string][]byte{
			"PKIX": pkix, "PKCS 1": pkcs1, "the modulus": public.N.Bytes(), "a JWK": jwk,
			"PEM":       pem.EncodeToMemory(&pem.Block{Type: "PUBLIC KEY", Bytes: pkix}),
			"PEM, RSA":  pem.EncodeToMemory(&pem.Block{Type: "RSA PUBLIC KEY", Bytes: pkcs1}),
			"base64url": []byte(base64.RawURLEncoding.EncodeToString(public.N.Bytes())),
		} {
			secrets[fmt.Sprintf("%s %d", name, i)] = secret
		}
	}
	return secrets
}

// TestResourceChecksWhatItsIssuerSigned has tokens signed by the right key that say the wrong things.
func TestResourceChecksWhatItsIssuerSigned(t *testing.T) {
	var ring *keys.Ring
	const name = "http://issuer.test"
	issuer := testutil.NewApp(t, app.ConfigMap(map[string]any{"server_auth.issuer": name}), serverauth.Module, fx.Populate(&ring))
	resource := serve(t, "resource", resourceSettings(name, "AUTH_CLIENT__JWKS_URL="+issuer.URL+"/api/v1/auth/jwks")...)
	now := time.Now().Unix()
	good := map[string]any{"iss": name, "aud": "pico", "sub": "somebody", "role": "wallet", "iat": now, "nbf": now, "exp": now + 600, "jti": "1"}
	sign := func(typ string, fields map[string]any) string {
		text, err := json.Marshal(changed(good, fields))
		require.NoError(t, err)
		token, err := ring.Sign(typ, text, now+600)
		require.NoError(t, err)
		return token
	}
	for name, fields := range map[string]map[string]any{
		"as it is": {}, "several audiences": {"aud": []string{"other", "pico"}}, "within the leeway": {"exp": now - 10, "nbf": now + 10}, "no role": {"role": nil},
	} {
		t.Run("accepts "+name, func(t *testing.T) {
			r := get(t, resource.url+"/api/profile", sign("at+jwt", fields))
			assert.Equal(t, 200, r.status, r.body)
		})
	}
	for name, fields := range map[string]map[string]any{
		"expired":                  {"exp": now - 60},
		"expired in 1970":          {"exp": 1},
		"exp of 0":                 {"exp": 0},
		"negative exp":             {"exp": -1},
		"not valid yet":            {"nbf": now + 300},
		"from the future":          {"iat": now + 300},
		"nbf is a text":            {"nbf": "soon"},
		"foreign issuer":           {"iss": "http://evil.test"},
		"foreign issuer, a slash":  {"iss": "http://issuer.test/"},
		"no issuer":                {"iss": nil},
		"issuer is a list":         {"iss": []string{"http://issuer.test"}},
		"foreign audience":         {"aud": "other"},
		"foreign audiences":        {"aud": []string{"other", "another"}},
		"a prefix of the audience": {"aud": "pic"},
		"no audience":              {"aud": nil},
		"audience of nothing":      {"aud": []string{}},
		"no subject":               {"sub": nil},
		"empty subject":            {"sub": ""},
		"subject is a number":      {"sub": 1},
		"type refresh":             {"type": "refresh"},
		"jti is a number":          {"jti": 7},
	} {
		t.Run("refuses "+name, func(t *testing.T) { refused(t, resource.url, sign("at+jwt", fields)) })
	}
	for _, typ := range []string{"rt+jwt", "logout+jwt", "dpop+jwt", "JOSE"} {
		t.Run("refuses typ "+typ, func(t *testing.T) { refused(t, resource.url, sign(typ, nil)) })
	}
}

func TestResourceStartsBeforeItsIssuer(t *testing.T) {
	port := services.FreePort(t)
	issuerURL := fmt.Sprintf("http://127.0.0.1:%d", port)
	resource := serve(t, "resource", resourceSettings(issuerURL)...)
	header := map[string]any{"alg": "RS256", "typ": "at+jwt", "kid": "x"}
	claims := map[string]any{"iss": issuerURL, "aud": "pico", "sub": "a", "exp": time.Now().Unix() + 600}
	early := get(t, resource.url+"/api/profile", forge(t, header, claims, byHMAC(nil)))
	assert.Equal(t, 503, early.status, early.body)
	assert.Equal(t, "1", early.header.Get("Retry-After"))
	assert.NotContains(t, early.body, issuerURL)
	assert.Equal(t, 200, get(t, resource.url+"/healthz", "").status)
	assert.Equal(t, 401, get(t, resource.url+"/api/profile", "").status)

	issuer := serve(t, "standalone", issuerSettings(port, "")...)
	w, err := testutil.NewWallet("Ed25519")
	require.NoError(t, err)
	in, err := testutil.SignIn(t.Context(), issuer.url, w)
	require.NoError(t, err)
	require.Eventually(t, func() bool { return get(t, resource.url+"/api/profile", in.AccessToken).status == 200 },
		patience, 100*time.Millisecond)

	issuer.kill()
	assert.Equal(t, 200, get(t, resource.url+"/api/profile", in.AccessToken).status, "the keys that it has are used on")
}
