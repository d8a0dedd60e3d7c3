package oauth_test

import (
	"net/http"
	"testing"

	"github.com/coreos/go-oidc/v3/oidc"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"golang.org/x/oauth2"
)

// TestStockClientSignsIn signs in with golang.org/x/oauth2 and coreos/go-oidc, which know nothing of this server.
func TestStockClientSignsIn(t *testing.T) {
	for _, algorithm := range []string{"RS256", "ES256", "EdDSA"} {
		t.Run(algorithm, func(t *testing.T) {
			s := startServer(t, nil, map[string]any{"algorithm": algorithm})
			provider, err := oidc.NewProvider(t.Context(), s.url)
			require.NoError(t, err)
			config := oauth2.Config{
				ClientID: "grafana", ClientSecret: clientSecret, RedirectURL: redirect, Endpoint: provider.Endpoint(),
				Scopes: []string{oidc.ScopeOpenID, "profile", "wallet", oidc.ScopeOfflineAccess},
			}
			verifier, wallet := oauth2.GenerateVerifier(), newWallet(t, "eip191")
			b := s.browser()
			page := b.get(config.AuthCodeURL("the state", oauth2.S256ChallengeOption(verifier), oidc.Nonce("a nonce")))
			require.Equal(t, http.StatusOK, page.StatusCode, page.body)
			reply := b.sign(page, wallet)
			require.Equal(t, http.StatusOK, reply.StatusCode, reply.body)
			_, query := answer{&http.Response{Header: http.Header{"Location": {reply.json(t)["location"].(string)}}}, ""}.at(t)
			assert.Equal(t, "the state", query.Get("state"))
			assert.Equal(t, s.url, query.Get("iss"))

			token, err := config.Exchange(t.Context(), query.Get("code"), oauth2.VerifierOption(verifier))
			require.NoError(t, err)
			idToken, err := provider.Verifier(&oidc.Config{ClientID: "grafana"}).Verify(t.Context(), token.Extra("id_token").(string))
			require.NoError(t, err)
			require.NoError(t, idToken.VerifyAccessToken(token.AccessToken))
			assert.Equal(t, wallet.Address, idToken.Subject)
			assert.Equal(t, "a nonce", idToken.Nonce)

			info, err := provider.UserInfo(t.Context(), oauth2.StaticTokenSource(token))
			require.NoError(t, err)
			assert.Equal(t, wallet.Address, info.Subject)

			token.Expiry = token.Expiry.AddDate(-1, 0, 0)
			again, err := config.TokenSource(t.Context(), token).Token()
			require.NoError(t, err)
			assert.NotEqual(t, token.RefreshToken, again.RefreshToken)
			assert.NotEqual(t, token.AccessToken, again.AccessToken)
		})
	}
}
