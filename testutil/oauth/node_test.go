package oauth_test

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"net/http"
	"net/http/httptest"
	"testing"

	"github.com/picoauth/picoauth/testutil/services"
	"github.com/stretchr/testify/require"
)

// signingClient is a client that authenticates with assertions: its private key, and where its public one is.
func signingClient(t *testing.T) (private object, jwksURL string) {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	require.NoError(t, err)
	point, err := key.PublicKey.Bytes()
	require.NoError(t, err)
	secret, err := key.Bytes()
	require.NoError(t, err)
	encode := base64.RawURLEncoding.EncodeToString
	public := object{"kty": "EC", "crv": "P-256", "kid": "k-1", "alg": "ES256", "use": "sig", "x": encode(point[1:33]), "y": encode(point[33:])}
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Type", "application/json")
		_ = json.NewEncoder(w).Encode(object{"keys": []object{public}})
	}))
	t.Cleanup(server.Close)
	private = object{"d": encode(secret)}
	for name, value := range public {
		if name != "use" && name != "alg" {
			private[name] = value
		}
	}
	return private, server.URL
}

// given is what a script gets.
func given(t *testing.T, values object) string {
	t.Helper()
	text, err := json.Marshal(values)
	require.NoError(t, err)
	return "PICOAUTH_GIVEN=" + string(text)
}

// startForLibraries runs a server with a client for each way of authentication.
func startForLibraries(t *testing.T) (values object) {
	t.Helper()
	const redirect, resource = "https://app.example.com/callback", "https://api.example.com/notes"
	private, jwks := signingClient(t)
	client := func(id string, more object) object {
		more["id"], more["redirect_uris"], more["resources"] = id, []string{redirect}, []string{resource}
		more["post_logout_redirect_uris"] = []string{"https://app.example.com/bye"}
		more["scopes"] = []string{"openid", "profile", "email", "groups", "wallet", "offline_access", "notes:read", "notes:write", "reports:read"}
		if id != "public" {
			more["introspect"], more["grants"] = true, []string{"authorization_code", "refresh_token", "client_credentials"}
			more["may_act"] = []object{{"roles": []string{"wallet"}, "scopes": []string{"notes:read"}}}
		}
		return more
	}
	issuer := startServer(t, object{
		"scopes": object{"reports:read": "read the reports"},
		"resources": []object{{"uri": resource, "name": "Notes",
			"scopes": object{"notes:read": "read your notes", "notes:write": "write notes for you"}}},
		"clients": []object{client("public", object{}), client("basic", object{"secret": secret}),
			client("post", object{"secret": secret, "auth_method": "client_secret_post"}),
			client("signs", object{"auth_method": "private_key_jwt", "jwks_uri": jwks}),
			{"id": "device", "grants": []string{"urn:ietf:params:oauth:grant-type:device_code", "refresh_token"}},
			{"id": "bound", "secret": secret, "grants": []string{"client_credentials"}, "scopes": []string{"reports:read"}, "dpop_bound_access_tokens": true}},
	})
	return object{"issuer": issuer, "secret": secret, "resource": resource, "key": private, "person": newPerson(t).serve(t)}
}

// The libraries that most programs in JavaScript sign in with.
func TestLibrariesOfNode(t *testing.T) {
	t.Run("oauth4webapi", func(t *testing.T) { runNode(t, "oauth4webapi.test.mjs", 12, given(t, startForLibraries(t))) })
	t.Run("openid-client", func(t *testing.T) { runNode(t, "openid-client.test.mjs", 6, given(t, startForLibraries(t))) })
}

// The same wrong requests to our server and to oidc-provider.
func TestWrongRequestsBesideOIDCProvider(t *testing.T) {
	const redirect, resource = "https://app.example.com/callback", "https://api.example.com/notes"
	scopes := []string{"openid", "profile", "offline_access", "notes:read"}
	public := object{"id": "public", "redirect_uris": []string{redirect}, "scopes": scopes, "resources": []string{resource}}
	native := object{"id": "native", "redirect_uris": []string{"http://127.0.0.1/callback", "com.example.app:/callback"}, "scopes": scopes}
	basic := object{"id": "basic", "redirect_uris": []string{redirect}, "secret": secret, "scopes": scopes, "introspect": true,
		"grants": []string{"authorization_code", "refresh_token", "client_credentials"}}
	code := object{"id": "basic-code", "redirect_uris": []string{redirect}, "secret": secret, "scopes": scopes}
	private, jwks := signingClient(t)
	signs := object{"id": "signs", "auth_method": "private_key_jwt", "jwks_uri": jwks, "grants": []string{"client_credentials"}}
	public["post_logout_redirect_uris"] = []string{"https://app.example.com/bye"}
	clients := []object{public, native, basic, code, signs}
	issuer := startServer(t, object{"clients": clients, "resources": []object{{"uri": resource, "name": "Notes", "scopes": object{"notes:read": "read your notes"}}}})
	native["native"] = true // for oidc-provider
	runNode(t, "differential.test.mjs", 230, given(t, object{"issuer": issuer, "person": newPerson(t).serve(t), "clients": clients, "resource": resource,
		"scopes": []string{"notes:read"}, "secret": secret, "key": private}))
}

// A single-page app in Chromium.
func TestSinglePageApp(t *testing.T) {
	chromium, err := lookPath("chromium", "chromium-browser", "google-chrome")
	if err != nil {
		services.Missing(t, "Chromium is NOT installed (Debian: chromium)")
	}
	const documentedSite = "https://notes.example.com"
	site := fmt.Sprintf("http://localhost:%d", services.FreePort(t))
	issuer := runServer(t, documented(t, "single-page-app.md", "yaml", documentedSite, site))
	runNode(t, "spa.test.mjs", 1, given(t, object{"issuer": issuer, "site": site, "chromium": chromium, "app": documented(t, "single-page-app.md", "js")}))
}
