package oauth_test

import (
	"context"
	"net/http"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/picoauth/picoauth/serverauth"
	"github.com/picoauth/picoauth/serverauth/claims"
	"github.com/picoauth/picoauth/serverauth/sqlstore/sqlite"
	"github.com/picoauth/picoauth/serverauth/store"
	"github.com/picoauth/picoauth/testutil"
)

func (s *server) plainRefresh(token any) answer {
	s.Helper()
	return s.browser().postJSON(s.url+serverauth.Prefix+"/refresh", map[string]any{"refresh_token": token})
}

// active tells whether an access token is good, by introspection.
func (s *server) active(token any) bool {
	s.Helper()
	text, _ := token.(string)
	reply := s.clientPost("/introspect", "reader", "token", text)
	require.Equal(s, http.StatusOK, reply.StatusCode, reply.body)
	return reply.json(s)["active"].(bool)
}

func TestTokensSayWhatWasAllowed(t *testing.T) {
	provider := claims.ProviderFunc(func(_ context.Context, _ store.Subject) (claims.Claims, error) {
		return claims.Claims{Role: "editor", Groups: []string{"a", "b"}, Email: "a@example.com", Name: "Ann"}, nil
	})
	s := startServer(t, nil, nil, testutil.WithClaimsProvider(provider))
	w := newWallet(t, "eip191")
	tokens := s.signIn(newAsk("scope", "openid profile groups", "nonce", "n-1"), w)
	assert.Equal(t, "Bearer", tokens["token_type"])
	assert.Equal(t, "openid profile groups", tokens["scope"])
	assert.InDelta(t, 900, tokens["expires_in"], 0)

	access := claimsOf(t, tokens["access_token"])
	for name, want := range map[string]any{
		"iss": s.url, "aud": "pico", "sub": w.Address, "client_id": "grafana", "scope": "openid profile groups", "role": "editor", "name": "Ann",
		"groups": []any{"a", "b"}, "email": nil, "wallet_address": w.Address,
	} {
		assert.Equal(t, want, access[name], name)
	}
	assert.Equal(t, access["iat"], access["auth_time"])

	id := claimsOf(t, tokens["id_token"])
	for name, want := range map[string]any{
		"iss": s.url, "aud": "grafana", "sub": w.Address, "nonce": "n-1", "name": "Ann", "preferred_username": "Ann", "groups": []any{"a", "b"},
		"email": nil, "wallet_address": nil, "sid": access["sid"], "amr": []any{"pop"},
	} {
		assert.Equal(t, want, id[name], name)
	}
	all := claimsOf(t, s.signIn(newAsk("scope", "openid email wallet"), w)["id_token"])
	assert.Equal(t, "a@example.com", all["email"])
	assert.Equal(t, w.Address, all["wallet_address"])
	assert.Equal(t, "eip155:1:"+w.Address, all["account"])
	assert.Nil(t, all["name"])
	assert.NotContains(t, s.signIn(newAsk("scope", "read"), w), "id_token", "without openid")
}

func TestACodeIsForOneUse(t *testing.T) {
	s := startServer(t, nil, nil)
	w := newWallet(t, "eip191")
	asked := newAsk()
	code := s.browser().code(asked, w)
	first := s.exchange(asked, code)
	require.Equal(t, http.StatusOK, first.StatusCode)
	tokens := first.json(t)
	assert.True(t, s.active(tokens["access_token"]))
	s.exchange(asked, code).refused(t, 400, "invalid_grant")
	assert.False(t, s.active(tokens["access_token"]), "the session that the first use began has ended")
	s.token("grant_type", "refresh_token", "refresh_token", tokens["refresh_token"].(string)).refused(t, 400, "invalid_grant")
	s.exchange(asked, code).refused(t, 400, "invalid_grant")
}

// TestALateSecondUseEndsTheSessionToo: nobody remembers a code that has expired, but its session tells.
func TestALateSecondUseEndsTheSessionToo(t *testing.T) {
	s := startServer(t, nil, nil)
	asked := newAsk()
	code := s.browser().code(asked, newWallet(t, "eip191"))
	tokens := s.exchange(asked, code).json(t)
	s.clock.Advance(5 * time.Minute)
	s.exchange(asked, code).refused(t, 400, "invalid_grant")
	assert.False(t, s.active(tokens["access_token"]))
}

func TestACodeLivesAMinute(t *testing.T) {
	s := startServer(t, nil, nil)
	asked := newAsk()
	code := s.browser().code(asked, newWallet(t, "eip191"))
	s.clock.Advance(time.Minute)
	s.exchange(asked, code).refused(t, 400, "invalid_grant")
}

