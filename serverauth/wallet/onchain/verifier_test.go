package onchain_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/picoauth/picoauth/serverauth/wallet/onchain"
)

const chain = 8453

// node is a JSON-RPC end that answers eth_chainId honestly, and eth_call as it is told.
type node struct {
	*httptest.Server
	answer func(w http.ResponseWriter) // of eth_call
	chain  atomic.Uint64
	asked  atomic.Int64 // eth_chainId
	called atomic.Int64 // eth_call
}

func newNode(t *testing.T, answer func(w http.ResponseWriter)) *node {
	n := &node{answer: answer}
	n.chain.Store(chain)
	n.Server = httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		var request struct{ Method string }
		body, _ := io.ReadAll(r.Body)
		if json.Unmarshal(body, &request) != nil {
			w.WriteHeader(http.StatusBadRequest)
			return
		}
		if request.Method == "eth_chainId" {
			n.asked.Add(1)
			fmt.Fprintf(w, `{"jsonrpc":"2.0","id":1,"result":"0x%x"}`, n.chain.Load())
			return
		}
		n.called.Add(1)
		n.answer(w)
	}))
	t.Cleanup(n.Close)
	return n
}

func text(status int, body string) func(http.ResponseWriter) {
	return func(w http.ResponseWriter) {
		w.WriteHeader(status)
		_, _ = io.WriteString(w, body)
	}
}

func result(value string) func(http.ResponseWriter) {
	return text(200, `{"jsonrpc":"2.0","id":1,"result":`+value+`}`)
}

func failure(code int, message string) func(http.ResponseWriter) {
	return text(200, fmt.Sprintf(`{"jsonrpc":"2.0","id":1,"error":{"code":%d,"message":%q}}`, code, message))
}

func verifier(nodes ...*node) *onchain.Verifier {
	var endpoints []onchain.Endpoint
	for _, n := range nodes {
		endpoints = append(endpoints, onchain.Endpoint{Chain: chain, URL: n.URL + "/v2/SECRETKEY"})
	}
	return onchain.NewVerifier(endpoints, nil)
}

func isValid(v *onchain.Verifier, size int) (bool, error) {
	return v.IsValid(context.Background(), chain, [20]byte{1}, [32]byte{2}, make([]byte, size))
}

