package oauth_test

import (
	"net/http"
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/picoauth/picoauth/clientauth"
	"github.com/picoauth/picoauth/serverauth"
	"github.com/picoauth/picoauth/testutil"
)

func (s *server) userinfo(token any) answer {
	s.Helper()
	request, err := http.NewRequest(http.MethodGet, s.endpoint("/userinfo"), nil)
	require.NoError(s, err)
	if text, _ := token.(string); text != "" {
		request.Header.Set("Authorization", "Bearer "+text)
	}
	return s.browser().do(request)
}

func TestUserinfo(t *testing.T) {
	s := startServer(t, nil, nil)
	w := newWallet(t, "eip191")
	tokens := s.signIn(newAsk("scope", "openid wallet", "resource", mcp), w)
	reply := s.userinfo(tokens["access_token"])
	require.Equal(t, http.StatusOK, reply.StatusCode, reply.body)
	assert.Equal(t, map[string]any{"sub": w.Address, "wallet_address": w.Address, "account": "eip155:1:" + w.Address}, reply.json(t))
	for name, token := range map[string]any{"none": "", "no token": "x", "an ID token": tokens["id_token"], "a refresh token": tokens["refresh_token"]} {
		reply := s.userinfo(token)
		assert.Equal(t, http.StatusUnauthorized, reply.StatusCode, name)
		assert.True(t, strings.HasPrefix(reply.Header.Get("WWW-Authenticate"), "Bearer "), name)
	}
	without := s.userinfo(s.signIn(newAsk("scope", "read"), w)["access_token"])
	assert.Equal(t, http.StatusForbidden, without.StatusCode)
	assert.Contains(t, without.Header.Get("WWW-Authenticate"), `error="insufficient_scope", scope="openid"`)
}

func TestIntrospection(t *testing.T) {
	s := startServer(t, nil, nil)
	w := newWallet(t, "eip191")
	tokens := s.signIn(newAsk("resource", mcp), w)
	said := s.clientPost("/introspect", "reader", "token", tokens["access_token"].(string)).json(t)
	for name, want := range map[string]any{"active": true, "token_type": "Bearer", "sub": w.Address, "client_id": "grafana", "aud": mcp, "scope": "openid profile groups"} {
		assert.Equal(t, want, said[name], name)
	}
	for name, token := range map[string]any{"text": "x", "an ID token": tokens["id_token"], "a refresh token": tokens["refresh_token"]} {
		assert.Equal(t, map[string]any{"active": false}, s.clientPost("/introspect", "reader", "token", token.(string)).json(t), name)
	}
	s.clientPost("/introspect", "grafana", "token", "x").refused(t, 400, "unauthorized_client")
	s.clientPost("/introspect", "cli", "token", "x").refused(t, 400, "unauthorized_client")
	s.clientPost("/introspect", "reader").refused(t, 400, "invalid_request")
}

func TestRevoke(t *testing.T) {
	s := startServer(t, nil, nil)
	w := newWallet(t, "eip191")
	tokens := s.signIn(newAsk(), w)
	access, refresh := tokens["access_token"].(string), tokens["refresh_token"].(string)
	s.clientPost("/revoke", "cli", "token", refresh).refused(t, 400, "invalid_grant")
	s.clientPost("/revoke", "cli", "token", access).refused(t, 400, "invalid_grant")
	assert.True(t, s.active(access))
	assert.Equal(t, http.StatusOK, s.clientPost("/revoke", "grafana", "token", "nothing").StatusCode)
	assert.Equal(t, http.StatusOK, s.clientPost("/revoke", "grafana", "token", access, "token_type_hint", "refresh_token").StatusCode)
	assert.False(t, s.active(access))
	next := s.token("grant_type", "refresh_token", "refresh_token", refresh).json(t)
	assert.True(t, s.active(next["access_token"]))
	assert.Equal(t, http.StatusOK, s.clientPost("/revoke", "grafana", "token", next["refresh_token"].(string)).StatusCode)
	assert.False(t, s.active(next["access_token"]), "with the session end its tokens")
	s.token("grant_type", "refresh_token", "refresh_token", next["refresh_token"].(string)).refused(t, 400, "invalid_grant")
}

func (b *browser) logout(pairs ...string) answer {
	b.Helper()
	query := url.Values{}
	for i := 0; i < len(pairs); i += 2 {
		query.Set(pairs[i], pairs[i+1])
	}
	return b.get(b.endpoint("/logout?" + query.Encode()))
}

func (b *browser) signedIn() bool {
	b.Helper()
	_, query := b.authorize(newAsk("prompt", "none")).at(b)
	return query.Get("code") != ""
}

const bye = "https://grafana.example.com/bye"