// TestWhatSpendsACode: whoever has a code but not what it is bound to has stolen it.
func TestWhatSpendsACode(t *testing.T) {
	s := startServer(t, nil, nil)
	w := newWallet(t, "eip191")
	for name, steal := range map[string]func(asked ask, code string) answer{
		"another verifier": func(asked ask, code string) answer {
			return s.token("grant_type", "authorization_code", "code", code, "redirect_uri", redirect, "code_verifier", newAsk().verifier)
		},
		"no verifier": func(asked ask, code string) answer {
			return s.token("grant_type", "authorization_code", "code", code, "redirect_uri", redirect)
		},
		"the challenge for the verifier": func(asked ask, code string) answer {
			return s.token("grant_type", "authorization_code", "code", code, "redirect_uri", redirect, "code_verifier", asked.Get("code_challenge"))
		},
		"another redirect": func(asked ask, code string) answer {
			return s.token("grant_type", "authorization_code", "code", code, "redirect_uri", redirect+"2", "code_verifier", asked.verifier)
		},
		"another client": func(asked ask, code string) answer {
			return s.tokenAs("cli", "grant_type", "authorization_code", "code", code, "redirect_uri", redirect, "code_verifier", asked.verifier)
		},
	} {
		t.Run(name, func(t *testing.T) {
			asked := newAsk()
			code := s.browser().code(asked, w)
			steal(asked, code).refused(t, 400, "invalid_grant")
			s.exchange(asked, code).refused(t, 400, "invalid_grant")
		})
	}
}

func TestWhatDoesNotSpendACode(t *testing.T) {
	s := startServer(t, nil, nil)
	asked := newAsk("resource", mcp)
	code := s.browser().code(asked, newWallet(t, "eip191"))
	s.exchange(asked, code+"x").refused(t, 400, "invalid_grant")
	s.exchange(asked, "").refused(t, 400, "invalid_request")
	s.exchange(asked, code, "resource", "https://open.example.com/").refused(t, 400, "invalid_target")
	form := s.browser().postForm(s.endpoint("/token"), map[string][]string{
		"grant_type": {"authorization_code"}, "code": {code}, "client_id": {"grafana"}, "client_secret": {"wrong"}})
	form.refused(t, 401, "invalid_client")
	assert.Equal(t, http.StatusOK, s.exchange(asked, code, "resource", mcp).StatusCode)
}

func TestRefreshTokensRotate(t *testing.T) {
	s := startServer(t, nil, nil)
	tokens := s.signIn(newAsk("scope", "openid read tools", "resource", mcp), newWallet(t, "eip191"))
	refresh := tokens["refresh_token"].(string)
	use := func(token string, pairs ...string) answer {
		t.Helper()
		return s.token(append([]string{"grant_type", "refresh_token", "refresh_token", token}, pairs...)...)
	}
	first, lost := use(refresh), use(refresh)
	require.Equal(t, http.StatusOK, first.StatusCode, first.body)
	require.Equal(t, http.StatusOK, lost.StatusCode, lost.body)
	next := first.json(t)["refresh_token"].(string)
	assert.Equal(t, next, lost.json(t)["refresh_token"], "a lost race answers the same token")
	access := claimsOf(t, first.json(t)["access_token"])
	assert.Equal(t, mcp, access["aud"])
	assert.Equal(t, "openid read tools", access["scope"])
	assert.Equal(t, claimsOf(t, tokens["access_token"])["auth_time"], access["auth_time"])
	assert.NotContains(t, claimsOf(t, first.json(t)["id_token"]), "nonce")

	use(next, "scope", "openid read email").refused(t, 400, "invalid_scope")
	use(next, "resource", "https://open.example.com/").refused(t, 400, "invalid_target")
	narrow := use(next, "scope", "read")
	require.Equal(t, http.StatusOK, narrow.StatusCode, narrow.body)
	assert.Equal(t, "read", claimsOf(t, narrow.json(t)["access_token"])["scope"])
	assert.NotContains(t, narrow.json(t), "id_token")
	whole := use(narrow.json(t)["refresh_token"].(string))
	assert.Equal(t, "openid read tools", claimsOf(t, whole.json(t)["access_token"])["scope"], "the grant stays what it was")

	s.clock.Advance(time.Minute)
	use(refresh).refused(t, 400, "invalid_grant")
	use(whole.json(t)["refresh_token"].(string)).refused(t, 400, "invalid_grant")
}

