package client_test

import (
	"encoding/base64"
	"net/http"
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/golang-jwt/jwt/v5"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	stdbcrypt "golang.org/x/crypto/bcrypt"

	"github.com/picoauth/picoauth/serverauth/oauth/client"
)

const (
	oddID     = "a b:c"
	oddSecret = "ünd+%&=:/?0123456789012345678901234"
	redirect  = "https://app.example.com/cb"
)

func basic(id, secret string) string {
	return "Basic " + base64.StdEncoding.EncodeToString([]byte(url.QueryEscape(id)+":"+url.QueryEscape(secret)))
}

func authClients(t *testing.T, keys keyPair) []client.Config {
	hash, err := stdbcrypt.GenerateFromPassword([]byte("the hashed one"), stdbcrypt.MinCost)
	require.NoError(t, err)
	return []client.Config{
		{ID: "public", RedirectURIs: []string{redirect}},
		{ID: "basic", Secret: secret, RedirectURIs: []string{redirect}},
		{ID: oddID, Secret: oddSecret, RedirectURIs: []string{redirect}},
		{ID: "post", Secret: secret, AuthMethod: client.AuthSecretPost, RedirectURIs: []string{redirect}},
		{ID: "hashed", Secret: string(hash), RedirectURIs: []string{redirect}},
		{ID: "key", AuthMethod: client.AuthPrivateKeyJWT, JWKSURI: keys.url, RedirectURIs: []string{redirect}},
	}
}

func TestAuthenticate(t *testing.T) {
	s := newAuthServer(t, 0, registryOf(t, authClients(t, newKeyPair(t))...))
	const authorization = "Authorization"
	for name, c := range map[string]struct {
		form    url.Values
		headers []string
		client  string // who it is
		code    string // or the error
	}{
		"none":                       {url.Values{"client_id": {"public"}}, nil, "public", ""},
		"none, empty parameters":     {url.Values{"client_id": {"public"}, "client_secret": {""}, "client_assertion": {""}}, nil, "public", ""},
		"basic":                      {nil, []string{authorization, basic("basic", secret)}, "basic", ""},
		"basic in lower case":        {nil, []string{authorization, "basic" + basic("basic", secret)[5:]}, "basic", ""},
		"basic with its id":          {url.Values{"client_id": {"basic"}}, []string{authorization, basic("basic", secret)}, "basic", ""},
		"basic, form-encoded":        {nil, []string{authorization, basic(oddID, oddSecret)}, oddID, ""},
		"post":                       {url.Values{"client_id": {"post"}, "client_secret": {secret}}, nil, "post", ""},
		"hash":                       {nil, []string{authorization, basic("hashed", "the hashed one")}, "hashed", ""},
		"nobody":                     {nil, nil, "", "invalid_client"},
		"unknown":                    {url.Values{"client_id": {"other"}}, nil, "", "invalid_client"},
		"unknown with a secret":      {nil, []string{authorization, basic("other", secret)}, "", "invalid_client"},
		"wrong secret":               {nil, []string{authorization, basic("basic", secret+"x")}, "", "invalid_client"},
		"wrong hashed secret":        {nil, []string{authorization, basic("hashed", "the hashed two")}, "", "invalid_client"},
		"the hash itself":            {nil, []string{authorization, basic("hashed", authClients(t, keyPair{})[4].Secret)}, "", "invalid_client"},
		"secret of a public client":  {nil, []string{authorization, basic("public", secret)}, "", "invalid_client"},
		"no secret":                  {url.Values{"client_id": {"basic"}}, nil, "", "invalid_client"},
		"empty secret":               {nil, []string{authorization, basic("basic", "")}, "", "invalid_client"},
		"no key":                     {url.Values{"client_id": {"key"}}, nil, "", "invalid_client"},
		"secret for a key":           {nil, []string{authorization, basic("key", secret)}, "", "invalid_client"},
		"post where basic is due":    {url.Values{"client_id": {"basic"}, "client_secret": {secret}}, nil, "", "invalid_client"},
		"basic where post is due":    {nil, []string{authorization, basic("post", secret)}, "", "invalid_client"},
		"not form-encoded":           {nil, []string{authorization, "Basic " + base64.StdEncoding.EncodeToString([]byte("basic:%zz"))}, "", "invalid_client"},
		"no colon":                   {nil, []string{authorization, "Basic " + base64.StdEncoding.EncodeToString([]byte("basic"))}, "", "invalid_client"},
		"no base64":                  {nil, []string{authorization, "Basic ???"}, "", "invalid_client"},
		"bearer":                     {url.Values{"client_id": {"public"}}, []string{authorization, "Bearer x"}, "", "invalid_client"},
		"two headers":                {nil, []string{authorization, basic("basic", secret), authorization, basic("basic", secret)}, "", "invalid_client"},
		"an assertion beside Basic":  {url.Values{"client_assertion": {"a.b.c"}, "client_assertion_type": {"urn:ietf:params:oauth:client-assertion-type:jwt-bearer"}}, []string{authorization, basic("basic", secret)}, "", "invalid_request"},
		"two ways":                   {url.Values{"client_id": {"basic"}, "client_secret": {secret}}, []string{authorization, basic("basic", secret)}, "", "invalid_request"},
		"another id":                 {url.Values{"client_id": {"post"}}, []string{authorization, basic("basic", secret)}, "", "invalid_request"},
		"id twice":                   {url.Values{"client_id": {"public", "public"}}, nil, "", "invalid_request"},
		"assertion without its type": {url.Values{"client_assertion": {"a.b.c"}}, nil, "", "invalid_request"},
		"assertion that is none":     {url.Values{"client_assertion": {"a.b.c"}, "client_assertion_type": {"urn:ietf:params:oauth:client-assertion-type:jwt-bearer"}}, nil, "", "invalid_client"},
		"secret without end":         {url.Values{"client_id": {"post"}, "client_secret": {strings.Repeat("x", 20_000)}}, nil, "", "invalid_request"},
	} {
		t.Run(name, func(t *testing.T) {
			a := s.post(t, c.form, c.headers...)
			assert.Equal(t, c.client, a.Client)
			assert.Equal(t, c.code, a.Error, a.Description)
			switch c.code {
			case "":
				assert.Equal(t, http.StatusOK, a.Status)
			case "invalid_client":
				assert.Equal(t, http.StatusUnauthorized, a.Status)
				assert.Equal(t, `Basic realm="pico"`, a.Header.Get("WWW-Authenticate"))
			default:
				assert.Equal(t, http.StatusBadRequest, a.Status)
			}
		})
	}
}

