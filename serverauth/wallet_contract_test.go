package serverauth_test

import (
	"encoding/json"
	"fmt"
	"io"
	"log/slog"
	"maps"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/decred/dcrd/dcrec/secp256k1/v4"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"go.uber.org/fx"

	"github.com/picoauth/picoauth/app"
	"github.com/picoauth/picoauth/clientauth"
	"github.com/picoauth/picoauth/serverauth"
	"github.com/picoauth/picoauth/testutil"
)

const (
	safe     = "0x88ca19624e3Dc8bC999a5b947488F0A2EA29a535"
	chain    = "eip155:8453"
	account  = chain + ":" + safe
	rpcYes   = `{"jsonrpc":"2.0","id":1,"result":"0x01"}`
	rpcNo    = `{"jsonrpc":"2.0","id":1,"result":"0x00"}`
	rpcFault = `{"jsonrpc":"2.0","id":1,"error":{"code":-32005,"message":"limit exceeded"}}`
)

// rpcNode is a JSON-RPC end of Base whose contracts answer as they are told.
type rpcNode struct {
	*httptest.Server
	answer atomic.Value // string
	called atomic.Int64
	asked  func() // while an eth_call waits
}

func newRPCNode(t testing.TB) *rpcNode {
	n := &rpcNode{asked: func() {}}
	n.answer.Store(rpcYes)
	n.Server = httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		body, _ := io.ReadAll(r.Body)
		if strings.Contains(string(body), "eth_chainId") {
			_, _ = io.WriteString(w, `{"jsonrpc":"2.0","id":1,"result":"0x2105"}`)
			return
		}
		n.called.Add(1)
		n.asked()
		_, _ = io.WriteString(w, n.answer.Load().(string))
	}))
	t.Cleanup(n.Close)
	return n
}

func (n *rpcNode) settings(more map[string]any) map[string]any {
	all := map[string]any{
		"ethereum_rpc_urls": []string{chain + "=" + n.URL + "/v2/SECRETKEY"}, "allowed_chains": []string{chain, "eip155:1"}, "allowed_domains": []string{"app.example.com"},
	}
	maps.Copy(all, more)
	return all
}

// contractBody is a sign-in of the contract wallet with a signature of so many bytes.
func (s *server) contractBody(size int) map[string]any {
	s.t.Helper()
	return map[string]any{"message": s.ask(safe).Message, "signature": "0x" + strings.Repeat("c0", size)}
}

func TestContractWalletSignsIn(t *testing.T) {
	node := newRPCNode(t)
	s, log := watched(t, node.settings(nil))
	for _, size := range []int{32, 64, 65, 130, 1000, 16 << 10} {
		in := s.post("/sign-in", s.contractBody(size)).tokens(t)
		assert.Equal(t, safe, in.Address, "the bare address")
		assert.Equal(t, "eip191", in.Algorithm)
		for _, token := range []string{in.Access, s.refresh(in.Refresh).tokens(t).Access} {
			claims := jwtPart(t, token, 1)
			for name, want := range map[string]any{"sub": account, "account": account, "wallet_address": safe, "wallet_kind": "contract", "algorithm": "eip191", "role": "wallet"} {
				assert.Equal(t, want, claims[name], name)
			}
			assert.NotContains(t, claims, "wallet_id")
		}
	}
	log.expect(t, "sign_in", "INFO", map[string]any{"subject": account})
	assert.EqualValues(t, 6, node.called.Load(), "a refresh asks again after a while only")
	s.post("/sign-in", s.contractBody(16<<10+1)).problem(t, 401, "signature verification failed")
	assert.EqualValues(t, 6, node.called.Load(), "nobody is asked about a larger one")

	node.answer.Store(`{"jsonrpc":"2.0","id":1,"result":"0x1626ba7e` + strings.Repeat("00", 28) + `"}`)
	s.post("/sign-in", s.contractBody(0)).tokens(t)
	s.post("/sign-in", s.contractBody(65)).problem(t, 401, "signature verification failed")
}