// TestRefreshTokensServeTheirOwnDoor: nothing is spent at the wrong one.
func TestRefreshTokensServeTheirOwnDoor(t *testing.T) {
	s := startServer(t, nil, nil)
	w := newWallet(t, "eip191")
	refresh := s.signIn(newAsk(), w)["refresh_token"].(string)
	s.plainRefresh(refresh).problem(t, 401, "refresh_invalid")
	s.tokenAs("cli", "grant_type", "refresh_token", "refresh_token", refresh).refused(t, 400, "invalid_grant")
	next := s.token("grant_type", "refresh_token", "refresh_token", refresh)
	require.Equal(t, http.StatusOK, next.StatusCode, next.body)

	in, err := testutil.SignIn(t.Context(), s.url, w)
	require.NoError(t, err)
	s.token("grant_type", "refresh_token", "refresh_token", in.RefreshToken).refused(t, 400, "invalid_grant")
	assert.Equal(t, http.StatusOK, s.plainRefresh(in.RefreshToken).StatusCode)
}

// TestRacingRefreshes: a hundred at once get one refresh token, and no error.
func TestRacingRefreshes(t *testing.T) {
	s := startServer(t, nil, nil)
	refresh := s.signIn(newAsk(), newWallet(t, "eip191"))["refresh_token"].(string)
	var mu sync.Mutex
	next, status := map[any]int{}, map[int]int{}
	var racers sync.WaitGroup
	for range 100 {
		racers.Go(func() {
			reply := s.token("grant_type", "refresh_token", "refresh_token", refresh)
			mu.Lock()
			defer mu.Unlock()
			status[reply.StatusCode]++
			next[reply.json(t)["refresh_token"]]++
		})
	}
	racers.Wait()
	assert.Equal(t, map[int]int{http.StatusOK: 100}, status)
	assert.Len(t, next, 1)
}

func TestAClientGetsATokenForItself(t *testing.T) {
	s := startServer(t, nil, nil)
	reply := s.tokenAs("job", "grant_type", "client_credentials")
	require.Equal(t, http.StatusOK, reply.StatusCode, reply.body)
	tokens := reply.json(t)
	assert.NotContains(t, tokens, "refresh_token")
	access := claimsOf(t, tokens["access_token"])
	for name, want := range map[string]any{"sub": "job", "client_id": "job", "role": "service", "scope": "read", "aud": "pico", "sid": nil} {
		assert.Equal(t, want, access[name], name)
	}
	s.tokenAs("job", "grant_type", "client_credentials", "scope", "openid").refused(t, 400, "invalid_scope")
	s.tokenAs("job", "grant_type", "client_credentials", "resource", mcp).refused(t, 400, "invalid_target")
	open := s.tokenAs("job", "grant_type", "client_credentials", "resource", "https://open.example.com/")
	assert.Equal(t, "https://open.example.com/", claimsOf(t, open.json(t)["access_token"])["aud"])
	s.tokenAs("job", "grant_type", "authorization_code", "code", "x").refused(t, 400, "unauthorized_client")
	s.token("grant_type", "client_credentials").refused(t, 400, "unauthorized_client")
	s.token("grant_type", "password").refused(t, 400, "unsupported_grant_type")
	s.token().refused(t, 400, "invalid_request")
}

func TestSeveralResourcesAreAList(t *testing.T) {
	s := startServer(t, nil, nil)
	asked := newAsk("scope", "openid")
	asked.Add("resource", mcp)
	asked.Add("resource", "https://open.example.com/")
	code := s.browser().code(asked, newWallet(t, "eip191"))
	tokens := s.exchange(asked, code, "resource", mcp).json(t)
	assert.Equal(t, mcp, claimsOf(t, tokens["access_token"])["aud"])
	both := s.token("grant_type", "refresh_token", "refresh_token", tokens["refresh_token"].(string)).json(t)
	assert.Equal(t, []any{mcp, "https://open.example.com/"}, claimsOf(t, both["access_token"])["aud"])
}

// TestWhatARevocationEnds: a code that was made before it is worth nothing, and neither is the browser's session.
func TestWhatARevocationEnds(t *testing.T) {
	clock := map[string]any{"auto_create_admin": true, "admin_password": "correct horse", "operator_roles": []string{"admin"}}
	s := startRealServer(t, clock)
	b, w := s.browser(), newWallet(t, "eip191")
	asked := newAsk()
	code := b.code(asked, w)
	var admin struct {
		AccessToken string `json:"access_token"`
	}
	login := map[string]string{"email": "admin@pico.local", "password": "correct horse"}
	require.NoError(t, testutil.Post(t.Context(), s.url+serverauth.Prefix+"/login", login, &admin))
	require.NoError(t, testutil.PostAs(t.Context(), s.url+serverauth.Prefix+"/revoke", admin.AccessToken, map[string]string{"sub": w.Address}, nil))
	s.exchange(asked, code).refused(t, 400, "invalid_grant")
	reply := b.authorize(newAsk("prompt", "none"))
	_, query := reply.at(t)
	assert.Equal(t, "login_required", query.Get("error"))
	assert.NotEmpty(t, s.exchangeOK(newAsk(), s.browser(), w), "what begins later is good")
}