func TestLogout(t *testing.T) {
	s := startServer(t, nil, nil)
	w := newWallet(t, "eip191")
	in := func() (*browser, map[string]any) { b := s.browser(); return b, s.exchangeOK(newAsk(), b, w) }

	b, tokens := in()
	s.clock.Advance(time.Hour) // the hint has expired, and counts
	reply := b.logout("id_token_hint", tokens["id_token"].(string), "post_logout_redirect_uri", bye, "state", "s")
	require.Equal(t, http.StatusFound, reply.StatusCode, reply.body)
	assert.Equal(t, bye+"?state=s", reply.Header.Get("Location"))
	assert.False(t, b.signedIn())
	s.token("grant_type", "refresh_token", "refresh_token", tokens["refresh_token"].(string)).refused(t, 400, "invalid_grant")

	other, _ := in()
	b, tokens = in()
	asked := other.logout("id_token_hint", tokens["id_token"].(string), "post_logout_redirect_uri", bye)
	assert.Equal(t, http.StatusOK, asked.StatusCode, "a hint of another browser is none")
	assert.True(t, other.signedIn())
	asked = b.logout()
	assert.Contains(t, asked.body, w.Address)
	assert.Equal(t, "", asked.Header.Get("Location"))
	assert.True(t, b.signedIn(), "nobody is signed out by a link")
	done := b.postForm(s.endpoint("/logout"), asked.fields())
	assert.Equal(t, http.StatusOK, done.StatusCode)
	assert.False(t, b.signedIn())

	b, tokens = in()
	for name, pairs := range map[string][]string{
		"another redirect":      {"id_token_hint", tokens["id_token"].(string), "post_logout_redirect_uri", "https://evil.example/"},
		"a redirect of nobody":  {"post_logout_redirect_uri", bye},
		"the hint of a forger":  {"id_token_hint", tokens["id_token"].(string) + "x", "post_logout_redirect_uri", bye},
		"a hint for another":    {"id_token_hint", tokens["id_token"].(string), "client_id", "cli"},
		"an access token":       {"id_token_hint", tokens["access_token"].(string), "post_logout_redirect_uri", bye},
		"the redirect of login": {"client_id", "grafana", "post_logout_redirect_uri", redirect},
	} {
		reply := b.logout(pairs...)
		assert.Equal(t, http.StatusBadRequest, reply.StatusCode, name)
		assert.Empty(t, reply.Header.Get("Location"), name)
	}
	assert.True(t, b.signedIn())
	form := url.Values{"id_token_hint": {tokens["id_token"].(string)}}
	posted := b.postForm(s.endpoint("/logout"), form)
	assert.Equal(t, http.StatusSeeOther, posted.StatusCode, "a POST of another site goes on as a GET")
	forged := url.Values{"csrf": {"x"}}
	assert.Equal(t, http.StatusOK, b.postForm(s.endpoint("/logout"), forged).StatusCode)
	assert.True(t, b.signedIn())
}

// TestTheBrowsersSessionIsASession: it is in the list of the person's sessions, and ends there.
func TestTheBrowsersSessionIsASession(t *testing.T) {
	s := startServer(t, nil, nil)
	b, w := s.browser(), newWallet(t, "eip191")
	asked := newAsk()
	tokens := s.exchangeOK(asked, b, w)
	var list struct {
		Items []struct {
			SID       string `json:"sid"`
			ClientID  string `json:"client_id"`
			RequestID string `json:"request_id"`
		} `json:"items"`
	}
	in, err := testutil.SignIn(t.Context(), s.url, w)
	require.NoError(t, err)
	require.NoError(t, testutil.Get(t.Context(), s.url+serverauth.Prefix+"/sessions", in.AccessToken, &list))
	require.Len(t, list.Items, 3)
	browsers := ""
	for _, item := range list.Items {
		switch {
		case item.ClientID == "grafana":
			assert.Equal(t, claimsOf(t, tokens["access_token"])["sid"], item.SID)
			assert.Len(t, item.RequestID, 43)
		case item.RequestID != "":
			browsers = item.SID
		}
	}
	request, err := http.NewRequest(http.MethodDelete, s.url+serverauth.Prefix+"/sessions/"+browsers, nil)
	require.NoError(t, err)
	request.Header.Set("Authorization", "Bearer "+in.AccessToken)
	assert.Equal(t, http.StatusNoContent, b.do(request).StatusCode)
	assert.False(t, b.signedIn())
}

