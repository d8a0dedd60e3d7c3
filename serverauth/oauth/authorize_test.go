package oauth_test

import (
	"encoding/base64"
	"net/http"
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/picoauth/picoauth/serverauth"
	"github.com/picoauth/picoauth/testutil"
)

// TestErrorsBeforeTheRedirectIsKnownAreAPage: whatever is wrong with client or redirect must never lead anywhere.
func TestErrorsBeforeTheRedirectIsKnownAreAPage(t *testing.T) {
	s := startServer(t, nil, nil)
	for name, query := range map[string]string{
		"nothing":              "",
		"no query":             "%zz",
		"unknown client":       newAsk("client_id", "nobody").Encode(),
		"client twice":         newAsk().Encode() + "&client_id=grafana",
		"no redirect":          newAsk("redirect_uri", "").Encode(),
		"redirect twice":       newAsk().Encode() + "&redirect_uri=" + url.QueryEscape(redirect),
		"another redirect":     newAsk("redirect_uri", redirect+"/").Encode(),
		"redirect in capitals": newAsk("redirect_uri", "https://Grafana.example.com/login/generic_oauth").Encode(),
		"redirect with a port": newAsk("redirect_uri", "https://grafana.example.com:443/login/generic_oauth").Encode(),
		"redirect of another":  newAsk("redirect_uri", "http://127.0.0.1/callback").Encode(),
		"a fragment":           newAsk("redirect_uri", redirect+"#a").Encode(),
		"too long":             newAsk("state", strings.Repeat("a", 8192)).Encode(),
	} {
		t.Run(name, func(t *testing.T) {
			reply := s.browser().get(s.endpoint("/authorize?" + query))
			assert.Equal(t, http.StatusBadRequest, reply.StatusCode)
			assert.Empty(t, reply.Header.Get("Location"))
			assert.Equal(t, "text/html; charset=UTF-8", reply.Header.Get("Content-Type"))
			assert.NotContains(t, reply.body, "nobody was", "the page says what is wrong")
		})
	}
}

func TestErrorsGoBackToTheClient(t *testing.T) {
	s := startServer(t, nil, nil)
	for name, test := range map[string]struct {
		ask  ask
		code string
	}{
		"no response_type":          {newAsk("response_type", ""), "invalid_request"},
		"implicit":                  {newAsk("response_type", "token"), "unsupported_response_type"},
		"hybrid":                    {newAsk("response_type", "code id_token"), "unsupported_response_type"},
		"no challenge":              {newAsk("code_challenge", ""), "invalid_request"},
		"plain challenge":           {newAsk("code_challenge_method", "plain"), "invalid_request"},
		"challenge without method":  {newAsk("code_challenge_method", ""), "invalid_request"},
		"short challenge":           {newAsk("code_challenge", "abc"), "invalid_request"},
		"unknown scope":             {newAsk("scope", "openid root"), "invalid_scope"},
		"scope of a resource alone": {newAsk("scope", "tools"), "invalid_scope"},
		"unknown resource":          {newAsk("resource", "https://other.example.com/"), "invalid_target"},
		"resource with a fragment":  {newAsk("resource", mcp+"#a"), "invalid_target"},
		"fragment mode":             {newAsk("response_mode", "fragment"), "invalid_request"},
		"unknown prompt":            {newAsk("prompt", "maybe"), "invalid_request"},
		"prompt none and login":     {newAsk("prompt", "none login"), "invalid_request"},
		"max_age of a word":         {newAsk("max_age", "soon"), "invalid_request"},
		"negative max_age":          {newAsk("max_age", "-1"), "invalid_request"},
		"a nonce that is no UTF-8":  {newAsk("nonce", "\xff"), "invalid_request"},
		"a hint that is no UTF-8":   {newAsk("login_hint", "\xff"), "invalid_request"},
		"request object":            {newAsk("request", "e30.e30."), "request_not_supported"},
		"request_uri":               {newAsk("request_uri", "https://evil.example/"), "request_uri_not_supported"},
		"nobody is signed in":       {newAsk("prompt", "none"), "login_required"},
		"a client without the code": {newAsk("client_id", "cli", "redirect_uri", "http://127.0.0.1:1/callback", "resource", mcp), "invalid_target"},
	} {
		t.Run(name, func(t *testing.T) {
			reply := s.browser().authorize(test.ask)
			require.Equal(t, http.StatusFound, reply.StatusCode, reply.body)
			at, query := reply.at(t)
			assert.Equal(t, test.ask.Get("redirect_uri"), at)
			assert.Equal(t, test.code, query.Get("error"), query)
			assert.Equal(t, "the state", query.Get("state"))
			assert.Equal(t, s.url, query.Get("iss"))
			assert.Empty(t, query.Get("code"))
		})
	}
	twice := s.browser().get(s.endpoint("/authorize?" + newAsk().Encode() + "&scope=openid"))
	_, query := twice.at(t)
	assert.Equal(t, "invalid_request", query.Get("error"))
}

