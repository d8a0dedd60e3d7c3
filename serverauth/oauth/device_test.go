package oauth_test

import (
	"net/http"
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

const deviceGrant = "urn:ietf:params:oauth:grant-type:device_code"

// withDevices are the clients, and two programs that have no browser.
func withDevices() []any {
	return append(defaultClients(),
		map[string]any{"id": "tv", "name": "The television", "grants": []string{deviceGrant, "refresh_token"}},
		map[string]any{"id": "box", "grants": []string{deviceGrant}})
}

func startWithDevices(t *testing.T, auth map[string]any) *server {
	t.Helper()
	return startServer(t, map[string]any{"clients": withDevices()}, auth)
}

// device begins the device flow.
func (s *server) device(id string, pairs ...string) map[string]any {
	s.Helper()
	form := url.Values{"client_id": {id}, "scope": {"openid groups"}}
	for i := 0; i < len(pairs); i += 2 {
		form.Set(pairs[i], pairs[i+1])
	}
	reply := s.browser().postForm(s.endpoint("/device_authorization"), form)
	require.Equal(s, http.StatusOK, reply.StatusCode, reply.body)
	return reply.json(s)
}

// poll asks for the tokens, after the interval.
func (s *server) poll(id string, device map[string]any) answer {
	s.Helper()
	s.clock.Advance(5 * time.Second)
	return s.public(id, "grant_type", deviceGrant, "device_code", device["device_code"].(string))
}

// enter enters a user code at the page of the browser.
func (b *browser) enter(code string) answer {
	b.Helper()
	page := b.get(b.endpoint("/device?user_code=" + url.QueryEscape(code)))
	require.Equal(b, http.StatusOK, page.StatusCode, page.body)
	form := page.fields()
	form.Set("user_code", code)
	return b.postForm(b.endpoint("/device"), form)
}

func TestDeviceFlow(t *testing.T) {
	s := startWithDevices(t, nil)
	discovery := s.browser().get(s.url + "/.well-known/oauth-authorization-server").json(t)
	assert.Equal(t, s.endpoint("/device_authorization"), discovery["device_authorization_endpoint"])
	assert.Contains(t, discovery["grant_types_supported"], deviceGrant)

	device := s.device("tv")
	code := device["user_code"].(string)
	assert.Regexp(t, `^[BCDFGHJKLMNPQRSTVWXZ]{4}-[BCDFGHJKLMNPQRSTVWXZ]{4}$`, code)
	assert.Equal(t, s.endpoint("/device"), device["verification_uri"])
	assert.EqualValues(t, 600, device["expires_in"])
	assert.EqualValues(t, 5, device["interval"])
	s.poll("tv", device).refused(t, http.StatusBadRequest, "authorization_pending")
	s.public("tv", "grant_type", deviceGrant, "device_code", device["device_code"].(string)).refused(t, http.StatusBadRequest, "slow_down")
	s.poll("tv", device).refused(t, http.StatusBadRequest, "authorization_pending")

	b, wallet := s.browser(), newWallet(t, "Ed25519")
	prefilled := b.get(device["verification_uri_complete"].(string))
	assert.Contains(t, prefilled.body, strings.ReplaceAll(code, "-", ""))
	page := b.enter(" " + strings.ToLower(code))
	require.Equal(t, http.StatusOK, page.StatusCode, page.body)
	assert.Contains(t, page.body, "The television")
	challenge := b.message(page, wallet)
	assert.Contains(t, challenge.Message, "Sign in to The television (another device), which may: read your groups.")
	reply := b.signed(page, wallet, challenge)
	require.Equal(t, http.StatusOK, reply.StatusCode, reply.body)
	location := reply.json(t)["location"].(string)
	assert.Equal(t, "/api/v1/auth/oauth/device?done=1", location)
	assert.Contains(t, b.get(s.url+location).body, "Done")

	next := b.authorize(newAsk("client_id", "cli", "redirect_uri", "http://127.0.0.1/callback", "prompt", "none"))
	_, query := next.at(t)
	assert.Equal(t, "consent_required", query.Get("error"), "what was allowed to a device is allowed to it alone")
	assert.Equal(t, http.StatusBadRequest, b.enter(code).StatusCode, "it was answered")
	again := b.sign(page, newWallet(t, "Ed25519"))
	assert.Equal(t, http.StatusBadRequest, again.StatusCode, "nobody answers second")
	s.poll("box", device).refused(t, http.StatusBadRequest, "invalid_grant")
	tokens := s.poll("tv", device)
	require.Equal(t, http.StatusOK, tokens.StatusCode, tokens.body)
	claims := claimsOf(t, tokens.json(t)["access_token"])
	assert.Equal(t, wallet.Address, claims["sub"])
	assert.Equal(t, "tv", claims["client_id"])
	assert.Equal(t, "openid groups", claims["scope"])
	assert.NotEmpty(t, tokens.json(t)["id_token"])
	s.poll("tv", device).refused(t, http.StatusBadRequest, "invalid_grant")
	refreshed := s.public("tv", "grant_type", "refresh_token", "refresh_token", tokens.json(t)["refresh_token"].(string))
	assert.Equal(t, http.StatusOK, refreshed.StatusCode, refreshed.body)

	signedIn := b.enter(s.device("tv")["user_code"].(string))
	assert.NotContains(t, signedIn.body, `value="allow"`, "whoever is signed in signs anew")
}

func TestDeviceFlowIsRefused(t *testing.T) {
	s := startWithDevices(t, nil)
	b := s.browser()
	for _, code := range []string{"", "BCDF", "AAAA-AAAA", "BCDF-GHJK", "BCDF-GHJK-L", strings.Repeat("B", 100), "\x00"} {
		assert.Equal(t, http.StatusBadRequest, b.enter(code).StatusCode, code)
	}
	foreign := s.browser().postForm(s.endpoint("/device"), url.Values{"user_code": {s.device("tv")["user_code"].(string)}, "csrf": {"x"}})
	assert.Equal(t, http.StatusForbidden, foreign.StatusCode)

	device := s.device("tv")
	page := b.enter(device["user_code"].(string))
	form := page.fields()
	form.Set("action", "cancel")
	cancelled := b.postForm(s.endpoint("/authorize/decide"), form)
	assert.Equal(t, http.StatusOK, cancelled.StatusCode, cancelled.body)
	s.poll("tv", device).refused(t, http.StatusBadRequest, "access_denied")
	assert.Equal(t, http.StatusBadRequest, b.sign(page, newWallet(t, "Ed25519")).StatusCode, "it was cancelled")

	device = s.device("box")
	s.clock.Advance(10 * time.Minute)
	s.poll("box", device).refused(t, http.StatusBadRequest, "expired_token")
	assert.Equal(t, http.StatusBadRequest, b.enter(device["user_code"].(string)).StatusCode)

	for _, text := range []string{"", "x", "a.b", device["user_code"].(string), device["device_code"].(string) + "x"} {
		reply := s.public("tv", "grant_type", deviceGrant, "device_code", text)
		assert.Equal(t, http.StatusBadRequest, reply.StatusCode, text)
	}
	s.browser().postForm(s.endpoint("/device_authorization"), url.Values{"client_id": {"cli"}}).refused(t, http.StatusBadRequest, "unauthorized_client")
	s.browser().postForm(s.endpoint("/device_authorization"), url.Values{"client_id": {"nobody"}}).refused(t, http.StatusUnauthorized, "invalid_client")
	s.browser().postForm(s.endpoint("/device_authorization"), url.Values{"client_id": {"tv"}, "scope": {"tools"}}).refused(t, http.StatusBadRequest, "invalid_scope")
	s.browser().postForm(s.endpoint("/device_authorization"), url.Values{"client_id": {"tv"}, "resource": {mcp}}).refused(t, http.StatusBadRequest, "invalid_target")
}

// TestDevicesRace is a program that asks from many places at once for tokens that are there once.
func TestDevicesRace(t *testing.T) {
	s := startWithDevices(t, nil)
	device, b := s.device("box"), s.browser()
	reply := b.sign(b.enter(device["user_code"].(string)), newWallet(t, "Ed25519"))
	require.Equal(t, http.StatusOK, reply.StatusCode, reply.body)
	s.clock.Advance(5 * time.Second)
	codes := make(chan int, 20)
	for range cap(codes) {
		go func() {
			codes <- s.public("box", "grant_type", deviceGrant, "device_code", device["device_code"].(string)).StatusCode
		}()
	}
	given := 0
	for range cap(codes) {
		if <-codes == http.StatusOK {
			given++
		}
	}
	assert.Equal(t, 1, given)
}

// TestGuessedUserCodesAreLimited holds how often an address may try: a user code is short.
func TestGuessedUserCodesAreLimited(t *testing.T) {
	s := startWithDevices(t, map[string]any{"rate_limit_per_minute": 5})
	b, limited := s.browser(), 0
	for range 8 {
		if b.enter("BCDF-GHJK").StatusCode == http.StatusTooManyRequests {
			limited++
		}
	}
	assert.Equal(t, 3, limited)
}
