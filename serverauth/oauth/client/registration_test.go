package client_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/golang-jwt/jwt/v5"
	"github.com/labstack/echo/v4"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/picoauth/picoauth/serverauth/oauth/client"
	"github.com/picoauth/picoauth/serverauth/store"
	"github.com/picoauth/picoauth/testutil"
)

// registrationServer is a real server with the endpoint.
func registrationServer(t *testing.T, stores *store.Stores, clock *testutil.Clock, token string) (*client.Registry, func(body, authorization string) (*http.Response, map[string]any)) {
	t.Helper()
	settings := client.DefaultSettings()
	settings.InsecureClientHosts = []string{"127.0.0.1"}
	registry, err := client.NewRegistry(client.RegistryConfig{Settings: settings, Known: known, Store: stores.Clients, Clock: clock.Now,
		Secret: func() []byte { return []byte("the secret of the rows") }, Log: slog.New(slog.DiscardHandler)})
	require.NoError(t, err)
	endpoint := &client.Registration{Registry: registry, Token: token, Realm: "pico", Log: slog.New(slog.DiscardHandler)}
	e := echo.New()
	e.POST("/register", func(c echo.Context) error {
		err := endpoint.Register(c)
		var refusal *client.Error
		if errors.As(err, &refusal) {
			for name, values := range refusal.Header {
				c.Response().Header()[name] = values
			}
			return c.JSON(refusal.Status, map[string]string{"error": refusal.Code, "error_description": refusal.Description})
		}
		return err
	})
	server := httptest.NewServer(e)
	t.Cleanup(server.Close)
	return registry, func(body, authorization string) (*http.Response, map[string]any) {
		t.Helper()
		request, err := http.NewRequest(http.MethodPost, server.URL+"/register", strings.NewReader(body))
		require.NoError(t, err)
		request.Header.Set("Content-Type", "application/json")
		if authorization != "" {
			request.Header.Set("Authorization", authorization)
		}
		response, err := http.DefaultClient.Do(request)
		require.NoError(t, err)
		defer response.Body.Close()
		var reply map[string]any
		_ = json.NewDecoder(response.Body).Decode(&reply)
		return response, reply
	}
}

func TestRegistration(t *testing.T) {
	clock := testClock()
	stores := openStores(t, clock.Now)
	registry, register := registrationServer(t, stores, clock, "")

	response, made := register(`{"client_name": "Agent", "redirect_uris": ["http://127.0.0.1/cb"], "logo_uri": "https://x.example.com/", "scope": "openid",
		"grant_types": ["authorization_code", "refresh_token", "implicit"], "response_types": ["code", "token"]}`, "")
	require.Equal(t, http.StatusCreated, response.StatusCode, made)
	assert.Equal(t, "no-store", response.Header.Get("Cache-Control"))
	id := made["client_id"].(string)
	assert.EqualValues(t, clock.Now().Unix(), made["client_id_issued_at"])
	assert.Equal(t, "none", made["token_endpoint_auth_method"], "also when no method is given")
	assert.Equal(t, []any{"authorization_code", "refresh_token"}, made["grant_types"])
	assert.Equal(t, []any{"code"}, made["response_types"])
	assert.Equal(t, []any{"http://127.0.0.1/cb"}, made["redirect_uris"])
	assert.NotContains(t, made, "client_secret")

	found, err := registry.Find(context.Background(), id)
	require.NoError(t, err)
	assert.Equal(t, client.Registered, found.Source)
	assert.Equal(t, "Agent", found.Name)
	assert.True(t, found.IsPublic())
	assert.False(t, found.AllowsGrant(client.GrantClientCredentials) || found.Introspect || found.Denylist)
	assert.Equal(t, client.ConsentAsk, found.Consent)
	assert.False(t, found.DPoPBound)
	_, other := register(`{"redirect_uris": ["http://127.0.0.1/cb"], "dpop_bound_access_tokens": true}`, "")
	assert.NotEqual(t, id, other["client_id"])
	assert.Equal(t, true, other["dpop_bound_access_tokens"])
	bound, err := registry.Find(context.Background(), other["client_id"].(string))
	require.NoError(t, err)
	assert.True(t, bound.DPoPBound)

	for name, c := range map[string]struct{ body, code string }{
		"no redirect":       {`{}`, "invalid_redirect_uri"},
		"a faulty redirect": {`{"redirect_uris": ["http://app.example.com/cb"]}`, "invalid_redirect_uri"},
		"a secret":          {`{"redirect_uris": ["http://127.0.0.1/cb"], "token_endpoint_auth_method": "client_secret_post"}`, "invalid_client_metadata"},
		"two kinds of keys": {`{"redirect_uris": ["http://127.0.0.1/cb"], "token_endpoint_auth_method": "private_key_jwt", "jwks": {"keys": []}, "jwks_uri": "https://a/"}`, "invalid_client_metadata"},
		"keys that are not there": {`{"redirect_uris": ["http://127.0.0.1/cb"], "token_endpoint_auth_method": "private_key_jwt", "jwks_uri": "http://127.0.0.1:1/"}`,
			"invalid_client_metadata"},
		"keys of the own network": {`{"redirect_uris": ["http://127.0.0.1/cb"], "token_endpoint_auth_method": "private_key_jwt", "jwks_uri": "https://[::1]:1/"}`,
			"invalid_client_metadata"},
		"more than is kept": {`{"redirect_uris": ["https://a.example.com/` + strings.Repeat(`a", "https://a.example.com/`+strings.Repeat("a", 2000), 10) + `"]}`,
			"invalid_client_metadata"},
		"no JSON":          {`redirect_uris=x`, "invalid_client_metadata"},
		"a wrong type":     {`{"redirect_uris": "http://127.0.0.1/cb"}`, "invalid_client_metadata"},
		"a text for a yes": {`{"redirect_uris": ["http://127.0.0.1/cb"], "dpop_bound_access_tokens": "true"}`, "invalid_client_metadata"},
	} {
		response, reply := register(c.body, "")
		assert.Equal(t, http.StatusBadRequest, response.StatusCode, name)
		assert.Equal(t, c.code, reply["error"], "%s: %v", name, reply)
	}
}

