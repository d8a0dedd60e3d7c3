package main

import (
	"encoding/json"
	"io"
	"net/http"
	"testing"

	"github.com/modelcontextprotocol/go-sdk/mcp"
	"github.com/modelcontextprotocol/go-sdk/oauthex"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/picoauth/picoauth/app"
	"github.com/picoauth/picoauth/testutil"
)

const resource = "http://localhost:8400/mcp"

// start runs the program, which trusts issuer, and returns the URL of its MCP endpoint.
func start(t *testing.T, issuer *testutil.Issuer) string {
	t.Helper()
	settings := issuer.Settings()
	delete(settings, "audience") // it is the resource
	running := testutil.NewApp(t, defaults, app.ConfigDefaults(map[string]any{"app": map[string]any{"port": 0}}),
		app.ConfigMap(map[string]any{"auth_client": settings}), program)
	return running.URL + "/mcp"
}

// withToken sends a token with each request.
type withToken string

func (token withToken) RoundTrip(r *http.Request) (*http.Response, error) {
	r = r.Clone(r.Context())
	r.Header.Set("Authorization", "Bearer "+string(token))
	return http.DefaultTransport.RoundTrip(r)
}

func connect(t *testing.T, url, token string) (*mcp.ClientSession, error) {
	client := mcp.NewClient(&mcp.Implementation{Name: "test", Version: "1"}, nil)
	return client.Connect(t.Context(), &mcp.StreamableClientTransport{Endpoint: url, HTTPClient: &http.Client{Transport: withToken(token)}}, nil)
}

func TestToolCalls(t *testing.T) {
	issuer := testutil.NewIssuer(t, testutil.IssuerConfig{Audience: resource})
	session, err := connect(t, start(t, issuer), issuer.Mint(testutil.Token{Claims: map[string]any{
		"client_id": "desk", "scope": "notes:read", "act": map[string]any{"sub": "agent-7"}}}))
	require.NoError(t, err)
	defer func() { require.NoError(t, session.Close()) }()
	reply, err := session.CallTool(t.Context(), &mcp.CallToolParams{Name: "whoami"})
	require.NoError(t, err)
	text, err := json.Marshal(reply.StructuredContent)
	require.NoError(t, err)
	assert.JSONEq(t, `{"subject":"alice","client":"desk","scopes":["notes:read"],"agent":"agent-7"}`, string(text))
	reply, err = session.CallTool(t.Context(), &mcp.CallToolParams{Name: "greet", Arguments: map[string]any{"name": "Bob"}})
	require.NoError(t, err)
	text, err = json.Marshal(reply.StructuredContent)
	require.NoError(t, err)
	assert.JSONEq(t, `{"text":"Hello Bob, from alice"}`, string(text))
}

func TestTokensForSomebodyElseAreRefused(t *testing.T) {
	issuer := testutil.NewIssuer(t, testutil.IssuerConfig{Audience: resource})
	url := start(t, issuer)
	for name, token := range map[string]testutil.Token{
		"of another audience": {Claims: map[string]any{"aud": "pico"}},
		"expired":             {Flaw: testutil.Expired},
	} {
		_, err := connect(t, url, issuer.Mint(token))
		assert.Error(t, err, name)
	}
}

// A client that knows nothing but the URL learns where to sign in.
func TestAnonymousClientsLearnWhereToSignIn(t *testing.T) {
	issuer := testutil.NewIssuer(t, testutil.IssuerConfig{Audience: resource})
	url := start(t, issuer)
	for _, method := range []string{http.MethodPost, http.MethodGet, http.MethodDelete} {
		request, err := http.NewRequestWithContext(t.Context(), method, url, nil)
		require.NoError(t, err)
		reply, err := http.DefaultClient.Do(request)
		require.NoError(t, err)
		require.NoError(t, reply.Body.Close())
		require.Equal(t, http.StatusUnauthorized, reply.StatusCode, method)
		challenges, err := oauthex.ParseWWWAuthenticate(reply.Header.Values("WWW-Authenticate"))
		require.NoError(t, err)
		require.Len(t, challenges, 1)
		assert.Equal(t, "http://localhost:8400/.well-known/oauth-protected-resource/mcp", challenges[0].Params["resource_metadata"])
	}
	reply, err := http.Get(url[:len(url)-len("/mcp")] + "/.well-known/oauth-protected-resource/mcp") //nolint:noctx // the URL is the test's own
	require.NoError(t, err)
	defer func() { _ = reply.Body.Close() }()
	body, err := io.ReadAll(reply.Body)
	require.NoError(t, err)
	var metadata oauthex.ProtectedResourceMetadata
	require.NoError(t, json.Unmarshal(body, &metadata))
	assert.Equal(t, resource, metadata.Resource)
	assert.Equal(t, []string{issuer.Name}, metadata.AuthorizationServers)
}