func TestAPOSTIsSentOnByGET(t *testing.T) {
	s := startServer(t, nil, nil)
	asked := newAsk()
	reply := s.browser().postForm(s.endpoint("/authorize"), asked.Values)
	assert.Equal(t, http.StatusSeeOther, reply.StatusCode)
	assert.Equal(t, s.endpoint("/authorize?"+asked.Encode()), reply.Header.Get("Location"))
}

// with adds another value of a parameter.
func with(a ask, name, value string) ask {
	a.Add(name, value)
	return a
}

// TestConsentIsWhatTheWalletSigns has the message of a request, byte for byte.
func TestConsentIsWhatTheWalletSigns(t *testing.T) {
	const notes, files = "https://notes.example.com/", "https://files.example.com/"
	s := startServer(t, map[string]any{"resources": []any{
		map[string]any{"uri": mcp, "name": "Tools", "scopes": map[string]any{"tools": "use the tools", "write": "change your tools"}},
		map[string]any{"uri": notes, "open": true, "scopes": map[string]any{"read": "read your notes", "write": "add a note"}},
		map[string]any{"uri": files, "open": true, "scopes": map[string]any{"write": "remove all files"}},
	}, "clients": append(defaultClients(), map[string]any{"id": "writer", "redirect_uris": []string{redirect}, "scopes": []string{"read", "write"}})}, nil)
	for name, test := range map[string]struct {
		ask       ask
		statement string
		resources string
	}{
		"a web client": {newAsk(), "Sign in to Grafana (grafana.example.com), which may: read your profile, read your groups.", ""},
		"openid alone": {newAsk("scope", "openid"), "Sign in to Grafana (grafana.example.com).", ""},
		"a resource": {newAsk("scope", "openid tools", "resource", mcp),
			"Sign in to Grafana (grafana.example.com), which may: use the tools.", "\nResources:\n- " + mcp},
		"a scope of two resources": {with(newAsk("client_id", "writer", "scope", "write", "resource", notes), "resource", files),
			"Sign in to writer (grafana.example.com), which may: add a note, remove all files.", "\nResources:\n- " + notes + "\n- " + files},
		"a scope of the server and of a resource": {newAsk("client_id", "writer", "scope", "read", "resource", notes),
			"Sign in to writer (grafana.example.com), which may: read your data, read your notes.", "\nResources:\n- " + notes},
		"this device": {newAsk("client_id", "cli", "redirect_uri", "http://127.0.0.1:4321/callback", "scope", "openid offline_access"),
			"Sign in to The tool (this device), which may: stay signed in.", ""},
	} {
		t.Run(name, func(t *testing.T) {
			b := s.browser()
			page := b.authorize(test.ask)
			require.Equal(t, http.StatusOK, page.StatusCode, page.body)
			text := b.message(page, newWallet(t, "eip191")).Message
			lines := strings.Split(text, "\n")
			assert.Equal(t, strings.TrimPrefix(s.url, "http://")+" wants you to sign in with your Ethereum account:", strings.TrimPrefix(lines[0], "http://"))
			assert.Equal(t, test.statement, lines[3])
			assert.Regexp(t, `\nRequest ID: [A-Za-z0-9_-]{43}`+"(\n|$)", text)
			assert.True(t, strings.HasSuffix(text, test.resources), text)
			assert.Equal(t, test.resources != "", strings.Contains(text, "Resources:"))
		})
	}
}