// TestMintsSayOnWhatConsent: a token of a known consent names the request that was signed.
func TestMintsSayOnWhatConsent(t *testing.T) {
	s := startServer(t, nil, map[string]any{"auto_create_admin": true, "admin_password": "correct horse"})
	b, w := s.browser(), newWallet(t, "eip191")
	s.exchangeOK(newAsk(), b, w)
	again := newAsk()
	_, query := b.authorize(again).at(t)
	require.Equal(t, http.StatusOK, s.exchange(again, query.Get("code")).StatusCode)
	var admin struct {
		AccessToken string `json:"access_token"`
	}
	login := map[string]string{"email": "admin@pico.local", "password": "correct horse"}
	require.NoError(t, testutil.Post(t.Context(), s.url+serverauth.Prefix+"/login", login, &admin))
	var mints struct {
		Items []struct {
			ClientID  string `json:"client_id"`
			RequestID string `json:"request_id"`
			Scope     string `json:"scope"`
		} `json:"items"`
	}
	require.NoError(t, testutil.Get(t.Context(), s.url+serverauth.Prefix+"/mints?sub="+w.Address, admin.AccessToken, &mints))
	require.Len(t, mints.Items, 2)
	assert.Equal(t, "grafana", mints.Items[0].ClientID)
	assert.Equal(t, "openid profile groups", mints.Items[0].Scope)
	assert.Len(t, mints.Items[0].RequestID, 43)
	assert.Equal(t, mints.Items[0].RequestID, mints.Items[1].RequestID)
}

func TestDiscoveryIsComplete(t *testing.T) {
	s := startServer(t, nil, nil)
	for _, name := range []string{"openid-configuration", "oauth-authorization-server"} {
		document := s.browser().get(s.url + "/.well-known/" + name).json(t)
		for key, want := range map[string]any{
			"issuer": s.url, "authorization_endpoint": s.endpoint("/authorize"), "token_endpoint": s.endpoint("/token"),
			"userinfo_endpoint": s.endpoint("/userinfo"), "end_session_endpoint": s.endpoint("/logout"), "revocation_endpoint": s.endpoint("/revoke"),
			"introspection_endpoint": s.endpoint("/introspect"), "response_types_supported": []any{"code"},
			"code_challenge_methods_supported": []any{"S256"}, "authorization_response_iss_parameter_supported": true,
			"request_uri_parameter_supported": false, "id_token_signing_alg_values_supported": []any{"EdDSA"},
			"token_endpoint_auth_methods_supported": []any{"none", "client_secret_basic", "client_secret_post", "private_key_jwt"},
		} {
			assert.Equal(t, want, document[key], key)
		}
		assert.Contains(t, document["scopes_supported"], "tools")
		assert.Contains(t, document["grant_types_supported"], "refresh_token")
	}
}

// TestDiscoveryOfAnIssuerWithAPath: RFC 8414 inserts the name before the path.
func TestDiscoveryOfAnIssuerWithAPath(t *testing.T) {
	s := startServer(t, nil, map[string]any{"issuer": "https://example.com/auth"})
	for _, path := range []string{"/.well-known/oauth-authorization-server/auth", "/.well-known/openid-configuration/auth", "/.well-known/openid-configuration"} {
		var document map[string]any
		require.NoError(t, testutil.Get(t.Context(), s.url+path, "", &document))
		assert.Equal(t, "https://example.com/auth/api/v1/auth/oauth/authorize", document["authorization_endpoint"], path)
	}
	page := s.browser().authorize(newAsk())
	assert.Contains(t, page.body, `src="/auth/api/v1/auth/oauth/page.js"`)
	cookie := s.browser().authorize(newAsk()).Header.Get("Set-Cookie")
	assert.Contains(t, cookie, "__Host-picoauth-form=")
	assert.Contains(t, cookie, "; Secure; SameSite=Lax")
}

// TestBehindAValidator: in an app that demands a token everywhere, these endpoints are for everyone, and nothing else is.
func TestBehindAValidator(t *testing.T) {
	s := startServer(t, nil, nil, clientauth.Module)
	w := newWallet(t, "eip191")
	tokens := s.signIn(newAsk(), w)
	assert.Equal(t, http.StatusOK, s.userinfo(tokens["access_token"]).StatusCode)
	assert.Equal(t, http.StatusOK, s.clientPost("/revoke", "grafana", "token", tokens["access_token"].(string)).StatusCode)
	for path, want := range map[string]int{
		"/authorize?": http.StatusBadRequest, "/page.js": http.StatusOK, "/logout": http.StatusOK, "/authorized": http.StatusUnauthorized, "/": http.StatusUnauthorized,
	} {
		reply, err := http.Get(s.endpoint(path))
		require.NoError(t, err)
		require.NoError(t, reply.Body.Close())
		assert.Equal(t, want, reply.StatusCode, path)
	}
}