func TestAnswers(t *testing.T) {
	const magic = `"0x1626ba7e00000000000000000000000000000000000000000000000000000000"`
	for name, test := range map[string]struct {
		answer func(http.ResponseWriter)
		size   int
		valid  bool
		err    error
	}{
		"yes":                         {result(`"0x01"`), 65, true, nil},
		"no":                          {result(`"0x00"`), 65, false, nil},
		"nothing":                     {result(`"0x"`), 65, false, nil},
		"yes with more behind it":     {result(`"0x0100"`), 65, false, nil},
		"yes as a word":               {result(`"0x` + strings.Repeat("0", 63) + `1"`), 65, false, nil},
		"another byte":                {result(`"0x02"`), 65, false, nil},
		"the magic value, long":       {result(magic), 65, false, nil},
		"the magic value, short":      {result(magic), 0, true, nil},
		"the magic value, unpadded":   {result(`"0x1626ba7e"`), 0, false, nil},
		"one byte, short":             {result(`"0x01"`), 0, false, nil},
		"a dirty magic value":         {result(strings.Replace(magic, `00"`, `01"`, 1)), 0, false, nil},
		"revert, code 3":              {failure(3, "execution reverted: GS026"), 65, false, nil},
		"revert, -32000":              {failure(-32000, "execution reverted"), 65, false, nil},
		"revert, -32603":              {failure(-32603, "VM Exception while processing transaction: reverted with reason 'GS026'"), 65, false, nil},
		"revert, -32015, in the data": {text(200, `{"error":{"code":-32015,"message":"VM execution error.","data":"Reverted 0x"}}`), 65, false, nil},
		"revert, without a code":      {text(200, `{"error":{"message":"VM Exception while processing transaction: reverted with an unrecognized custom error"}}`), 65, false, nil},
		"revert of hardhat":           {text(200, `{"error":{"message":"Transaction reverted: function returned an unexpected amount of data"}}`), 65, false, nil},
		"no code, no revert":          {text(200, `{"error":{"message":"out of gas"}}`), 65, false, onchain.ErrUnavailable},
		"an error without anything":   {text(200, `{"error":{}}`), 65, false, onchain.ErrUnavailable},
		"revert, status 400":          {text(400, `{"error":{"code":3,"message":"execution reverted"}}`), 65, false, nil},
		"out of gas":                  {failure(-32000, "out of gas"), 65, false, onchain.ErrUnavailable},
		"header not found":            {failure(-32000, "header not found"), 65, false, onchain.ErrUnavailable},
		"internal error":              {failure(-32603, "internal error"), 65, false, onchain.ErrUnavailable},
		"limit exceeded":              {failure(-32005, "limit exceeded, transaction reverted"), 65, false, onchain.ErrUnavailable},
		"429":                         {text(429, `{"error":{"code":-32005,"message":"slow down"}}`), 65, false, onchain.ErrUnavailable},
		"429 with a yes":              {text(429, `{"result":"0x01"}`), 65, false, onchain.ErrUnavailable},
		"500 with a yes":              {text(500, `{"result":"0x01"}`), 65, false, onchain.ErrUnavailable},
		"garbage":                     {text(200, `<html>`), 65, false, onchain.ErrUnavailable},
		"an empty body":               {text(200, ``), 65, false, onchain.ErrUnavailable},
		"no result":                   {text(200, `{"jsonrpc":"2.0","id":1}`), 65, false, onchain.ErrUnavailable},
		"null":                        {result(`null`), 65, false, onchain.ErrUnavailable},
		"a number":                    {result(`1`), 65, false, onchain.ErrUnavailable},
		"true":                        {result(`true`), 65, false, onchain.ErrUnavailable},
		"no hex":                      {result(`"0xzz"`), 65, false, onchain.ErrUnavailable},
		"hex without 0x":              {result(`"01"`), 65, false, onchain.ErrUnavailable},
		"two results":                 {text(200, `{"result":"0x00","result":"0x01"}`), 65, false, onchain.ErrUnavailable},
		"above a megabyte":            {result(`"0x01` + strings.Repeat("00", 1<<19) + `0000000000"`), 65, false, nil},
		"far above a megabyte":        {result(`"0x01` + strings.Repeat("00", 1<<20) + `"`), 65, false, onchain.ErrUnavailable},
		"error and result":            {text(200, `{"result":"0x01","error":{"code":-32000,"message":"x"}}`), 65, false, onchain.ErrUnavailable},
		"a redirect":                  {func(w http.ResponseWriter) { w.Header().Set("Location", "/elsewhere"); w.WriteHeader(307) }, 65, false, onchain.ErrUnavailable},
		"a connection that is closed": {func(http.ResponseWriter) { panic(http.ErrAbortHandler) }, 65, false, onchain.ErrUnavailable},
	} {
		t.Run(name, func(t *testing.T) {
			valid, err := isValid(verifier(newNode(t, test.answer)), test.size)
			assert.Equal(t, test.valid, valid)
			require.ErrorIs(t, err, test.err)
			if err != nil {
				assert.NotContains(t, err.Error(), "SECRETKEY")
				assert.NotContains(t, err.Error(), "127.0.0.1")
			}
		})
	}
}

func TestEndsAreTriedInTurn(t *testing.T) {
	broken, good := newNode(t, text(502, "")), newNode(t, result(`"0x01"`))
	v := verifier(broken, good)
	for range 2 {
		valid, err := isValid(v, 65)
		require.NoError(t, err)
		assert.True(t, valid)
	}
	refusing := newNode(t, failure(3, "execution reverted"))
	valid, err := isValid(verifier(refusing, good), 65)
	require.NoError(t, err, "a revert is an answer")
	assert.False(t, valid)
	assert.EqualValues(t, 2, good.called.Load(), "nobody else is asked after an answer")
}

func TestAnEndOfAnotherChainIsNotBelieved(t *testing.T) {
	liar := newNode(t, result(`"0x01"`))
	liar.chain.Store(1)
	v := verifier(liar)
	require.ErrorIs(t, v.Check(t.Context()), onchain.ErrOtherChain)
	valid, err := isValid(v, 65)
	require.ErrorIs(t, err, onchain.ErrUnavailable)
	assert.False(t, valid)
	assert.Zero(t, liar.called.Load())
}

func TestChainIsAskedAgainAfterAFailure(t *testing.T) {
	n := newNode(t, result(`"0x01"`))
	v := verifier(n)
	for range 3 {
		_, err := isValid(v, 65)
		require.NoError(t, err)
	}
	assert.EqualValues(t, 1, n.asked.Load())
	n.answer = text(502, "")
	_, err := isValid(v, 65)
	require.ErrorIs(t, err, onchain.ErrUnavailable)
	n.answer = result(`"0x01"`)
	n.chain.Store(1) // another server took its place
	_, err = isValid(v, 65)
	require.ErrorIs(t, err, onchain.ErrUnavailable)
}

// A connection that ended while it was idle is not a failure: whoever answers the next one may be another.
func TestChainIsAskedAgainOnReconnect(t *testing.T) {
	n := newNode(t, result(`"0x01"`))
	v := verifier(n)
	for asked := range 2 {
		valid, err := isValid(v, 65)
		require.NoError(t, err)
		assert.True(t, valid)
		assert.EqualValues(t, asked+1, n.asked.Load())
		n.CloseClientConnections()
	}
	n.chain.Store(1)
	valid, err := isValid(v, 65)
	require.ErrorIs(t, err, onchain.ErrUnavailable)
	assert.False(t, valid)
}