// TestNoTwoRequestsAreAlike: a code can never stand for another request than the one that was read.
func TestNoTwoRequestsAreAlike(t *testing.T) {
	s := startServer(t, nil, nil)
	b, w := s.browser(), newWallet(t, "eip191")
	first, second := b.authorize(newAsk()), b.authorize(newAsk())
	asked := newAsk()
	same, again := b.authorize(asked), b.authorize(asked)
	assert.NotEqual(t, same.fields().Get("request"), again.fields().Get("request"))

	message := b.message(first, w)
	b.signed(second, w, message).problem(t, http.StatusUnauthorized, "invalid_challenge")
	reply := b.signed(first, w, message)
	assert.Equal(t, http.StatusOK, reply.StatusCode, "a message that was shown to another request is not spent")
	b.signed(first, w, message).problem(t, http.StatusUnauthorized, "invalid_challenge")
}

func (a answer) problem(tb testing.TB, status int, code string) {
	tb.Helper()
	require.Equal(tb, status, a.StatusCode, a.body)
	assert.Equal(tb, code, a.json(tb)["code"], a.body)
}

// TestOnlyTheServersOwnTextIsTakenBack changes what the wallet signs.
func TestOnlyTheServersOwnTextIsTakenBack(t *testing.T) {
	s := startServer(t, nil, nil)
	w := newWallet(t, "eip191")
	for name, change := range map[string]func(string) string{
		"another statement": func(text string) string { return strings.Replace(text, "read your groups", "read nothing", 1) },
		"no request id":     func(text string) string { i := strings.Index(text, "\nRequest ID"); return text[:i] },
		"a resource more":   func(text string) string { return text + "\nResources:\n- https://open.example.com/" },
		"an empty list":     func(text string) string { return text + "\nResources:" },
		"another chain":     func(text string) string { return strings.Replace(text, "Chain ID: 1\n", "Chain ID: 10\n", 1) },
		"a longer life": func(text string) string {
			i := strings.Index(text, "Expiration Time: ")
			return text[:i] + text[strings.Index(text, "\nRequest ID")+1:]
		},
		"a time in another form": func(text string) string { return strings.Replace(text, "Z\nExpiration", "+00:00\nExpiration", 1) },
	} {
		t.Run(name, func(t *testing.T) {
			b := s.browser()
			page := b.authorize(newAsk())
			challenge := b.message(page, w)
			challenge.Message = change(challenge.Message)
			reply := b.signed(page, w, challenge)
			assert.GreaterOrEqual(t, reply.StatusCode, 400, reply.body)
			assert.Less(t, reply.StatusCode, 500, reply.body)
		})
	}
}

// TestAChallengeServesOnlyItsOwnDoor: consent to read a profile buys no session, and a sign-in buys no consent.
func TestAChallengeServesOnlyItsOwnDoor(t *testing.T) {
	s := startServer(t, nil, nil)
	for _, algorithm := range []string{"eip191", testutil.SolanaWallet, "ML-DSA-65"} {
		t.Run(algorithm, func(t *testing.T) {
			b, w := s.browser(), newWallet(t, algorithm)
			page := b.authorize(newAsk())
			challenge := b.message(page, w)
			body, err := testutil.SignInRequest(w, challenge)
			require.NoError(t, err)
			b.postJSON(s.url+serverauth.Prefix+"/sign-in", body).problem(t, http.StatusUnauthorized, "invalid_challenge")
			assert.Equal(t, http.StatusOK, b.signed(page, w, challenge).StatusCode, "and is not spent there")

			var plain testutil.Challenge
			ask := map[string]string{"address": w.Address, "algorithm": w.Algorithm, "domain": strings.TrimPrefix(s.url, "http://")}
			require.NoError(t, testutil.Post(t.Context(), s.url+serverauth.Prefix+"/challenge", ask, &plain))
			b.signed(page, w, plain).problem(t, http.StatusUnauthorized, "invalid_challenge")
			bare := plain
			bare.Message = ""
			b.signed(page, w, bare).problem(t, http.StatusBadRequest, "message_required")
		})
	}
}

