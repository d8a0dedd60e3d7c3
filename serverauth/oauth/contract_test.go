package oauth_test

import (
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/picoauth/picoauth/testutil"
)

const safe = "0x88ca19624e3Dc8bC999a5b947488F0A2EA29a535"

// safeOwner is what a chain says of the contract wallet safe.
type safeOwner struct {
	owned  atomic.Bool  // whether its owner is the one who signs
	called atomic.Int64 // how often it was asked
}

// startWithSafe starts a server that asks such a chain.
func startWithSafe(t *testing.T, section map[string]any) (*server, *safeOwner) {
	t.Helper()
	chain := new(safeOwner)
	chain.owned.Store(true)
	node := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		body, _ := io.ReadAll(r.Body)
		switch {
		case strings.Contains(string(body), "eth_chainId"):
			_, _ = io.WriteString(w, `{"result":"0x1"}`)
		case chain.owned.Load():
			chain.called.Add(1)
			_, _ = io.WriteString(w, `{"result":"0x01"}`)
		default:
			chain.called.Add(1)
			_, _ = io.WriteString(w, `{"result":"0x00"}`)
		}
	}))
	t.Cleanup(node.Close)
	return startServer(t, section, map[string]any{"ethereum_rpc_urls": []string{"eip155:1=" + node.URL}}), chain
}

// The tokens of a client end too when the owner of a contract wallet has changed: at a refresh, and at the code's exchange.
func TestContractWalletAllowsAClient(t *testing.T) {
	s, chain := startWithSafe(t, nil)
	w := newWallet(t, "eip191")
	w.Address = safe // whose contract says that this key is its owner's
	b := s.browser()
	first := newAsk("scope", "openid wallet offline_access")
	tokens := s.exchange(first, b.code(first, w)).json(t)
	claims := claimsOf(t, tokens["access_token"])
	assert.Equal(t, "eip155:1:"+safe, claims["sub"])
	assert.Equal(t, "contract", claims["wallet_kind"])

	refresh := func() answer {
		return s.token("grant_type", "refresh_token", "refresh_token", tokens["refresh_token"].(string))
	}
	tokens = refresh().json(t)
	require.EqualValues(t, 1, chain.called.Load())
	s.clock.Advance(15 * time.Minute)
	reply := refresh()
	require.Equal(t, http.StatusOK, reply.StatusCode, reply.body)
	tokens = reply.json(t)
	require.EqualValues(t, 2, chain.called.Load())

	second := newAsk("scope", "openid wallet")
	_, given := b.authorize(second).at(t) // at once: the browser's session lives, and has the consent
	code := given.Get("code")
	require.NotEmpty(t, code)
	chain.owned.Store(false)
	s.exchange(second, code).refused(t, http.StatusBadRequest, "invalid_grant")
	s.clock.Advance(15 * time.Minute)
	refresh().refused(t, http.StatusBadRequest, "invalid_grant")
}

// allow signs in for a device with the wallet of the key, at its page.
func (b *browser) allow(device map[string]any, w *testutil.Wallet) {
	b.Helper()
	page := b.enter(device["user_code"].(string))
	reply := b.signed(page, w, b.message(page, w))
	require.Equal(b, http.StatusOK, reply.StatusCode, reply.body)
}

// So do those of a device, and only then.
func TestContractWalletAllowsADevice(t *testing.T) {
	s, chain := startWithSafe(t, map[string]any{"clients": withDevices()})
	w := newWallet(t, "eip191")
	w.Address = safe
	device := s.device("tv")
	s.browser().allow(device, w)
	tokens := s.poll("tv", device)
	require.Equal(t, http.StatusOK, tokens.StatusCode, tokens.body)

	s.clock.Advance(15 * time.Minute)
	tokens = s.public("tv", "grant_type", "refresh_token", "refresh_token", tokens.json(t)["refresh_token"].(string))
	require.Equal(t, http.StatusOK, tokens.StatusCode, tokens.body)
	chain.owned.Store(false)
	s.clock.Advance(15 * time.Minute)
	s.public("tv", "grant_type", "refresh_token", "refresh_token", tokens.json(t)["refresh_token"].(string)).refused(t, http.StatusBadRequest, "invalid_grant")
}

// A session that nobody has kept the signature for begins all the same: without sessions of browsers, and at a device whose person
// has signed in anew before it asks.
func TestContractWalletWithoutASignature(t *testing.T) {
	s, _ := startWithSafe(t, map[string]any{"clients": withDevices(), "browser_session_minutes": 0})
	w := newWallet(t, "eip191")
	w.Address = safe
	asked := newAsk("scope", "openid wallet offline_access")
	reply := s.exchange(asked, s.browser().code(asked, w))
	assert.Equal(t, http.StatusOK, reply.StatusCode, reply.body)
	device := s.device("tv")
	s.browser().allow(device, w)
	reply = s.poll("tv", device)
	assert.Equal(t, http.StatusOK, reply.StatusCode, reply.body)

	s, _ = startWithSafe(t, map[string]any{"clients": withDevices()})
	b, first, second := s.browser(), s.device("tv"), s.device("tv")
	b.allow(first, w)
	b.allow(second, w)
	for _, device := range []map[string]any{first, second} {
		reply = s.poll("tv", device)
		assert.Equal(t, http.StatusOK, reply.StatusCode, reply.body)
	}
}