func TestAuthenticateWithAnAssertion(t *testing.T) {
	keys, others := newKeyPair(t), newKeyPair(t)
	s := newAuthServer(t, 0, registryOf(t, authClients(t, keys)...))
	now := s.clock.Now()
	claims := func(change func(jwt.MapClaims)) jwt.MapClaims {
		all := jwt.MapClaims{"iss": "key", "sub": "key", "aud": issuer, "jti": t.Name() + now.String() + time.Now().String(), "exp": now.Add(time.Minute).Unix(), "iat": now.Unix()}
		if change != nil {
			change(all)
		}
		return all
	}
	send := func(assertion string, form ...string) answer {
		values := url.Values{"client_assertion": {assertion}, "client_assertion_type": {"urn:ietf:params:oauth:client-assertion-type:jwt-bearer"}}
		for i := 0; i < len(form); i += 2 {
			values.Set(form[i], form[i+1])
		}
		return s.post(t, values)
	}
	for name, change := range map[string]func(jwt.MapClaims){
		"issuer":         nil,
		"token endpoint": func(c jwt.MapClaims) { c["aud"] = tokenEndpoint },
		"both":           func(c jwt.MapClaims) { c["aud"] = []string{issuer, tokenEndpoint} },
	} {
		a := send(keys.sign(t, claims(change)))
		assert.Equal(t, "key", a.Client, "%s: %s", name, a.Description)
	}
	for name, change := range map[string]func(jwt.MapClaims){
		"another audience":       func(c jwt.MapClaims) { c["aud"] = "https://other.example.com" },
		"another audience too":   func(c jwt.MapClaims) { c["aud"] = []string{issuer, "https://other.example.com"} },
		"no audience":            func(c jwt.MapClaims) { delete(c, "aud") },
		"another subject":        func(c jwt.MapClaims) { c["sub"] = "basic" },
		"another issuer":         func(c jwt.MapClaims) { c["iss"] = "basic" },
		"no jti":                 func(c jwt.MapClaims) { delete(c, "jti") },
		"empty jti":              func(c jwt.MapClaims) { c["jti"] = "" },
		"endless jti":            func(c jwt.MapClaims) { c["jti"] = strings.Repeat("x", 257) },
		"expired":                func(c jwt.MapClaims) { c["exp"] = now.Add(-2 * time.Minute).Unix() },
		"no expiry":              func(c jwt.MapClaims) { delete(c, "exp") },
		"expiry without end":     func(c jwt.MapClaims) { c["exp"] = now.Add(2 * time.Hour).Unix() },
		"not yet":                func(c jwt.MapClaims) { c["nbf"] = now.Add(2 * time.Minute).Unix() },
		"an ID token":            func(c jwt.MapClaims) { c["nonce"] = "x" },
		"a client without a key": func(c jwt.MapClaims) { c["sub"], c["iss"] = "public", "public" },
	} {
		a := send(keys.sign(t, claims(change)))
		assert.Equal(t, "invalid_client", a.Error, name)
		assert.Equal(t, http.StatusUnauthorized, a.Status, name)
	}
	assert.Equal(t, "invalid_client", send(others.sign(t, claims(nil))).Error, "a key of another")
	assert.Equal(t, "invalid_client", send(keys.sign(t, claims(nil)), "client_id", "basic").Error, "client_id of another")
	assert.Equal(t, "key", send(keys.sign(t, claims(nil)), "client_id", "key").Client)

	symmetric, err := jwt.NewWithClaims(jwt.SigningMethodHS256, claims(nil)).SignedString([]byte(secret))
	require.NoError(t, err)
	assert.Equal(t, "invalid_client", send(symmetric).Error)
	none, err := jwt.NewWithClaims(jwt.SigningMethodNone, claims(nil)).SignedString(jwt.UnsafeAllowNoneSignatureType)
	require.NoError(t, err)
	assert.Equal(t, "invalid_client", send(none).Error)

	once := keys.sign(t, claims(nil))
	assert.Equal(t, "key", send(once).Client)
	again := send(once)
	assert.Equal(t, "invalid_client", again.Error)
	assert.Contains(t, again.Description, "jti")
	s.clock.Advance(3 * time.Minute)
	assert.Equal(t, "invalid_client", send(once).Error, "expired")
	s.clock.Advance(-3 * time.Minute)
	assert.Equal(t, "invalid_client", send(keys.sign(t, claims(nil))).Error, "the clock was set back: what expired stays so")
}