// TestABrowserIsKnown goes through what a browser session is good for.
func TestABrowserIsKnown(t *testing.T) {
	clients := append(defaultClients(), map[string]any{
		"id": "own", "redirect_uris": []string{"https://own.example.com/"}, "consent": "implied", "secret": clientSecret})
	s := startServer(t, map[string]any{"clients": clients}, nil)
	b, w := s.browser(), newWallet(t, "eip191")
	first := claimsOf(t, s.exchangeOK(newAsk(), b, w)["access_token"])

	known := func(pairs ...string) answer { return b.authorize(newAsk(pairs...)) }
	code := func(reply answer) string {
		t.Helper()
		require.Equal(t, http.StatusFound, reply.StatusCode, reply.body)
		_, query := reply.at(t)
		return query.Get("code") + query.Get("error")
	}
	assert.Greater(t, len(code(known())), 100)
	assert.Greater(t, len(code(known("prompt", "none"))), 100)
	assert.Greater(t, len(code(known("scope", "openid"))), 100, "less than was allowed")
	assert.Equal(t, "consent_required", code(known("scope", "openid email", "prompt", "none")))
	assert.Equal(t, "consent_required", code(known("resource", mcp, "prompt", "none")))
	assert.Greater(t, len(code(known("client_id", "own", "redirect_uri", "https://own.example.com/", "prompt", "none", "scope", "openid"))), 100)
	assert.Equal(t, http.StatusOK, known("prompt", "login").StatusCode)
	assert.Equal(t, http.StatusOK, known("prompt", "consent").StatusCode)
	assert.Greater(t, len(code(known("login_hint", strings.ToLower(w.Address)))), 100)
	assert.Equal(t, "login_required", code(known("login_hint", newWallet(t, "eip191").Address, "prompt", "none")))

	asked := newAsk()
	reply := b.authorize(asked)
	_, query := reply.at(t)
	tokens := s.exchange(asked, query.Get("code"))
	require.Equal(t, http.StatusOK, tokens.StatusCode, tokens.body)
	again := claimsOf(t, tokens.json(t)["access_token"])
	assert.NotEqual(t, first["sid"], again["sid"], "each client's session is its own")
	assert.Equal(t, first["auth_time"], again["auth_time"])

	assert.Equal(t, "login_required", code(known("max_age", "0", "prompt", "none")), "as prompt=login")
	s.clock.Advance(10 * time.Minute)
	assert.Equal(t, "login_required", code(known("max_age", "60", "prompt", "none")))
	assert.Greater(t, len(code(known("max_age", "3600"))), 100)

	page := known("scope", "openid email")
	require.Equal(t, http.StatusOK, page.StatusCode)
	assert.Contains(t, page.body, w.Address)
	form := page.fields()
	form.Set("action", "allow")
	stolen := s.browser().postForm(s.endpoint("/authorize/decide"), form)
	assert.Equal(t, http.StatusForbidden, stolen.StatusCode, "the form of another browser")
	forged := url.Values{"request": form["request"], "action": {"allow"}}
	assert.Equal(t, http.StatusForbidden, b.postForm(s.endpoint("/authorize/decide"), forged).StatusCode, "without the token")
	allowed := b.postForm(s.endpoint("/authorize/decide"), form)
	require.Equal(t, http.StatusOK, allowed.StatusCode, allowed.body)
	assert.True(t, strings.HasPrefix(allowed.Header.Get("Refresh"), "0; url="+redirect+"?code="), allowed.Header)
	assert.Greater(t, len(code(known("scope", "openid email", "prompt", "none"))), 100)

	for _, anew := range [][]string{{"prompt", "login"}, {"prompt", "select_account"}, {"max_age", "60"}, {"login_hint", newWallet(t, "eip191").Address}} {
		form := known(anew...).fields()
		form.Set("action", "allow")
		assert.Equal(t, http.StatusForbidden, b.postForm(s.endpoint("/authorize/decide"), form).StatusCode, "%s: a button in place of a wallet", anew)
	}

	s.clock.Advance(8 * time.Hour)
	assert.Equal(t, "login_required", code(known("prompt", "none")))
}

