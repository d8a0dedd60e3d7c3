package oauth_test

import (
	"net"
	"net/http"
	"net/url"
	"testing"

	"github.com/coreos/go-oidc/v3/oidc"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"golang.org/x/oauth2"
)

// A program that listens on a free port of the loopback interface: what command-line.md shows.
func TestCommandLine(t *testing.T) {
	issuer := runServer(t, documented(t, "command-line.md", "yaml"))
	listener, err := new(net.ListenConfig).Listen(t.Context(), "tcp", "127.0.0.1:0")
	require.NoError(t, err)
	answers := make(chan url.Values, 1)
	program := &http.Server{Handler: http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) { answers <- r.URL.Query() })} //nolint:gosec // one request of the test's own
	go func() { _ = program.Serve(listener) }()
	defer func() { _ = program.Close() }()

	provider, err := oidc.NewProvider(t.Context(), issuer)
	require.NoError(t, err)
	_, port, err := net.SplitHostPort(listener.Addr().String())
	require.NoError(t, err)
	config := oauth2.Config{ClientID: "tool", Endpoint: provider.Endpoint(), RedirectURL: "http://127.0.0.1:" + port + "/callback",
		Scopes: []string{oidc.ScopeOpenID, oidc.ScopeOfflineAccess}}
	state, verifier := oauth2.GenerateVerifier(), oauth2.GenerateVerifier()
	someone := newPerson(t)
	location, err := someone.allow(t.Context(), config.AuthCodeURL(state, oauth2.S256ChallengeOption(verifier)))
	require.NoError(t, err)
	assert.Contains(t, someone.signed[0], "(this device)")
	_, _, err = someone.get(t.Context(), location)
	require.NoError(t, err)
	answer := <-answers
	assert.Equal(t, state, answer.Get("state"))
	assert.Equal(t, issuer, answer.Get("iss"))
	tokens, err := config.Exchange(t.Context(), answer.Get("code"), oauth2.VerifierOption(verifier))
	require.NoError(t, err)
	assert.NotEmpty(t, tokens.RefreshToken)
	assert.NotEmpty(t, tokens.Extra("id_token"))
}

// A program on a machine without a browser, by the device flow: what command-line.md shows last.
func TestCommandLineWithoutABrowser(t *testing.T) {
	issuer := runServer(t, documented(t, "command-line.md", "yaml", `redirect_uris: ["http://127.0.0.1/callback"]`,
		`grants: ["urn:ietf:params:oauth:grant-type:device_code", refresh_token]`))
	provider, err := oidc.NewProvider(t.Context(), issuer)
	require.NoError(t, err)
	config := oauth2.Config{ClientID: "tool", Endpoint: provider.Endpoint(), Scopes: []string{oidc.ScopeOpenID, oidc.ScopeOfflineAccess}}
	device, err := config.DeviceAuth(t.Context())
	require.NoError(t, err)
	someone := newPerson(t)
	_, err = someone.allow(t.Context(), device.VerificationURIComplete)
	require.NoError(t, err)
	assert.Contains(t, someone.signed[0], "Sign in to Tool (another device)")
	tokens, err := config.DeviceAccessToken(t.Context(), device)
	require.NoError(t, err)
	assert.NotEmpty(t, tokens.RefreshToken)
	text, _ := tokens.Extra("id_token").(string)
	token, err := provider.Verifier(&oidc.Config{ClientID: "tool"}).Verify(t.Context(), text)
	require.NoError(t, err)
	assert.Equal(t, someone.wallet.Address, token.Subject)
}
