package oauth_test

import (
	"context"
	"net/http"
	"net/http/httptest"
	"os"
	"runtime"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"go.uber.org/fx"

	"github.com/picoauth/picoauth/serverauth"
	"github.com/picoauth/picoauth/serverauth/claims"
	"github.com/picoauth/picoauth/serverauth/oauth"
	"github.com/picoauth/picoauth/serverauth/session"
	"github.com/picoauth/picoauth/serverauth/store"
	"github.com/picoauth/picoauth/serverauth/token"
	"github.com/picoauth/picoauth/testutil"
)

// TestAClientThatNobodyKnowsGetsNoRole: an operator who signs in to a stranger's program does not make it an operator.
func TestAClientThatNobodyKnowsGetsNoRole(t *testing.T) {
	provider := claims.ProviderFunc(func(context.Context, store.Subject) (claims.Claims, error) {
		return claims.Claims{Role: "operator"}, nil
	})
	var sessions *session.Service
	s := startServer(t, nil, nil, testutil.WithClaimsProvider(provider), fx.Populate(&sessions))
	call := func(id string, access session.Access) (sessionsStatus, mintsStatus int) {
		begun, err := sessions.StartGranted(t.Context(), session.Granted{
			ID: id, Subject: store.Subject{ID: newWallet(t, "eip191").Address, Kind: store.KindWallet}, Since: s.clock.Now(),
			From: session.Origin{At: s.clock.Now(), ClientID: "https://stranger.example/client.json"}, Access: access,
			Grant: token.Grant{ClientID: "https://stranger.example/client.json"}, Settle: func() error { return nil },
		})
		require.NoError(t, err)
		get := func(path string) int {
			request := httptest.NewRequest(http.MethodGet, s.url+serverauth.Prefix+path, nil)
			request.RequestURI = ""
			request.Header.Set("Authorization", "Bearer "+begun.AccessToken)
			return s.browser().do(request).StatusCode
		}
		return get("/sessions"), get("/mints")
	}
	known, operators := call("AAAAAAAAAAAAAAAAAAAAAA", session.Access{Scope: "openid"})
	assert.Equal(t, []int{http.StatusOK, http.StatusOK}, []int{known, operators}, "a client of the configuration acts for the operator")
	own, operators := call("BBBBBBBBBBBBBBBBBBBBBA", session.Access{Scope: "openid", WithoutRole: true})
	assert.Equal(t, []int{http.StatusForbidden, http.StatusForbidden}, []int{own, operators})
}

// TestTheServersOwnAudienceAsAResourceBringsNoRole: an embedded server's audience may be the URI of its API, which is open to all.
func TestTheServersOwnAudienceAsAResourceBringsNoRole(t *testing.T) {
	provider := claims.ProviderFunc(func(context.Context, store.Subject) (claims.Claims, error) {
		return claims.Claims{Role: "operator", Groups: []string{"staff"}, Extra: map[string]any{"permissions": []string{"all"}}}, nil
	})
	const api, other = "https://api.example.com/", "https://open.example.com/"
	s := startServer(t, map[string]any{
		"clients": []any{}, "dynamic_registration": "open", "resources": []any{map[string]any{"uri": api, "open": true}, map[string]any{"uri": other, "open": true}},
	}, map[string]any{"audience": api}, testutil.WithClaimsProvider(provider))
	made := s.browser().postJSON(s.endpoint("/register"), map[string]any{"redirect_uris": []string{redirect}})
	require.Equal(t, http.StatusCreated, made.StatusCode, made.body)
	id := made.json(t)["client_id"].(string)
	get := func(token any) int {
		request, err := http.NewRequest(http.MethodGet, s.url+serverauth.Prefix+"/mints", nil)
		require.NoError(t, err)
		request.Header.Set("Authorization", "Bearer "+token.(string))
		return s.browser().do(request).StatusCode
	}
	for _, resources := range [][]string{nil, {api}, {api, other}} {
		asked := newAsk("client_id", id, "scope", "openid groups")
		asked.Values["resource"] = resources
		code := s.browser().code(asked, newWallet(t, "eip191"))
		tokens := s.public(id, "grant_type", "authorization_code", "code", code, "redirect_uri", redirect, "code_verifier", asked.verifier)
		require.Equal(t, http.StatusOK, tokens.StatusCode, tokens.body)
		for _, name := range []string{"role", "groups", "permissions"} {
			assert.NotContains(t, claimsOf(t, tokens.json(t)["access_token"]), name, resources)
		}
		assert.Equal(t, []any{"staff"}, claimsOf(t, tokens.json(t)["id_token"])["groups"], "the client learns what it was allowed to read")
		assert.Equal(t, http.StatusForbidden, get(tokens.json(t)["access_token"]), resources)
		refreshed := s.public(id, "grant_type", "refresh_token", "refresh_token", tokens.json(t)["refresh_token"].(string))
		assert.Equal(t, http.StatusForbidden, get(refreshed.json(t)["access_token"]), resources)
	}
}