// TestAnotherProgramOfTheDeviceGetsNothingUnasked: whatever listens on the person's device can ask in the name of a public client.
func TestAnotherProgramOfTheDeviceGetsNothingUnasked(t *testing.T) {
	s := startServer(t, nil, nil)
	b, w := s.browser(), newWallet(t, "eip191")
	ask := func(port string, pairs ...string) ask {
		return newAsk(append([]string{"client_id", "cli", "redirect_uri", "http://127.0.0.1:" + port + "/callback", "scope", "openid"}, pairs...)...)
	}
	b.code(ask("1111"), w)
	page := b.authorize(ask("2222"))
	require.Equal(t, http.StatusOK, page.StatusCode, "it is not sent on with a code")
	_, query := b.authorize(ask("2222", "prompt", "none")).at(t)
	assert.Equal(t, "consent_required", query.Get("error"))
	form := page.fields()
	form.Set("action", "allow")
	allowed := b.postForm(s.endpoint("/authorize/decide"), form)
	assert.True(t, strings.HasPrefix(allowed.Header.Get("Refresh"), "0; url=http://127.0.0.1:2222/callback?code="), "a button is enough")
}

func (s *server) exchangeOK(a ask, b *browser, w *testutil.Wallet) map[string]any {
	s.Helper()
	reply := s.exchange(a, b.code(a, w))
	require.Equal(s, http.StatusOK, reply.StatusCode, reply.body)
	return reply.json(s)
}

func TestCancel(t *testing.T) {
	s := startServer(t, nil, nil)
	b := s.browser()
	form := b.authorize(newAsk()).fields()
	form.Set("action", "cancel")
	reply := b.postForm(s.endpoint("/authorize/decide"), form)
	assert.Contains(t, reply.Header.Get("Refresh"), "error=access_denied")
	assert.Contains(t, reply.Header.Get("Refresh"), "state=the+state")
}

func TestTheCookie(t *testing.T) {
	s := startServer(t, nil, nil)
	b, w := s.browser(), newWallet(t, "eip191")
	page := b.authorize(newAsk())
	cookie := b.sign(page, w).Header.Get("Set-Cookie")
	assert.Regexp(t, `^picoauth=[\w.-]+; Path=/; Max-Age=28800; HttpOnly; SameSite=Lax$`, cookie)

	off := startServer(t, map[string]any{"browser_session_minutes": 0}, nil)
	b = off.browser()
	reply := b.sign(b.authorize(newAsk()), w)
	assert.Equal(t, http.StatusOK, reply.StatusCode)
	assert.Empty(t, reply.Header.Get("Set-Cookie"))
	assert.Equal(t, http.StatusOK, b.authorize(newAsk()).StatusCode, "a wallet signs each time")
}

func TestFormPost(t *testing.T) {
	s := startServer(t, nil, nil)
	b := s.browser()
	asked := newAsk("response_mode", "form_post")
	reply := b.sign(b.authorize(asked), newWallet(t, "eip191")).json(t)
	assert.Equal(t, redirect, reply["location"])
	fields := reply["fields"].(map[string]any)
	assert.Equal(t, "the state", fields["state"])
	assert.Equal(t, s.url, fields["iss"])
	assert.Equal(t, http.StatusOK, s.exchange(asked, fields["code"].(string)).StatusCode)

	known := b.authorize(newAsk("response_mode", "form_post"))
	assert.Equal(t, http.StatusOK, known.StatusCode)
	assert.Contains(t, known.body, `action="`+redirect+`"`)
	assert.NotEmpty(t, known.fields().Get("code"))
	refused := b.authorize(newAsk("response_mode", "form_post", "scope", "root"))
	assert.Equal(t, "invalid_scope", refused.fields().Get("error"))
}

