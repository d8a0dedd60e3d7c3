package main

import (
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/picoauth/picoauth/clientauth/jose"
	"github.com/picoauth/picoauth/clientauth/verify"
	"github.com/picoauth/picoauth/testutil"
)

// start runs the program against an issuer and returns its URL.
func start(t *testing.T, issuer *testutil.Issuer) string {
	t.Helper()
	t.Setenv(secretVariable, issuer.Secret)
	ctx, stop := context.WithCancel(t.Context())
	out, log := io.Pipe()
	done := make(chan error, 1)
	go func() {
		err := run(ctx, []string{"--address", "127.0.0.1:0", "--issuer", issuer.Name, "--jwks", issuer.JWKS.URL,
			"--denylist", issuer.Denylist.URL, "--algorithms", jose.ES256}, log)
		_ = log.Close()
		done <- err
	}()
	t.Cleanup(func() {
		stop()
		require.NoError(t, <-done)
	})
	line, err := bufio.NewReader(out).ReadString('\n')
	require.NoError(t, err)
	_, url, found := strings.Cut(strings.TrimSpace(line), "listening on ")
	require.True(t, found, line)
	url, _, _ = strings.Cut(url, " ")
	return url
}

func TestTheService(t *testing.T) {
	issuer := testutil.NewIssuer(t, testutil.IssuerConfig{Algorithms: []string{jose.ES256}})
	url := start(t, issuer)
	user, admin := issuer.Mint(testutil.Token{}), issuer.Mint(testutil.Token{Role: "admin"})
	agent := issuer.Mint(testutil.Token{Claims: map[string]any{"agent_id": "a", "scopes": []string{"treasury:*"}}})
	for _, test := range []struct {
		path, token, agent string
		status             int
		body               string
	}{
		{"/health", "", "", 200, "ok"},
		{"/api/greeting", "", "", 200, "hello, stranger"},
		{"/api/greeting", user, "", 200, "hello, alice"},
		{"/api/greeting", "not.a.token", "", 401, "invalid_token"},
		{"/api/profile", "", "", 401, "token_required"},
		{"/api/profile", user, "", 200, `"subject":"alice"`},
		{"/api/profile", issuer.Mint(testutil.Token{Flaw: testutil.Expired}), "", 401, "token_expired"},
		{"/api/admin/dashboard", user, "", 403, "forbidden"},
		{"/api/admin/dashboard", admin, "", 200, "welcome"},
		{"/api/payments", user, "", 403, "insufficient_scope"},
		{"/api/payments", user, agent, 200, "no payments"},
		{"/nowhere", "", "", 401, "token_required"},
		{"/nowhere", user, "", 404, ""},
	} {
		status, body := get(t, url+test.path, test.token, test.agent)
		assert.Equal(t, test.status, status, test.path)
		assert.Contains(t, body, test.body, test.path)
	}
}

func get(t *testing.T, url, token, agent string) (int, string) {
	t.Helper()
	request, err := http.NewRequestWithContext(t.Context(), http.MethodGet, url, nil)
	require.NoError(t, err)
	if token != "" {
		request.Header.Set("Authorization", "Bearer "+token)
	}
	if agent != "" {
		request.Header.Set(verify.AgentHeader, "Bearer "+agent)
	}
	reply, err := http.DefaultClient.Do(request)
	require.NoError(t, err)
	defer reply.Body.Close()
	body, err := io.ReadAll(reply.Body)
	require.NoError(t, err)
	return reply.StatusCode, string(body)
}

func TestFlags(t *testing.T) {
	for name, test := range map[string]struct {
		args []string
		want string
	}{
		"help":              {[]string{"--help"}, "help requested"},
		"unknown flag":      {[]string{"--port", "1"}, "port"},
		"argument":          {[]string{"serve"}, `unexpected argument "serve"`},
		"unknown algorithm": {[]string{"--algorithms", "HS256"}, `algorithm "HS256" is not supported`},
		"no issuer":         {[]string{"--issuer", ""}, "not the URL of an endpoint"},
		"plain http":        {[]string{"--issuer", "http://auth.example.com"}, "must be https"},
		"bad address":       {[]string{"--address", "nowhere"}, "nowhere"},
	} {
		var help bytes.Buffer
		err := run(t.Context(), test.args, &help)
		assert.ErrorContains(t, err, test.want, name)
		if name == "help" {
			assert.Contains(t, help.String(), "-issuer URL")
			assert.Contains(t, help.String(), secretVariable)
		}
	}
}

// A handler is tested on its own, without a token.
func TestProfile(t *testing.T) {
	request := httptest.NewRequest(http.MethodGet, "/api/profile", nil)
	ctx := testutil.Authenticated(request.Context(), verify.SecurityContext{Subject: "0xabc", Role: "wallet"})
	answer := httptest.NewRecorder()
	profile(answer, request.WithContext(ctx))
	var body map[string]string
	require.NoError(t, json.Unmarshal(answer.Body.Bytes(), &body))
	assert.Equal(t, map[string]string{"subject": "0xabc", "role": "wallet"}, body)
}