// What a key signed needs no network, and is the key's.
func TestKeysNeedNoChain(t *testing.T) {
	node := newRPCNode(t)
	s := startServer(t, node.settings(nil))
	w := newWallet(t, "eip191")
	body := signText(t, w, s.ask(w.Address).Message)
	in := s.post("/sign-in", body).tokens(t)
	claims := jwtPart(t, in.Access, 1)
	assert.Equal(t, w.Address, claims["sub"])
	assert.Equal(t, "key", claims["wallet_kind"])
	assert.NotEmpty(t, claims["wallet_id"])
	s.post("/sign-in", body).problem(t, 401, "invalid or expired challenge")

	// A chain would take the high s of that key: it is not asked.
	text := s.ask(w.Address).Message
	signature, err := w.Sign([]byte(text))
	require.NoError(t, err)
	var high secp256k1.ModNScalar
	high.SetByteSlice(signature[32:64])
	high.Negate()
	high.PutBytesUnchecked(signature[32:64])
	signature[64] = 27 + 28 - signature[64]
	refused := s.post("/sign-in", map[string]any{"message": text, "signature": fmt.Sprintf("%x", signature)})
	refused.problem(t, 401, "signature verification failed")
	assert.Equal(t, "high_s", refused.json(t)["code"])

	body = signText(t, w, s.ask(w.Address).Message)
	body["public_key"] = "0x" + strings.Repeat("11", 20)
	s.post("/sign-in", body).problem(t, 401, "signature verification failed")
	assert.Zero(t, node.called.Load())
}

func TestContractWalletIsRefused(t *testing.T) {
	node := newRPCNode(t)
	s := startServer(t, node.settings(nil))
	for name, answer := range map[string]string{
		"no": rpcNo, "revert": `{"error":{"code":3,"message":"execution reverted: GS026"}}`, "nothing": `{"result":"0x"}`, "a word": `{"result":"0x` + strings.Repeat("0", 63) + `1"}`,
	} {
		node.answer.Store(answer)
		body := s.contractBody(65)
		r := s.post("/sign-in", body)
		r.problem(t, 401, "signature verification failed")
		assert.Equal(t, "invalid_signature", r.json(t)["code"], name)
		node.answer.Store(rpcYes)
		s.post("/sign-in", body).problem(t, 401, "invalid or expired challenge")
	}
	called := node.called.Load()
	spent := s.contractBody(65)
	s.post("/sign-in", spent).tokens(t)
	s.post("/sign-in", spent).problem(t, 401, "invalid or expired challenge")
	assert.EqualValues(t, called+1, node.called.Load(), "a spent nonce costs no call")
	other := s.contractBody(65)
	other["message"] = strings.Replace(other["message"].(string), safe, newWallet(t, "eip191").Address, 1)
	assert.Equal(t, "challenge_of_another_address", s.post("/sign-in", other).json(t)["code"])
	assert.EqualValues(t, called+1, node.called.Load())
}

func TestWithoutAChainToAsk(t *testing.T) {
	s := startServer(t, map[string]any{"allowed_chains": []string{chain}})
	for size, want := range map[int]string{
		64: "signature verification failed", 65: "signature verification failed",
		0: "contract wallets of eip155:8453 are not configured", 66: "contract wallets of eip155:8453 are not configured", 1000: "contract wallets of eip155:8453 are not configured",
	} {
		body := s.contractBody(size)
		r := s.post("/sign-in", body)
		r.problem(t, 401, want)
		assert.Equal(t, strings.Contains(want, "configured"), r.json(t)["code"] == "contract_wallet_not_supported")
		s.post("/sign-in", body).problem(t, 401, "invalid or expired challenge")
	}
	node := newRPCNode(t) // of another chain than that of the message
	s = startServer(t, node.settings(nil))
	s.post("/sign-in", map[string]any{"message": s.ask(safe, "chain_id", "eip155:1").Message, "signature": "0x11"}).
		problem(t, 401, "contract wallets of eip155:1 are not configured")
}