// TestWrongSecretsLockOnlyTheirPairOut is the rule that one bad pod locks nobody else out.
func TestWrongSecretsLockOnlyTheirPairOut(t *testing.T) {
	s := newAuthServer(t, 3, registryOf(t, authClients(t, newKeyPair(t))...))
	right, wrong := basic("basic", secret), basic("basic", secret+"x")
	from := func(address, authorization string) answer {
		return s.post(t, nil, "Authorization", authorization, "X-Address", address)
	}
	for range 20 {
		require.Equal(t, http.StatusOK, from("192.0.2.1", right).Status, "right ones count for nothing")
	}
	for range 3 {
		require.Equal(t, http.StatusUnauthorized, from("192.0.2.1", wrong).Status)
	}
	for _, authorization := range []string{wrong, right} {
		a := from("192.0.2.1", authorization)
		assert.Equal(t, http.StatusTooManyRequests, a.Status)
		assert.Equal(t, "20", a.Header.Get("Retry-After"))
	}
	assert.Equal(t, http.StatusOK, from("192.0.2.2", right).Status, "another address")
	assert.Equal(t, http.StatusOK, from("192.0.2.1", basic("hashed", "the hashed one")).Status, "another client")
	assert.Equal(t, http.StatusOK, s.post(t, url.Values{"client_id": {"public"}}, "X-Address", "192.0.2.1").Status)
	s.clock.Advance(20 * time.Second)
	assert.Equal(t, http.StatusOK, from("192.0.2.1", right).Status)
}

func TestAuthenticateWhileTheKeysAreAway(t *testing.T) {
	keys := newKeyPair(t)
	keys.url = "http://127.0.0.1:1/"
	s := newAuthServer(t, 1, registryOf(t, authClients(t, keys)...))
	now := s.clock.Now()
	for range 3 {
		a := s.post(t, url.Values{"client_assertion_type": {"urn:ietf:params:oauth:client-assertion-type:jwt-bearer"}, "client_assertion": {keys.sign(t, jwt.MapClaims{
			"iss": "key", "sub": "key", "aud": issuer, "jti": "x", "exp": now.Add(time.Minute).Unix()})}})
		assert.Equal(t, http.StatusServiceUnavailable, a.Status, "it is not the client's fault")
	}
}

func FuzzAuthenticate(f *testing.F) {
	f.Add("Basic YTpi", "a", "b", "", "")
	f.Add("", "key", "", "eyJhbGciOiJFUzI1NiJ9.eyJzdWIiOiJrZXkifQ.AA", "urn:ietf:params:oauth:client-assertion-type:jwt-bearer")
	settings := client.Settings{Clients: []client.Config{{ID: "a", Secret: secret, RedirectURIs: []string{redirect}}}}
	registry, err := client.NewRegistry(client.RegistryConfig{Settings: settings})
	if err != nil {
		f.Fatal(err)
	}
	authenticator := client.NewAuthenticator(client.AuthenticatorConfig{Registry: registry, Realm: "pico"})
	f.Fuzz(func(t *testing.T, authorization, id, given, assertion, kind string) {
		r, err := http.NewRequest(http.MethodPost, "/", http.NoBody)
		require.NoError(t, err)
		r.Header.Set("Authorization", authorization)
		form := url.Values{"client_id": {id}, "client_secret": {given}, "client_assertion": {assertion}, "client_assertion_type": {kind}}
		if found, err := authenticator.Authenticate(r, form, "192.0.2.1"); (found == nil) == (err == nil) {
			t.Fatalf("%v, %v", found, err)
		} else if found != nil && !strings.Contains(authorization, "Basic") {
			t.Fatalf("%s came in without its secret", found.ID)
		}
	})
}
