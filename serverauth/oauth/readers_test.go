package oauth_test

import (
	"net/http"
	"net/url"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/picoauth/picoauth/clientauth/verify"
	"github.com/picoauth/picoauth/serverauth"
)

// TestClientsReadWhatServicesRead: a resource server needs no fleet secret.
func TestClientsReadWhatServicesRead(t *testing.T) {
	clients := append(defaultClients(),
		map[string]any{"id": "https://api.example.com/", "secret": clientSecret, "denylist": true},
		map[string]any{"id": "posts", "secret": clientSecret, "auth_method": "client_secret_post", "denylist": true, "introspect": true})
	s := startServer(t, map[string]any{"clients": clients}, nil)
	const lister, right, wrong = "https://api.example.com/", clientSecret, "a secret of the client that is another one"
	for name, test := range map[string]struct {
		id, secret, path string
		status           int
		code             string
	}{
		"denylist":                      {lister, right, "/revoked-jtis", 200, ""},
		"denylist, wrong secret":        {lister, wrong, "/revoked-jtis", 401, "invalid_client"},
		"denylist, no right":            {"reader", right, "/revoked-jtis", 403, "insufficient_role"},
		"denylist, no client":           {"nobody", right, "/revoked-jtis", 401, "invalid_client"},
		"denylist, public client":       {"cli", right, "/revoked-jtis", 401, "invalid_client"},
		"denylist, another way":         {"posts", right, "/revoked-jtis", 401, "invalid_client"},
		"introspection":                 {"reader", right, "/introspect", 200, ""},
		"introspection, wrong secret":   {"reader", wrong, "/introspect", 401, "invalid_client"},
		"introspection, no right":       {lister, right, "/introspect", 403, "insufficient_role"},
		"introspection, another client": {"grafana", right, "/introspect", 403, "insufficient_role"},
		"revocation is no reading":      {"reader", right, "/revoke", 401, "token_required"},
		"mints are the operator's":      {lister, right, "/mints", 401, "token_required"},
	} {
		t.Run(name, func(t *testing.T) {
			method, body := http.MethodGet, ""
			if test.path == "/introspect" || test.path == "/revoke" {
				method, body = http.MethodPost, "token=x"
			}
			request, err := http.NewRequestWithContext(t.Context(), method, s.url+serverauth.Prefix+test.path, strings.NewReader(body))
			require.NoError(t, err)
			request.Header.Set("Content-Type", "application/x-www-form-urlencoded")
			if test.path == "/revoke" {
				request.Header.Set("Content-Type", "application/json")
			}
			request.SetBasicAuth(url.QueryEscape(test.id), url.QueryEscape(test.secret))
			reply := s.browser().do(request)
			assert.Equal(t, test.status, reply.StatusCode, reply.body)
			assert.Contains(t, reply.body, test.code)
			if test.code == "invalid_client" {
				assert.Contains(t, reply.Header.Get("WWW-Authenticate"), "Basic realm=")
			}
		})
	}

	list, err := verify.NewRemoteDenylist(verify.RemoteDenylistConfig{URL: s.url + serverauth.Prefix + "/revoked-jtis", ClientID: lister, ClientSecret: right})
	require.NoError(t, err)
	require.NoError(t, list.Refresh(t.Context()))
	list, err = verify.NewRemoteDenylist(verify.RemoteDenylistConfig{URL: s.url + serverauth.Prefix + "/revoked-jtis", ClientID: lister, ClientSecret: wrong})
	require.NoError(t, err)
	require.Error(t, list.Refresh(t.Context()))
}

// TestWrongSecretsOfAReaderAreCounted: by client and address, as at the token endpoint.
func TestWrongSecretsOfAReaderAreCounted(t *testing.T) {
	s := startServer(t, nil, map[string]any{"rate_limit_per_minute": 2})
	ask := func(id, secret string) answer {
		request, err := http.NewRequestWithContext(t.Context(), http.MethodPost, s.url+serverauth.Prefix+"/introspect", strings.NewReader("token=x"))
		require.NoError(t, err)
		request.Header.Set("Content-Type", "application/x-www-form-urlencoded")
		request.SetBasicAuth(id, secret)
		return s.browser().do(request)
	}
	for range 2 {
		assert.Equal(t, 401, ask("reader", strings.Repeat("x", 40)).StatusCode)
	}
	limited := ask("reader", url.QueryEscape(clientSecret))
	assert.Equal(t, 429, limited.StatusCode)
	assert.Contains(t, limited.body, "too_many_requests")
	assert.NotEmpty(t, limited.Header.Get("Retry-After"))
	assert.Equal(t, 403, ask("grafana", url.QueryEscape(clientSecret)).StatusCode, "another client is not kept out")
}