// Without an answer the nonce stays, and no log shows the URL.
func TestNoAnswerOfAChainSpendsNothing(t *testing.T) {
	node := newRPCNode(t)
	s, log := watched(t, node.settings(nil))
	body := s.contractBody(130)
	for _, answer := range []string{
		rpcFault, `{"error":{"code":-32000,"message":"out of gas"}}`, `{"id":1}`, `{"result":null}`, `{"result":"0xzz"}`, `<html>`, "", `{"result":"0x` + strings.Repeat("00", 1<<20) + `"}`,
	} {
		node.answer.Store(answer)
		r := s.post("/sign-in", body)
		r.problem(t, 503, "temporarily unavailable")
		assert.NotEmpty(t, r.header.Get("Retry-After"))
	}
	node.answer.Store(rpcYes)
	s.post("/sign-in", body).tokens(t)
	assert.NotContains(t, log.String(), "SECRETKEY")
	assert.NotContains(t, log.String(), strings.TrimPrefix(node.URL, "http://"))
	assert.NotEmpty(t, log.events(t, "no endpoint of the chain answered"))
}

func TestOneOfManyContractSignInsWins(t *testing.T) {
	node := newRPCNode(t)
	var together sync.WaitGroup
	s := startServer(t, node.settings(nil))
	body := s.contractBody(130)
	var in, refused atomic.Int64
	for range 64 {
		together.Go(func() {
			switch r := s.post("/sign-in", body); {
			case r.status == 200:
				in.Add(1)
			case r.status == 401 && r.json(t)["code"] == "invalid_challenge":
				refused.Add(1)
			default:
				t.Errorf("%d %s", r.status, r.body)
			}
		})
	}
	together.Wait()
	assert.EqualValues(t, 1, in.Load())
	assert.EqualValues(t, 63, refused.Load())
	assert.Less(t, node.called.Load(), int64(31), "the same question is asked once at a time")
}

// A sign-in that waits for a chain holds no seat: others sign in meanwhile.
func TestSignInsThatWaitForAChainHoldNoSeat(t *testing.T) {
	node := newRPCNode(t)
	release := make(chan struct{})
	node.asked = func() { <-release }
	s := startServer(t, node.settings(nil))
	done := make(chan reply)
	body := s.contractBody(130)
	go func() { done <- s.post("/sign-in", body) }()
	require.Eventually(t, func() bool { return node.called.Load() == 1 }, 10*time.Second, time.Millisecond)
	series, err := testutil.Scrape(t.Context(), s.url)
	require.NoError(t, err)
	assert.Zero(t, series["picoauth_costly_requests"])
	s.signIn(newWallet(t, "Ed25519"))
	close(release)
	(<-done).tokens(t)
}

func TestContractWalletIsAskedAgainAtRefresh(t *testing.T) {
	node := newRPCNode(t)
	clock := testutil.NewClock(time.Now())
	s := startServer(t, node.settings(map[string]any{"refresh_grace_seconds": 0}), testutil.WithClock(clock))
	in := s.post("/sign-in", s.contractBody(130)).tokens(t)
	next := func() { in = s.refresh(in.Refresh).tokens(t) }
	next()
	clock.Advance(899 * time.Second)
	next()
	assert.EqualValues(t, 1, node.called.Load())
	clock.Advance(time.Second)
	next()
	assert.EqualValues(t, 2, node.called.Load(), "asked again")
	next()
	clock.Advance(899 * time.Second)
	next()
	assert.EqualValues(t, 2, node.called.Load(), "at most once")
	clock.Advance(time.Second)

	node.answer.Store(rpcFault)
	for range 3 {
		r := s.refresh(in.Refresh)
		r.problem(t, 503, "temporarily unavailable")
		assert.NotEmpty(t, r.header.Get("Retry-After"))
	}
	node.answer.Store(rpcYes)
	next()
	clock.Advance(15 * time.Minute)
	node.answer.Store(rpcNo)
	assert.Equal(t, 200, s.introspectActive(in.Access))
	s.refresh(in.Refresh).problem(t, 401, "refresh invalid: session has ended")
	node.answer.Store(rpcYes)
	s.refresh(in.Refresh).problem(t, 401, "refresh invalid: session has ended")
	assert.Equal(t, 401, s.introspectActive(in.Access), "the access token ends too")
}