// TestNobodyIsLedAstray: a stranger's wrong request takes nobody from this server's address to the stranger's before a sign-in.
func TestNobodyIsLedAstray(t *testing.T) {
	s := startServer(t, map[string]any{"dynamic_registration": "open"}, nil)
	register := func(uri string) string {
		made := s.browser().postJSON(s.endpoint("/register"), map[string]any{"redirect_uris": []string{uri}})
		require.Equal(t, http.StatusCreated, made.StatusCode, made.body)
		return made.json(t)["client_id"].(string)
	}
	stranger, tool := register("https://stranger.example/cb"), register("http://127.0.0.1/cb")
	signedIn := s.browser()
	signedIn.code(newAsk(), newWallet(t, "eip191"))
	for _, wrong := range [][]string{{"response_type", "token"}, {"scope", "root"}, {"prompt", "none"}, {"scope", "root", "response_mode", "form_post"}} {
		asked := newAsk(append([]string{"client_id", stranger, "redirect_uri", "https://stranger.example/cb", "scope", "openid"}, wrong...)...)
		page := s.browser().authorize(asked)
		assert.Equal(t, http.StatusBadRequest, page.StatusCode, wrong)
		assert.Empty(t, page.Header.Get("Location")+page.Header.Get("Refresh"), wrong)
		assert.Contains(t, page.body, `href="https://stranger.example/cb?error=`, "the person may go there")
		assert.Contains(t, page.body, "Go back to stranger.example?")
		asked.Del("response_mode")
		assert.Equal(t, http.StatusFound, signedIn.authorize(asked).StatusCode, wrong)
		for id, uri := range map[string]string{tool: "http://127.0.0.1:1234/cb", "grafana": redirect} {
			asked.Set("client_id", id)
			asked.Set("redirect_uri", uri)
			assert.Equal(t, http.StatusFound, s.browser().authorize(asked).StatusCode, "%s: %s", wrong, uri)
		}
	}
}

// TestRequestsThatNobodyFinishesCostNoMemory asks 20 000 of them, or ten million with PICOAUTH_LONG=1, half of them as far as
// the message to sign.
func TestRequestsThatNobodyFinishesCostNoMemory(t *testing.T) {
	number := 20_000
	if os.Getenv("PICOAUTH_LONG") == "1" {
		number = 10_000_000
	}
	e := startEcho(t, nil)
	w := newWallet(t, "eip191")
	asked, message := newAsk().Encode(), ""
	before := heap()
	most := int64(0)
	for n := range number {
		if n%(number/10) == 0 { // a page lasts an hour, and this may take longer
			most = max(most, heap()-before)
			t.Logf("after %d requests the heap has grown by %d KiB at most", n, most/1024)
			page := answer{body: serve(e, http.MethodGet, oauth.Prefix+"/authorize", "", asked).Body.String()}
			message = `{"request":"` + page.fields().Get("request") + `","address":"` + w.Address + `"}`
		}
		reply := serve(e, http.MethodGet, oauth.Prefix+"/authorize", "", asked)
		if n%2 == 0 {
			reply = serve(e, http.MethodPost, oauth.Prefix+"/authorize/challenge", "application/json", message)
		}
		if reply.Code != http.StatusOK {
			t.Fatalf("status %d: %s", reply.Code, reply.Body)
		}
	}
	most = max(most, heap()-before)
	assert.Less(t, most, int64(16<<20), "bytes of growth")
	t.Logf("%d requests: the heap grew by %d KiB", number, most/1024)
}

func heap() int64 {
	var stats runtime.MemStats
	runtime.GC()
	runtime.ReadMemStats(&stats)
	return int64(stats.HeapAlloc)
}
