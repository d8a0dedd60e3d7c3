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
)

// The tokens of a client end too when the owner of a contract wallet has changed: at a refresh, and at the code's exchange.
func TestContractWalletAllowsAClient(t *testing.T) {
	const safe = "0x88ca19624e3Dc8bC999a5b947488F0A2EA29a535"
	var owned atomic.Bool
	var called atomic.Int64
	owned.Store(true)
	node := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		body, _ := io.ReadAll(r.Body)
		switch {
		case strings.Contains(string(body), "eth_chainId"):
			_, _ = io.WriteString(w, `{"result":"0x1"}`)
		case owned.Load():
			called.Add(1)
			_, _ = io.WriteString(w, `{"result":"0x01"}`)
		default:
			called.Add(1)
			_, _ = io.WriteString(w, `{"result":"0x00"}`)
		}
	}))
	t.Cleanup(node.Close)
	s := startServer(t, nil, map[string]any{"ethereum_rpc_urls": []string{"eip155:1=" + node.URL}})
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
	require.EqualValues(t, 1, called.Load())
	s.clock.Advance(15 * time.Minute)
	reply := refresh()
	require.Equal(t, http.StatusOK, reply.StatusCode, reply.body)
	tokens = reply.json(t)
	require.EqualValues(t, 2, called.Load())

	second := newAsk("scope", "openid wallet")
	_, given := b.authorize(second).at(t) // at once: the browser's session lives, and has the consent
	code := given.Get("code")
	require.NotEmpty(t, code)
	owned.Store(false)
	s.exchange(second, code).refused(t, http.StatusBadRequest, "invalid_grant")
	s.clock.Advance(15 * time.Minute)
	refresh().refused(t, http.StatusBadRequest, "invalid_grant")
}