func TestChainsAreAskedSoOften(t *testing.T) {
	node := newRPCNode(t)
	clock := testutil.NewClock(time.Now())
	s := startServer(t, node.settings(map[string]any{"ethereum_calls_per_minute": 2}), testutil.WithClock(clock),
		app.ConfigMap(map[string]any{"app": map[string]any{"trusted_proxies": []string{"127.0.0.1"}}}))
	from := func(client int, body map[string]any) reply {
		return s.post("/sign-in", body, "X-Forwarded-For", fmt.Sprintf("198.51.100.%d", client))
	}
	from(1, s.contractBody(130)).tokens(t) // the wallet has a session from now on
	node.answer.Store(rpcNo)
	from(1, s.contractBody(130)).problem(t, 401, "signature verification failed")
	kept := s.contractBody(130)
	r := from(1, kept)
	r.problem(t, 429, "too many requests")
	assert.Equal(t, "30", r.header.Get("Retry-After"))

	// Junk of many clients uses up the half that is for anybody.
	junk := func(i int) map[string]any {
		w := newWallet(t, "eip191")
		return map[string]any{"message": s.ask(w.Address).Message, "signature": "0x" + strings.Repeat("c0", 65)}
	}
	for i := 2; i < 20; i++ {
		from(i, junk(i)).problem(t, 401, "signature verification failed")
	}
	stranger := junk(20)
	r = from(21, stranger)
	assert.Equal(t, 503, r.status)
	assert.Equal(t, "overloaded", r.json(t)["code"])
	assert.Equal(t, "3", r.header.Get("Retry-After"))
	node.answer.Store(rpcYes)
	from(22, kept).tokens(t) // of a wallet that has a session; the nonce was not spent
	clock.Advance(time.Minute)
	from(21, stranger).tokens(t) // nor that one

	series, err := testutil.Scrape(t.Context(), s.url)
	require.NoError(t, err)
	for outcome, want := range map[string]float64{"accepted": 3, "refused": 19, "client_limited": 1, "all_limited": 1} {
		assert.InDelta(t, want, series[`picoauth_ethereum_calls_total{chain="eip155:8453",outcome="`+outcome+`"}`], 0, outcome)
	}
}

// A contract is somebody on one chain: what the settings say of the bare address, or of it on another chain, is not of it.
func TestClaimsOfAContractWallet(t *testing.T) {
	node := newRPCNode(t)
	for sub, role := range map[string]string{
		account: "editor", "did:pkh:" + account: "editor", strings.ToLower(account): "editor",
		safe: "wallet", "eip155:1:" + safe: "wallet",
	} {
		s := startServer(t, node.settings(map[string]any{"subjects": []any{map[string]any{"sub": sub, "role": "editor"}}}))
		in := s.post("/sign-in", s.contractBody(130)).tokens(t)
		assert.Equal(t, role, jwtPart(t, in.Access, 1)["role"], sub)
	}
	s := startServer(t, node.settings(map[string]any{"subjects": []any{
		map[string]any{"sub": "eip155:1:" + safe, "role": "admin"}, map[string]any{"sub": account, "role": "editor"},
	}}))
	in := s.post("/sign-in", s.contractBody(130)).tokens(t)
	assert.Equal(t, "editor", jwtPart(t, in.Access, 1)["role"])
}

func TestContractWalletIsRevoked(t *testing.T) {
	node := newRPCNode(t)
	s := startServer(t, node.settings(map[string]any{"auto_create_admin": true, "admin_password": "correct horse"}))
	in := s.post("/sign-in", s.contractBody(130)).tokens(t)
	admin := "Bearer " + s.post("/login", map[string]any{"email": "admin@pico.local", "password": "correct horse"}).tokens(t).Access
	for sub, sessions := range map[string]int{strings.ToLower(account): 1, "eip155:1:" + safe: 0, safe: 0} {
		items := s.get("/sessions?sub="+sub, "Authorization", admin).json(t)["items"]
		assert.Len(t, items, sessions, sub)
	}
	assert.Len(t, s.get("/sessions", "Authorization", "Bearer "+in.Access).json(t)["items"], 1, "their own")
	require.Equal(t, 200, s.post("/revoke", map[string]any{"sub": "did:pkh:" + strings.ToLower(account)}, "Authorization", admin).status)
	assert.Equal(t, 401, s.introspectActive(in.Access))
	s.refresh(in.Refresh).problem(t, 401, "refresh invalid: session has ended")
}

