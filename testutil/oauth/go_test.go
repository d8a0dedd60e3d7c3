package oauth_test

import (
	"net/url"
	"testing"
	"time"

	"github.com/coreos/go-oidc/v3/oidc"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"golang.org/x/oauth2"
	"golang.org/x/oauth2/clientcredentials"
)

// The clients of Go: coreos/go-oidc (Kubernetes, Gitea's kind, Argo CD, Vault, Dex) on golang.org/x/oauth2.
func TestGoOIDC(t *testing.T) {
	const redirect = "https://app.example.com/callback"
	for name, client := range map[string]object{
		"public":       {"id": "app", "redirect_uris": []string{redirect}},
		"confidential": {"id": "app", "redirect_uris": []string{redirect}, "secret": secret},
		"secret in the body": {"id": "app", "redirect_uris": []string{redirect}, "secret": secret,
			"auth_method": "client_secret_post"},
	} {
		t.Run(name, func(t *testing.T) {
			issuer := startServer(t, object{"clients": []object{client}})
			provider, err := oidc.NewProvider(t.Context(), issuer)
			require.NoError(t, err)
			config := oauth2.Config{ClientID: "app", Endpoint: provider.Endpoint(), RedirectURL: redirect,
				Scopes: []string{oidc.ScopeOpenID, "profile", "email", "groups", "wallet", oidc.ScopeOfflineAccess}}
			config.ClientSecret, _ = client["secret"].(string)
			if client["auth_method"] == "client_secret_post" {
				config.Endpoint.AuthStyle = oauth2.AuthStyleInParams
			}
			verifier, someone := oauth2.GenerateVerifier(), newPerson(t)
			location, err := someone.allow(t.Context(), config.AuthCodeURL("s-1", oauth2.S256ChallengeOption(verifier), oidc.Nonce("n-1")))
			require.NoError(t, err)
			answer, err := url.Parse(location)
			require.NoError(t, err)
			assert.Equal(t, "app.example.com", answer.Host)
			assert.Equal(t, "s-1", answer.Query().Get("state"))
			assert.Equal(t, issuer, answer.Query().Get("iss"))

			tokens, err := config.Exchange(t.Context(), answer.Query().Get("code"), oauth2.VerifierOption(verifier))
			require.NoError(t, err)
			raw, _ := tokens.Extra("id_token").(string)
			identity, err := provider.Verifier(&oidc.Config{ClientID: "app"}).Verify(t.Context(), raw)
			require.NoError(t, err)
			assert.Equal(t, "n-1", identity.Nonce)
			require.NoError(t, identity.VerifyAccessToken(tokens.AccessToken))
			var claims struct {
				AMR     []string `json:"amr"`
				Wallet  string   `json:"wallet_address"`
				Account string   `json:"account"`
			}
			require.NoError(t, identity.Claims(&claims))
			assert.Equal(t, []string{"pop"}, claims.AMR)
			assert.Equal(t, someone.wallet.Address, claims.Wallet)

			source := oauth2.StaticTokenSource(tokens)
			about, err := provider.UserInfo(t.Context(), source)
			require.NoError(t, err)
			assert.Equal(t, identity.Subject, about.Subject)

			tokens.Expiry = time.Now().Add(-time.Minute)
			renewed, err := config.TokenSource(t.Context(), tokens).Token()
			require.NoError(t, err)
			assert.NotEqual(t, tokens.AccessToken, renewed.AccessToken)
			assert.NotEqual(t, tokens.RefreshToken, renewed.RefreshToken)
			_, err = provider.UserInfo(t.Context(), oauth2.StaticTokenSource(renewed))
			require.NoError(t, err)

			_, err = config.Exchange(t.Context(), answer.Query().Get("code"), oauth2.VerifierOption(verifier))
			var refused *oauth2.RetrieveError
			require.ErrorAs(t, err, &refused)
			assert.Equal(t, "invalid_grant", refused.ErrorCode)
			_, err = provider.UserInfo(t.Context(), oauth2.StaticTokenSource(renewed))
			assert.ErrorContains(t, err, "401", "the second use of a code ends what the first began")
		})
	}
}

// A service of Go asks for a token of its own, with a secret and no person.
func TestGoClientCredentials(t *testing.T) {
	issuer := startServer(t, object{
		"scopes":  object{"reports:read": "read the reports"},
		"clients": []object{{"id": "job", "secret": secret, "grants": []string{"client_credentials"}, "scopes": []string{"reports:read"}}},
	})
	config := clientcredentials.Config{ClientID: "job", ClientSecret: secret, TokenURL: issuer + "/api/v1/auth/oauth/token", Scopes: []string{"reports:read"}}
	tokens, err := config.Token(t.Context())
	require.NoError(t, err)
	assert.Equal(t, "Bearer", tokens.Type())
	assert.Empty(t, tokens.RefreshToken)

	config.ClientSecret += "x"
	_, err = config.Token(t.Context())
	var refused *oauth2.RetrieveError
	require.ErrorAs(t, err, &refused)
	assert.Equal(t, "invalid_client", refused.ErrorCode)
	assert.Equal(t, 401, refused.Response.StatusCode)
}