func TestRegistrationWithAKey(t *testing.T) {
	clock, keys := testClock(), newKeyPair(t)
	registry, register := registrationServer(t, openStores(t, clock.Now), clock, "")
	document, err := http.Get(keys.url)
	require.NoError(t, err)
	defer document.Body.Close()
	jwks, err := io.ReadAll(document.Body)
	require.NoError(t, err)
	for _, how := range []string{`"jwks": ` + string(jwks), `"jwks_uri": "` + keys.url + `"`} {
		response, made := register(`{"redirect_uris": ["http://127.0.0.1/cb"], "token_endpoint_auth_method": "private_key_jwt", `+how+`}`, "")
		require.Equal(t, http.StatusCreated, response.StatusCode, made)
		id := made["client_id"].(string)
		s := newAuthServer(t, 0, registry)
		a := s.post(t, url.Values{"client_assertion_type": {"urn:ietf:params:oauth:client-assertion-type:jwt-bearer"}, "client_assertion": {keys.sign(t, jwt.MapClaims{
			"iss": id, "sub": id, "aud": issuer, "jti": "x", "exp": s.clock.Now().Add(time.Minute).Unix()})}})
		assert.Equal(t, id, a.Client, a.Description)
		assert.Equal(t, "invalid_client", s.post(t, url.Values{"client_id": {id}}).Error, "it has a key to show")
	}
}

// TestNobodyLearnsOfTheServersNetwork: neither which names and addresses it has, nor who resolves them.
func TestNobodyLearnsOfTheServersNetwork(t *testing.T) {
	clock := testClock()
	stores := openStores(t, clock.Now)
	host := newDocumentHost(t)
	host.is(`"redirect_uris": ["http://127.0.0.1/cb"], "token_endpoint_auth_method": "private_key_jwt", "jwks_uri": "https://localhost:1/keys"`)
	_, register := registrationServer(t, stores, clock, "")
	said := map[string]bool{}
	for _, uri := range []string{"https://localhost:1/keys", "https://name.invalid/keys", "https://[::1]:1/keys", "https://127.0.0.1:1/keys"} {
		_, refused := register(`{"redirect_uris": ["http://127.0.0.1/cb"], "token_endpoint_auth_method": "private_key_jwt", "jwks_uri": "`+uri+`"}`, "")
		said[refused["error_description"].(string)] = true
	}
	assert.Equal(t, map[string]bool{"jwks_uri: it cannot be fetched": true}, said)

	s := newAuthServer(t, 0, documentRegistry(t, clock, host.Listener.Addr().String()))
	refused := s.post(t, url.Values{"client_assertion_type": {"urn:ietf:params:oauth:client-assertion-type:jwt-bearer"}, "client_assertion": {newKeyPair(t).sign(t, jwt.MapClaims{
		"iss": host.id, "sub": host.id, "aud": issuer, "jti": "x", "exp": s.clock.Now().Add(time.Minute).Unix()})}})
	assert.Equal(t, "client_assertion is refused: the client's keys cannot be fetched", refused.Description)
}