// An end that is away is warned about; one of another chain, and a URL that cannot be used, refuse the start.
func TestEndsAreCheckedAtTheStart(t *testing.T) {
	node := newRPCNode(t)
	start := func(ends ...string) (string, error) {
		log := &eventLog{}
		running := app.New(
			app.ConfigMap(map[string]any{"app": map[string]any{"port": 0}, "server_auth": map[string]any{"ethereum_rpc_urls": ends, "algorithm": "EdDSA"}}),
			serverauth.Module, clientauth.Module, fx.Decorate(func() *slog.Logger { return slog.New(slog.NewJSONHandler(log, nil)) }),
		)
		err := running.Err()
		if err == nil {
			if err = running.Start(t.Context()); err == nil {
				require.NoError(t, running.Stop(t.Context()))
			}
		}
		return log.String(), err
	}
	away := newRPCNode(t)
	away.Close()
	text, err := start("eip155:8453="+node.URL, "eip155:1="+away.URL+"/SECRETKEY")
	require.NoError(t, err)
	assert.Contains(t, text, "endpoint 1 of eip155:1")
	assert.Contains(t, text, `"level":"WARN"`)
	assert.NotContains(t, text, "SECRETKEY")
	for ends, want := range map[string]string{
		"eip155:8453=" + node.URL + ",eip155:1=" + node.URL + "/SECRETKEY": "eip155:1",
		"eip155:1=http://rpc.example.com/SECRETKEY":                        "server_auth.ethereum_rpc_urls[0]",
		"https://rpc.example.com/SECRETKEY":                                "server_auth.ethereum_rpc_urls[0]",
		"eip155:1=https://rpc.example.com/SECRETKEY ":                      "server_auth.ethereum_rpc_urls[0]",
	} {
		text, err := start(strings.Split(ends, ",")...)
		require.ErrorContains(t, err, want)
		assert.NotContains(t, text+err.Error(), "SECRETKEY")
	}
}

// What a contract wallet's session keeps is in no reply.
func TestTheProofIsInNoReply(t *testing.T) {
	node := newRPCNode(t)
	s := startServer(t, node.settings(nil))
	body := s.contractBody(130)
	in := s.post("/sign-in", body).tokens(t)
	list := s.get("/sessions", "Authorization", "Bearer "+in.Access)
	text, err := json.Marshal([]any{jwtPart(t, in.Access, 1), jwtPart(t, in.Refresh, 1), string(list.body)})
	require.NoError(t, err)
	assert.NotContains(t, string(text), strings.Repeat("c0", 16))
	assert.NotContains(t, string(text), "wants you to sign in")
}

// A contract wallet that was joined to a subject signs in as that subject, and its owners are asked about as before.
func TestContractWalletThatJoined(t *testing.T) {
	node := newRPCNode(t)
	clock := testutil.NewClock(time.Now())
	s := startServer(t, node.settings(nil), testutil.WithClock(clock))
	first := s.signIn(newWallet(t, "Ed25519"))
	bearer := []string{"Authorization", "Bearer " + first.Access}
	asked := s.post("/challenge", map[string]any{"address": safe, "join": true}, bearer...).json(t)
	body := map[string]any{"message": asked["message"], "signature": "0x" + strings.Repeat("c0", 130)}
	node.answer.Store(rpcFault)
	s.post("/wallets", body, bearer...).problem(t, 503, "temporarily unavailable")
	node.answer.Store(rpcYes)
	joined := s.post("/wallets", body, bearer...)
	require.Equal(t, 200, joined.status, "%s", joined.body)
	assert.Equal(t, account, joined.json(t)["wallet"].(map[string]any)["account"])

	in := s.post("/sign-in", s.contractBody(130)).tokens(t)
	assert.Equal(t, safe, in.Address)
	claims := jwtPart(t, in.Access, 1)
	for name, want := range map[string]any{"sub": first.Address, "account": account, "wallet_address": safe, "wallet_kind": "contract"} {
		assert.Equal(t, want, claims[name], name)
	}
	clock.Advance(15 * time.Minute)
	called := node.called.Load()
	in = s.refresh(in.Refresh).tokens(t)
	assert.Equal(t, called+1, node.called.Load())
	clock.Advance(15 * time.Minute)
	node.answer.Store(rpcNo)
	s.refresh(in.Refresh).problem(t, 401, "refresh invalid: session has ended")
	s.refresh(first.Refresh).tokens(t)
}