func TestASubjectThatIsRefused(t *testing.T) {
	var mu sync.Mutex
	refuse := false
	provider := claims.ProviderFunc(func(context.Context, store.Subject) (claims.Claims, error) {
		mu.Lock()
		defer mu.Unlock()
		if refuse {
			return claims.Claims{}, claims.ErrSubjectRefused
		}
		return claims.Claims{}, nil
	})
	s := startServer(t, nil, nil, testutil.WithClaimsProvider(provider))
	b, w := s.browser(), newWallet(t, "eip191")
	asked := newAsk()
	tokens := s.exchangeOK(asked, b, w)
	other := newAsk()
	code := b.authorize(other).Header.Get("Location")
	mu.Lock()
	refuse = true
	mu.Unlock()
	s.token("grant_type", "refresh_token", "refresh_token", tokens["refresh_token"].(string)).refused(t, 400, "invalid_grant")
	_, query := (answer{&http.Response{Header: http.Header{"Location": {code}}}, ""}).at(t)
	s.exchange(other, query.Get("code")).refused(t, 400, "invalid_grant")
	_, query = b.authorize(newAsk("prompt", "none")).at(t)
	assert.Equal(t, "login_required", query.Get("error"))
	fresh := s.browser()
	fresh.sign(fresh.authorize(newAsk()), w).problem(t, http.StatusForbidden, "subject_refused")
}

func TestBodiesThatAreNoForms(t *testing.T) {
	s := startServer(t, nil, nil)
	for _, path := range []string{"/token", "/revoke", "/introspect"} {
		s.browser().postJSON(s.endpoint(path), map[string]string{"grant_type": "authorization_code"}).refused(t, 400, "invalid_request")
		twice := s.browser().postForm(s.endpoint(path), map[string][]string{"client_id": {"cli", "cli"}})
		twice.refused(t, 400, "invalid_request")
		large := s.browser().postForm(s.endpoint(path), map[string][]string{"client_id": {strings.Repeat("a", 70_000)}})
		large.refused(t, 413, "invalid_request")
		assert.Equal(t, "no-store", large.Header.Get("Cache-Control"))
	}
}

// TestCodesAreSpentInTheStorage: two servers on one database exchange a code once between them, and both know its session.
func TestCodesAreSpentInTheStorage(t *testing.T) {
	own := map[string]any{"data_dir": t.TempDir(), "issuer": "http://localhost:8100"}
	first := startServer(t, nil, own, sqlite.Module)
	second := startServer(t, nil, own, sqlite.Module)
	w := newWallet(t, "eip191")
	asked := newAsk()
	code := first.browser().code(asked, w)
	reply := second.exchange(asked, code)
	require.Equal(t, http.StatusOK, reply.StatusCode, reply.body)
	tokens := reply.json(t)
	require.Equal(t, http.StatusOK, first.token("grant_type", "refresh_token", "refresh_token", tokens["refresh_token"].(string)).StatusCode)
	first.exchange(asked, code).refused(t, 400, "invalid_grant")
	second.token("grant_type", "refresh_token", "refresh_token", tokens["refresh_token"].(string)).refused(t, 400, "invalid_grant")
}

// TestACodeThatIsRacedFor gets tokens to one at most, and leaves nobody with any.
func TestACodeThatIsRacedFor(t *testing.T) {
	s := startServer(t, nil, nil)
	w := newWallet(t, "eip191")
	for range 10 {
		asked := newAsk()
		code := s.browser().code(asked, w)
		answers := make(chan answer, 8)
		var racers sync.WaitGroup
		for range cap(answers) {
			racers.Go(func() { answers <- s.exchange(asked, code) })
		}
		racers.Wait()
		close(answers)
		won := 0
		for reply := range answers {
			if reply.StatusCode != http.StatusOK {
				reply.refused(t, 400, "invalid_grant")
				continue
			}
			won++
			assert.False(t, s.active(reply.json(t)["access_token"]), "somebody else had the code too")
		}
		assert.LessOrEqual(t, won, 1)
	}
}