// TestKeysOfOneHostAreFetchedSoOften counts those that registrations name, and those that assertions have fetched anew.
func TestKeysOfOneHostAreFetchedSoOften(t *testing.T) {
	clock, asked := testClock(), atomic.Int64{}
	host := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		asked.Add(1)
		_, _ = io.WriteString(w, `{"keys": [{"kty": "OKP", "crv": "Ed25519", "x": "11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo"}]}`)
	}))
	defer host.Close()
	registry, register := registrationServer(t, openStores(t, clock.Now), clock, "")
	s := newAuthServer(t, 0, registry)
	foreign := newKeyPair(t)
	for i := range 100 {
		_, made := register(fmt.Sprintf(`{"redirect_uris": ["http://127.0.0.1/cb"], "token_endpoint_auth_method": "private_key_jwt", "jwks_uri": "%s/%d"}`, host.URL, i), "")
		if id, isMade := made["client_id"].(string); isMade {
			s.post(t, url.Values{"client_assertion_type": {"urn:ietf:params:oauth:client-assertion-type:jwt-bearer"}, "client_assertion": {foreign.sign(t, jwt.MapClaims{
				"iss": id, "sub": id, "aud": issuer, "jti": "x", "exp": s.clock.Now().Add(time.Minute).Unix()})}})
		}
	}
	assert.EqualValues(t, 60, asked.Load())
}

func TestRegistrationToken(t *testing.T) {
	clock := testClock()
	_, register := registrationServer(t, openStores(t, clock.Now), clock, secret)
	const body = `{"redirect_uris": ["http://127.0.0.1/cb"]}`
	for _, authorization := range []string{"", "Bearer", "Bearer x", "Basic " + secret, secret, "Bearer " + secret + "x"} {
		response, reply := register(body, authorization)
		assert.Equal(t, http.StatusUnauthorized, response.StatusCode)
		assert.Equal(t, "invalid_token", reply["error"])
		assert.Equal(t, `Bearer realm="pico", error="invalid_token"`, response.Header.Get("WWW-Authenticate"))
	}
	response, _ := register(body, "Bearer "+secret)
	assert.Equal(t, http.StatusCreated, response.StatusCode)
}

// TestRegistrationsAreForgotten holds the thirty days, from the last use.
func TestRegistrationsAreForgotten(t *testing.T) {
	ctx, clock := context.Background(), testClock()
	stores := openStores(t, clock.Now)
	registry, register := registrationServer(t, stores, clock, "")
	ids := make([]string, 2)
	for i := range ids {
		_, made := register(`{"redirect_uris": ["http://127.0.0.1/cb"]}`, "")
		ids[i] = made["client_id"].(string)
	}
	_, err := registry.Add(ctx, client.Config{ID: "operators", RedirectURIs: []string{redirect}})
	require.NoError(t, err)
	const day = 24 * time.Hour
	clock.Advance(20 * day)
	used, err := registry.Find(ctx, ids[0])
	require.NoError(t, err)
	require.NoError(t, registry.Used(ctx, used))
	clock.Advance(10*day - time.Second)
	_, err = registry.Find(ctx, ids[1])
	require.NoError(t, err)
	clock.Advance(time.Second)
	_, err = registry.Find(ctx, ids[1])
	require.ErrorIs(t, err, client.ErrUnknown)
	clock.Advance(time.Second)
	registry.Prune(ctx, stores.Used)
	_, there, err := stores.Clients.Find(ctx, ids[1])
	require.NoError(t, err)
	assert.False(t, there)
	for _, id := range []string{ids[0], "operators"} {
		_, err = registry.Find(ctx, id)
		require.NoError(t, err)
	}
	clock.Advance(20 * day)
	registry.Prune(ctx, stores.Used)
	_, err = registry.Find(ctx, ids[0])
	require.ErrorIs(t, err, client.ErrUnknown)
	_, err = registry.Find(ctx, "operators")
	require.NoError(t, err)
}
