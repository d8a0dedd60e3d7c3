package onchain

import (
	"bytes"
	"context"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptrace"
	"strings"
	"sync/atomic"
	"syscall"

	"github.com/go-json-experiment/json"
	"github.com/go-json-experiment/json/jsontext"
)

// maxResult is the maximum size of the result of a call, in bytes of its JSON.
const maxResult = 1 << 20

// rpcClient is a JSON-RPC endpoint of a chain. Its URL may contain an API key of the provider and is in no error.
type rpcClient struct {
	chain   uint64
	url     string
	client  *http.Client
	checked atomic.Bool // its chain id was verified, and it has not failed since
	// connections is the number of connections that were opened.
	connections atomic.Int64
}

var errReverted = errors.New("execution reverted")

// call makes an eth_call at the latest block. It returns errReverted for a revert. If the answer came over a new
// connection, the chain is verified again, because another server may have taken the place of the endpoint.
func (e *rpcClient) call(ctx context.Context, q question) ([]byte, error) {
	ctx, cancel := context.WithTimeout(ctx, callTimeout)
	defer cancel()
	if err := e.check(ctx); err != nil {
		return nil, err
	}
	request := map[string]string{"data": "0x" + hex.EncodeToString(q.data)}
	if q.to != nil {
		request["to"] = "0x" + hex.EncodeToString(q.to)
	}
	before := e.connections.Load()
	result, err := e.request(ctx, "eth_call", []any{request, "latest"})
	if err != nil && !errors.Is(err, errReverted) {
		e.checked.Store(false)
		return nil, err
	}
	if e.connections.Load() != before {
		e.checked.Store(false)
		if changed := e.check(ctx); changed != nil {
			return nil, changed
		}
	}
	return result, err
}

// check verifies the chain of the endpoint, unless checked is set.
func (e *rpcClient) check(ctx context.Context) error {
	if e.checked.Load() {
		return nil
	}
	var answer string
	text, err := e.result(ctx, "eth_chainId", []any{})
	if err != nil {
		return err
	}
	if err := json.Unmarshal(text, &answer); err != nil {
		return errors.New("the result of eth_chainId is not a string")
	}
	if strings.ToLower(answer) != fmt.Sprintf("0x%x", e.chain) {
		return fmt.Errorf("%w: its eth_chainId is %.20q, the configuration says 0x%x", ErrOtherChain, answer, e.chain)
	}
	e.checked.Store(true)
	return nil
}

// request makes a request and decodes its hex result.
func (e *rpcClient) request(ctx context.Context, method string, params []any) ([]byte, error) {
	text, err := e.result(ctx, method, params)
	if err != nil {
		return nil, err
	}
	var answer string
	if err := json.Unmarshal(text, &answer); err != nil {
		return nil, errors.New("the result is not a string")
	}
	digits, found := strings.CutPrefix(answer, "0x")
	raw, err := hex.DecodeString(digits)
	if !found || err != nil {
		return nil, errors.New("the result is not hex with 0x")
	}
	return raw, nil
}

type rpcReply struct {
	Result jsontext.Value `json:"result"`
	Error  *rpcError      `json:"error"`
}

type rpcError struct {
	Code    int64          `json:"code"`
	Message string         `json:"message"`
	Data    jsontext.Value `json:"data"`
}

// revertCodes are codes that mean a revert if the error's text says so, too; 0 is no code. The code 3, of go-ethereum and
// most others, needs no such text.
var revertCodes = map[int64]bool{0: true, -32000: true, -32003: true, -32015: true, -32603: true}

func (e *rpcError) isRevert() bool {
	says := func(text string) bool { return strings.Contains(strings.ToLower(text), "revert") }
	return e.Code == 3 || revertCodes[e.Code] && (says(e.Message) || says(string(e.Data)))
}

// result makes a request and returns its result as JSON.
func (e *rpcClient) result(ctx context.Context, method string, params []any) (jsontext.Value, error) {
	body, err := json.Marshal(map[string]any{"jsonrpc": "2.0", "id": 1, "method": method, "params": params})
	if err != nil {
		return nil, err
	}
	text, status, err := e.post(ctx, body)
	if err != nil {
		return nil, err
	}
	var reply rpcReply
	if err := json.Unmarshal(text, &reply); err != nil {
		return nil, fmt.Errorf("HTTP status %d without a JSON-RPC reply", status)
	}
	switch {
	case status == http.StatusTooManyRequests:
		return nil, errors.New("its rate limit is reached (HTTP status 429)")
	case reply.Error != nil && reply.Error.isRevert():
		return nil, errReverted
	case reply.Error != nil:
		return nil, fmt.Errorf("JSON-RPC error %d", reply.Error.Code)
	case status != http.StatusOK:
		return nil, fmt.Errorf("HTTP status %d", status)
	case len(reply.Result) == 0 || reply.Result.Kind() == 'n':
		return nil, errors.New("the reply has no result")
	}
	return reply.Result, nil
}

// post sends a request. It repeats it as long as it fails on a reused connection, which the server may have closed.
func (e *rpcClient) post(ctx context.Context, body []byte) (text []byte, status int, err error) {
	var reused atomic.Bool
	traced := httptrace.WithClientTrace(ctx, &httptrace.ClientTrace{GotConn: func(c httptrace.GotConnInfo) {
		reused.Store(c.Reused)
		if !c.Reused {
			e.connections.Add(1)
		}
	}})
	for {
		reused.Store(false)
		request, err := http.NewRequestWithContext(traced, http.MethodPost, e.url, bytes.NewReader(body))
		if err != nil {
			return nil, 0, errors.New("the URL is not valid")
		}
		request.Header.Set("Content-Type", "application/json")
		reply, err := e.client.Do(request)
		if err == nil {
			text, err = readReply(reply)
			return text, reply.StatusCode, err
		}
		if !reused.Load() || ctx.Err() != nil {
			return nil, 0, withoutURL(err)
		}
	}
}

func readReply(reply *http.Response) ([]byte, error) {
	defer reply.Body.Close()
	const frame = 1 << 10 // for the JSON around the result
	text, err := io.ReadAll(io.LimitReader(reply.Body, maxResult+frame+1))
	if err != nil {
		return nil, withoutURL(err)
	}
	if len(text) > maxResult+frame {
		return nil, fmt.Errorf("the reply has more than %d bytes", maxResult)
	}
	return text, nil
}

// withoutURL returns why a request failed in our own words, because network errors contain the URL or its host.
func withoutURL(err error) error {
	var unresolved *net.DNSError
	var timeout net.Error
	switch {
	case errors.Is(err, context.Canceled):
		return context.Canceled
	case errors.As(err, &timeout) && timeout.Timeout():
		return errors.New("no answer in time")
	case errors.As(err, &unresolved):
		return errors.New("its host name cannot be resolved")
	case errors.Is(err, syscall.ECONNREFUSED):
		return errors.New("connection refused")
	default:
		return errors.New("the request failed")
	}
}