// What an end sends without end is not read to the end, and is no answer.
func TestAnEndlessReply(t *testing.T) {
	sent := make(chan int, 1)
	n := newNode(t, func(w http.ResponseWriter) {
		total, chunk := 0, []byte(strings.Repeat("0", 1<<20))
		_, err := io.WriteString(w, `{"result":"0x`)
		for err == nil && total < 100<<20 {
			_, err = w.Write(chunk)
			total += len(chunk)
		}
		sent <- total
	})
	_, err := isValid(verifier(n), 65)
	require.ErrorIs(t, err, onchain.ErrUnavailable)
	assert.Less(t, <-sent, 50<<20)
}

// An end has five seconds for a question, and another is asked then.
func TestAnEndThatIsSlow(t *testing.T) {
	block := make(chan struct{})
	slow := newNode(t, func(http.ResponseWriter) { <-block })
	t.Cleanup(func() { close(block) })
	began := time.Now()
	valid, err := isValid(verifier(slow, newNode(t, result(`"0x01"`))), 65)
	require.NoError(t, err)
	assert.True(t, valid)
	assert.InDelta(t, 5, time.Since(began).Seconds(), 2)
}

func TestNoAnswer(t *testing.T) {
	block := make(chan struct{})
	n := newNode(t, func(http.ResponseWriter) { <-block })
	t.Cleanup(func() { close(block) })
	ctx, cancel := context.WithTimeout(t.Context(), 50*time.Millisecond)
	defer cancel()
	_, err := verifier(n).IsValid(ctx, chain, [20]byte{1}, [32]byte{2}, make([]byte, 65))
	require.ErrorIs(t, err, onchain.ErrUnavailable)

	away := newNode(t, nil)
	away.Close()
	v := verifier(away)
	_, err = isValid(v, 65)
	require.ErrorIs(t, err, onchain.ErrUnavailable)
	err = v.Check(t.Context())
	require.ErrorIs(t, err, onchain.ErrUnavailable)
	assert.False(t, errors.Is(err, onchain.ErrOtherChain))
	assert.NotContains(t, err.Error(), "SECRETKEY")
	_, err = v.IsValid(t.Context(), 10, [20]byte{1}, [32]byte{2}, make([]byte, 65))
	require.ErrorIs(t, err, onchain.ErrUnavailable, "a chain without an end")
	assert.False(t, v.Has(10))
	assert.True(t, v.Has(chain))
}

func TestParseEnd(t *testing.T) {
	for _, text := range []string{"eip155:1=https://rpc.example.com/v2/KEY?a=b", "eip155:31337=http://127.0.0.1:8545", "eip155:1=http://[::1]:1", "eip155:1=http://localhost:1"} {
		end, err := onchain.ParseEndpoint(text)
		require.NoError(t, err, text)
		assert.Equal(t, text, fmt.Sprintf("eip155:%d=%s", end.Chain, end.URL))
	}
	for _, text := range []string{
		"", "eip155:1", "https://h/SECRETKEY", "eip155:0=https://h/SECRETKEY", "eip155:01=https://h/SECRETKEY", "eip155:x=https://h/SECRETKEY",
		"solana:1=https://h/SECRETKEY", "eip155:1=http://h/SECRETKEY", "eip155:1=ftp://h/SECRETKEY", "eip155:1=https:///SECRETKEY", "eip155:1=https://h/%zz?SECRETKEY",
		"eip155:1=ws://127.0.0.1/SECRETKEY", "eip155:1=https://h/#SECRETKEY", "eip155:99999999999999999999=https://h/SECRETKEY",
	} {
		_, err := onchain.ParseEndpoint(text)
		require.Error(t, err, text)
		assert.NotContains(t, err.Error(), "SECRETKEY")
	}
}

func FuzzReply(f *testing.F) {
	f.Add([]byte(`{"jsonrpc":"2.0","id":1,"result":"0x01"}`))
	f.Add([]byte(`{"error":{"code":3,"message":"execution reverted"}}`))
	f.Fuzz(func(t *testing.T, body []byte) {
		n := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			if request, _ := io.ReadAll(r.Body); strings.Contains(string(request), "eth_chainId") {
				_, _ = io.WriteString(w, `{"result":"0x2105"}`)
				return
			}
			_, _ = w.Write(body)
		}))
		defer n.Close()
		v := onchain.NewVerifier([]onchain.Endpoint{{Chain: chain, URL: n.URL}}, nil)
		valid, err := isValid(v, 65)
		var reply struct{ Result string }
		if valid && (err != nil || json.Unmarshal(body, &reply) != nil || reply.Result != "0x01") {
			t.Fatalf("%q is a yes", body)
		}
	})
}