func TestThePasswordOfTheAdministrator(t *testing.T) {
	s := startServer(t, nil, map[string]any{"auto_create_admin": true, "admin_password": "correct horse"})
	b, asked := s.browser(), newAsk()
	page := b.authorize(asked)
	form := page.fields()
	form.Set("email", "admin@pico.local")
	form.Set("password", "wrong")
	wrong := b.postForm(s.endpoint("/authorize/password"), form)
	assert.Equal(t, http.StatusUnauthorized, wrong.StatusCode)
	assert.Contains(t, wrong.body, `role="alert"`)
	form.Set("password", "correct horse")
	assert.Equal(t, http.StatusForbidden, s.browser().postForm(s.endpoint("/authorize/password"), form).StatusCode, "the form of another browser")
	right := b.postForm(s.endpoint("/authorize/password"), form)
	location, err := url.Parse(strings.TrimPrefix(right.Header.Get("Refresh"), "0; url="))
	require.NoError(t, err)
	tokens := s.exchange(asked, location.Query().Get("code"))
	require.Equal(t, http.StatusOK, tokens.StatusCode, tokens.body)
	assert.Equal(t, []any{"pwd"}, claimsOf(t, tokens.json(t)["id_token"])["amr"])
	assert.Equal(t, "admin@pico.local", claimsOf(t, tokens.json(t)["access_token"])["sub"])

	off := startServer(t, nil, nil)
	assert.NotContains(t, off.browser().authorize(newAsk()).body, "password")
}

// TestThePageKeepsItsPolicy: nothing inline, nothing from elsewhere, nobody frames it.
func TestThePageKeepsItsPolicy(t *testing.T) {
	s := startServer(t, nil, nil)
	page := s.browser().authorize(newAsk())
	policy := page.Header.Get("Content-Security-Policy")
	for _, directive := range []string{"default-src 'none'", "script-src 'self'", "style-src 'self'", "frame-ancestors 'none'", "form-action 'self'", "base-uri 'none'"} {
		assert.Contains(t, policy, directive)
	}
	assert.NotContains(t, policy, "unsafe")
	assert.Equal(t, "no-referrer", page.Header.Get("Referrer-Policy"))
	assert.Equal(t, "no-store", page.Header.Get("Cache-Control"))
	assert.NotRegexp(t, `(?i)<script>|<style|\sstyle=|\son[a-z]+=`, page.body)
	assert.Less(t, strings.Index(page.body, "grafana.example.com"), strings.Index(page.body, "Grafana"), "the host stands first")
}

// TestARequestIsNotForged changes what the page sends back.
func TestARequestIsNotForged(t *testing.T) {
	s := startServer(t, nil, nil)
	b := s.browser()
	sealed := b.authorize(newAsk()).fields().Get("request")
	payload, tag, _ := strings.Cut(sealed, ".")
	raw, err := base64.RawURLEncoding.DecodeString(payload)
	require.NoError(t, err)
	changed := base64.RawURLEncoding.EncodeToString([]byte(strings.Replace(string(raw), "profile", "email", 1)))
	for name, text := range map[string]string{"changed": changed + "." + tag, "without a MAC": payload, "empty": "", "another MAC": payload + "." + tag[1:]} {
		reply := b.postJSON(b.endpoint("/authorize/challenge"), map[string]any{"request": text, "address": newWallet(t, "eip191").Address})
		assert.Equal(t, http.StatusBadRequest, reply.StatusCode, name)
	}
	s.clock.Advance(2 * time.Hour)
	reply := b.postJSON(b.endpoint("/authorize/challenge"), map[string]any{"request": sealed, "address": newWallet(t, "eip191").Address})
	assert.Equal(t, http.StatusBadRequest, reply.StatusCode, "too old")
}

