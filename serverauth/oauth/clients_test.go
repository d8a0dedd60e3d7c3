package oauth_test

import (
	"encoding/json"
	"fmt"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

const adminPassword = "an administrator's password"

// startWithOperator runs a server, and returns an operator's call.
func startWithOperator(t *testing.T, settings map[string]any) (s *server, call func(method, path, body string) (int, map[string]any)) {
	t.Helper()
	s = startServer(t, settings, map[string]any{"auto_create_admin": true, "admin_email": "admin@example.com", "admin_password": adminPassword})
	bearer := ""
	call = func(method, path, body string) (int, map[string]any) {
		t.Helper()
		request, err := http.NewRequest(method, s.url+"/api/v1/auth"+path, strings.NewReader(body))
		require.NoError(t, err)
		request.Header.Set("Content-Type", "application/json")
		if bearer != "" {
			request.Header.Set("Authorization", "Bearer "+bearer)
		}
		reply := s.browser().do(request)
		var members map[string]any
		_ = json.Unmarshal([]byte(reply.body), &members)
		return reply.StatusCode, members
	}
	status, tokens := call("POST", "/login", `{"email": "admin@example.com", "password": "`+adminPassword+`"}`)
	require.Equal(t, http.StatusOK, status, tokens)
	bearer = tokens["access_token"].(string)
	return s, call
}

func TestOperatorsAddClients(t *testing.T) {
	s, call := startWithOperator(t, nil)
	status, made := call("POST", "/oauth/clients", `{"id": "batch", "grants": ["client_credentials"], "scopes": ["read"]}`)
	require.Equal(t, http.StatusCreated, status, made)
	token := func() answer {
		request, err := http.NewRequest(http.MethodPost, s.endpoint("/token"), strings.NewReader(url.Values{"grant_type": {"client_credentials"}}.Encode()))
		require.NoError(t, err)
		request.Header.Set("Content-Type", "application/x-www-form-urlencoded")
		request.SetBasicAuth("batch", made["secret"].(string))
		return s.browser().do(request)
	}
	assert.Equal(t, http.StatusOK, token().StatusCode)
	status, list := call("GET", "/oauth/clients", "")
	require.Equal(t, http.StatusOK, status)
	assert.Len(t, list["items"], 1)
	status, _ = call("POST", "/oauth/clients", `{"id": "grafana", "redirect_uris": ["https://a.example.com/"]}`)
	assert.Equal(t, http.StatusConflict, status, "one of the configuration")
	status, _ = call("DELETE", "/oauth/clients/batch", "")
	assert.Equal(t, http.StatusNoContent, status)
	assert.Equal(t, http.StatusUnauthorized, token().StatusCode)

	request, err := http.NewRequest(http.MethodGet, s.endpoint("/clients"), nil)
	require.NoError(t, err)
	assert.Equal(t, http.StatusUnauthorized, s.browser().do(request).StatusCode, "without a token")
}

// TestWhatAClientMayNotAskForAnyMoreIsNotRefreshed: an operator makes a client anew that may less.
func TestWhatAClientMayNotAskForAnyMoreIsNotRefreshed(t *testing.T) {
	const open = "https://open.example.com/"
	s, call := startWithOperator(t, nil)
	is := func(rights string) {
		t.Helper()
		_, _ = call("DELETE", "/oauth/clients/app", "")
		status, made := call("POST", "/oauth/clients", `{"id": "app", "auth_method": "none", "redirect_uris": ["`+redirect+`"], `+rights+`}`)
		require.Equal(t, http.StatusCreated, status, made)
	}
	is(`"scopes": ["openid", "groups", "tools", "read"], "resources": ["` + mcp + `"]`)
	asked := with(newAsk("client_id", "app", "scope", "openid groups tools read", "resource", mcp), "resource", open)
	code := s.browser().code(asked, newWallet(t, "eip191"))
	tokens := s.public("app", "grant_type", "authorization_code", "code", code, "redirect_uri", redirect, "code_verifier", asked.verifier)
	require.Equal(t, http.StatusOK, tokens.StatusCode, tokens.body)
	refresh := func(pairs ...string) answer {
		reply := s.public("app", append([]string{"grant_type", "refresh_token", "refresh_token", tokens.json(t)["refresh_token"].(string)}, pairs...)...)
		if reply.StatusCode == http.StatusOK {
			tokens = reply
		}
		return reply
	}
	for _, step := range []struct {
		rights, scope string
		audience      any
	}{
		{`"scopes": ["openid", "tools", "read"], "resources": ["` + mcp + `"]`, "openid tools read", []any{mcp, open}},
		{`"scopes": ["openid", "tools", "read"]`, "openid read", open}, // the scope went with its resource
		{`"scopes": ["openid", "groups", "tools", "read"], "resources": ["` + mcp + `"]`, "openid groups tools read", []any{mcp, open}},
	} {
		is(step.rights)
		access := claimsOf(t, refresh().json(t)["access_token"])
		assert.Equal(t, step.scope, access["scope"], step.rights)
		assert.Equal(t, step.audience, access["aud"], step.rights)
	}
	is(`"scopes": ["openid"]`)
	refresh("scope", "openid groups").refused(t, http.StatusBadRequest, "invalid_scope")
	refresh("resource", mcp).refused(t, http.StatusBadRequest, "invalid_target")

	is(`"scopes": ["openid", "tools"], "resources": ["` + mcp + `"]`)
	asked = newAsk("client_id", "app", "scope", "openid tools", "resource", mcp)
	code = s.browser().code(asked, newWallet(t, "eip191"))
	tokens = s.public("app", "grant_type", "authorization_code", "code", code, "redirect_uri", redirect, "code_verifier", asked.verifier)
	is(`"scopes": ["openid"]`)
	refresh().refused(t, http.StatusBadRequest, "invalid_target") // and no token for the server's own audience
}

// public posts to /token as a public client.
func (s *server) public(id string, pairs ...string) answer {
	s.Helper()
	form := url.Values{"client_id": {id}}
	for i := 0; i < len(pairs); i += 2 {
		form.Set(pairs[i], pairs[i+1])
	}
	return s.browser().postForm(s.endpoint("/token"), form)
}

// publicSignIn returns the tokens of a wallet that signs in to a public client.
func (s *server) publicSignIn(id, redirectURI string) map[string]any {
	s.Helper()
	a := newAsk("client_id", id, "redirect_uri", redirectURI, "scope", "openid")
	code := s.browser().code(a, newWallet(s, "Ed25519"))
	reply := s.public(id, "grant_type", "authorization_code", "code", code, "redirect_uri", redirectURI, "code_verifier", a.verifier)
	require.Equal(s, http.StatusOK, reply.StatusCode, reply.body)
	return reply.json(s)
}

// TestMetadataDocument is an MCP client's way: nobody has registered it, and once its document is gone it is nobody.
func TestMetadataDocument(t *testing.T) {
	var gone atomic.Bool
	var id string
	host := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		if gone.Load() {
			w.WriteHeader(http.StatusNotFound)
			return
		}
		fmt.Fprintf(w, `{"client_id": %q, "client_name": "Agent", "redirect_uris": ["http://127.0.0.1/callback"]}`, id)
	}))
	defer host.Close()
	id = host.URL + "/client.json"
	s := startServer(t, map[string]any{"client_metadata_documents": "on", "insecure_client_hosts": []string{"127.0.0.1"}}, nil)
	discovery := s.browser().get(s.url + "/.well-known/oauth-authorization-server").json(t)
	assert.Equal(t, true, discovery["client_id_metadata_document_supported"])
	assert.NotContains(t, discovery, "registration_endpoint")

	tokens := s.publicSignIn(id, "http://127.0.0.1:49152/callback")
	assert.Equal(t, id, claimsOf(t, tokens["access_token"])["client_id"])
	reply := s.public(id, "grant_type", "refresh_token", "refresh_token", tokens["refresh_token"].(string))
	require.Equal(t, http.StatusOK, reply.StatusCode, reply.body)
	page := s.browser().authorize(newAsk("client_id", id, "redirect_uri", "http://127.0.0.1/callback", "scope", "openid"))
	assert.Contains(t, page.body, strings.TrimPrefix(host.URL, "http://"), "the page names the host of the document")

	gone.Store(true)
	s.clock.Advance(61 * time.Second)
	s.public(id, "grant_type", "refresh_token", "refresh_token", reply.json(t)["refresh_token"].(string)).refused(t, http.StatusUnauthorized, "invalid_client")
	assert.Equal(t, http.StatusBadRequest, s.browser().authorize(newAsk("client_id", id, "redirect_uri", "http://127.0.0.1/callback")).StatusCode)

	away := s.browser().authorize(newAsk("client_id", "https://127.0.0.2:1/client.json", "redirect_uri", "http://127.0.0.1/callback"))
	assert.Equal(t, http.StatusBadRequest, away.StatusCode)
	assert.Contains(t, away.body, "cannot be looked up")
	off := startServer(t, nil, nil)
	assert.Equal(t, http.StatusBadRequest, off.browser().authorize(newAsk("client_id", id, "redirect_uri", "http://127.0.0.1/callback")).StatusCode)
}