// TestAHintOfSomebodyElse: a program that knows who it wants does not get whoever else is signed in.
func TestAHintOfSomebodyElse(t *testing.T) {
	s := startServer(t, nil, nil)
	b, w := s.browser(), newWallet(t, "eip191")
	own := s.exchangeOK(newAsk(), b, w)["id_token"].(string)
	others := s.signIn(newAsk(), newWallet(t, "eip191"))["id_token"].(string)
	for hint, want := range map[string]string{own: "", others: "login_required", own + "x": "invalid_request", "x": "invalid_request"} {
		_, query := b.authorize(newAsk("prompt", "none", "id_token_hint", hint)).at(t)
		assert.Equal(t, want, query.Get("error"))
	}
	for want, signer := range map[string]*testutil.Wallet{"": w, "login_required": newWallet(t, "eip191")} {
		b := s.browser()
		reply := b.sign(b.authorize(newAsk("id_token_hint", own)), signer)
		require.Equal(t, http.StatusOK, reply.StatusCode, reply.body)
		location, err := url.Parse(reply.json(t)["location"].(string))
		require.NoError(t, err)
		assert.Equal(t, want, location.Query().Get("error"))
		assert.Equal(t, want == "", location.Query().Has("code"))
		assert.Equal(t, "the state", location.Query().Get("state"))
	}
}

// TestOfflineAccessBringsARefreshToken, also to a client that has not the grant.
func TestOfflineAccessBringsARefreshToken(t *testing.T) {
	client := map[string]any{"id": "web", "redirect_uris": []string{redirect}, "secret": clientSecret, "grants": []string{"authorization_code"}}
	s := startServer(t, map[string]any{"clients": []any{client}}, nil)
	w := newWallet(t, "eip191")
	tokens := func(scope string) map[string]any {
		asked := newAsk("client_id", "web", "scope", scope)
		reply := s.tokenAs("web", "grant_type", "authorization_code", "code", s.browser().code(asked, w), "redirect_uri", redirect, "code_verifier", asked.verifier)
		require.Equal(t, http.StatusOK, reply.StatusCode, reply.body)
		return reply.json(t)
	}
	assert.NotContains(t, tokens("openid"), "refresh_token")
	refresh := tokens("openid offline_access")["refresh_token"].(string)
	assert.Equal(t, http.StatusOK, s.tokenAs("web", "grant_type", "refresh_token", "refresh_token", refresh).StatusCode)
}

// TestAButtonIsNoSignIn: what must be signed anew is not allowed by the session that the browser has.
func TestAButtonIsNoSignIn(t *testing.T) {
	s := startServer(t, nil, nil)
	b, w := s.browser(), newWallet(t, "eip191")
	others := s.signIn(newAsk(), newWallet(t, "eip191"))["id_token"].(string)
	s.exchangeOK(newAsk(), b, w)
	s.clock.Advance(time.Minute)
	for name, pairs := range map[string][]string{
		"prompt": {"prompt", "login"}, "max_age": {"max_age", "30"}, "login_hint": {"login_hint", newWallet(t, "eip191").Address}, "id_token_hint": {"id_token_hint", others},
	} {
		page := b.authorize(newAsk(pairs...))
		require.Equal(t, http.StatusOK, page.StatusCode, name)
		form := page.fields()
		form.Set("action", "allow")
		reply := b.postForm(s.endpoint("/authorize/decide"), form)
		assert.Equal(t, http.StatusForbidden, reply.StatusCode, name)
		assert.NotContains(t, reply.Header.Get("Refresh")+reply.body, "code=", name)
		assert.Equal(t, http.StatusOK, b.sign(page, newWallet(t, "eip191")).StatusCode, name)
		s.exchangeOK(newAsk("prompt", "login"), b, w)
		s.clock.Advance(time.Minute)
	}
}