func TestDynamicRegistration(t *testing.T) {
	s := startServer(t, map[string]any{"dynamic_registration": "open"}, nil)
	discovery := s.browser().get(s.url + "/.well-known/oauth-authorization-server").json(t)
	endpoint := discovery["registration_endpoint"].(string)
	assert.Equal(t, s.endpoint("/register"), endpoint)
	made := s.browser().postJSON(endpoint, map[string]any{"client_name": "Agent", "redirect_uris": []string{"http://127.0.0.1/callback"}})
	require.Equal(t, http.StatusCreated, made.StatusCode, made.body)
	id := made.json(t)["client_id"].(string)
	tokens := s.publicSignIn(id, "http://127.0.0.1:49152/callback")
	assert.Equal(t, id, claimsOf(t, tokens["access_token"])["client_id"])
	s.browser().postJSON(endpoint, map[string]any{"redirect_uris": []string{"http://evil.example.com/"}}).refused(t, http.StatusBadRequest, "invalid_redirect_uri")
	s.clock.Advance(30 * 24 * time.Hour)
	s.public(id, "grant_type", "refresh_token", "refresh_token", "x").refused(t, http.StatusUnauthorized, "invalid_client")

	off := startServer(t, nil, nil)
	request, err := http.NewRequest(http.MethodPost, off.endpoint("/register"), strings.NewReader("{}"))
	require.NoError(t, err)
	reply, err := http.DefaultClient.Do(request)
	require.NoError(t, err)
	defer reply.Body.Close()
	assert.Equal(t, http.StatusNotFound, reply.StatusCode, "it is off by default")
}

func TestRegistrationsAreLimited(t *testing.T) {
	s := startServer(t, map[string]any{"dynamic_registration": "open"}, map[string]any{"rate_limit_per_minute": 2})
	for _, status := range []int{http.StatusCreated, http.StatusCreated, http.StatusTooManyRequests} {
		made := s.browser().postJSON(s.endpoint("/register"), map[string]any{"redirect_uris": []string{"http://127.0.0.1/callback"}})
		assert.Equal(t, status, made.StatusCode, made.body)
	}
}
