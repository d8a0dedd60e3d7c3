package onchain

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"net"
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"sync"
	"time"
)

// ErrUnavailable is returned when no endpoint of the chain answered: nothing is known about the signature.
var ErrUnavailable = errors.New("onchain: no answer from the chain")

// ErrOtherChain is returned by [Verifier.Check] for an endpoint that is not of its configured chain.
var ErrOtherChain = errors.New("it belongs to another chain")

const (
	// callTimeout is the timeout of a call to one endpoint.
	callTimeout = 5 * time.Second
	// maxConnections is the maximum number of concurrent calls to one host; more wait. A reply is held in memory.
	maxConnections = 64
)

// Endpoint is a JSON-RPC endpoint: "eip155:N=URL" in the configuration.
type Endpoint struct {
	Chain uint64 // the N of eip155:N
	URL   string
}

// ParseEndpoint parses eip155:N=URL, where URL is https, or http for a loopback host. An error does not contain the URL, which
// may contain an API key.
func ParseEndpoint(text string) (Endpoint, error) {
	chain, address, found := strings.Cut(text, "=")
	number, named := strings.CutPrefix(chain, "eip155:")
	id, err := strconv.ParseUint(number, 10, 64)
	if !found || !named || err != nil || id == 0 || strings.HasPrefix(number, "0") {
		return Endpoint{}, errors.New("must be eip155:N=URL")
	}
	u, err := url.Parse(address)
	if err != nil || u.Host == "" || u.Fragment != "" {
		return Endpoint{}, fmt.Errorf("the URL after eip155:%d= is not valid", id)
	}
	if u.Scheme != "https" && (u.Scheme != "http" || !isLoopback(u.Hostname())) {
		return Endpoint{}, fmt.Errorf("the URL after eip155:%d= must be https (http for loopback hosts only)", id)
	}
	return Endpoint{Chain: id, URL: address}, nil
}

func isLoopback(host string) bool {
	ip := net.ParseIP(host)
	return host == "localhost" || ip != nil && ip.IsLoopback()
}

// Verifier asks chains whether signatures of contract wallets are valid. It is safe for concurrent use.
type Verifier struct {
	endpoints map[uint64][]*rpcClient // in the order in which they are tried
}

// NewVerifier returns a verifier that calls the endpoints over the given transport; nil: its own.
func NewVerifier(endpoints []Endpoint, transport http.RoundTripper) *Verifier {
	if transport == nil {
		transport = &http.Transport{
			Proxy: http.ProxyFromEnvironment, ForceAttemptHTTP2: true, MaxConnsPerHost: maxConnections, MaxIdleConnsPerHost: maxConnections,
			IdleConnTimeout: 90 * time.Second, TLSHandshakeTimeout: callTimeout, MaxResponseHeaderBytes: 64 << 10,
		}
	}
	client := &http.Client{
		Transport: transport, Timeout: callTimeout,
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
	}
	v := &Verifier{endpoints: make(map[uint64][]*rpcClient)}
	for _, one := range endpoints {
		v.endpoints[one.Chain] = append(v.endpoints[one.Chain], &rpcClient{chain: one.Chain, url: one.URL, client: client})
	}
	return v
}

// Has reports whether the chain has an endpoint.
func (v *Verifier) Has(chain uint64) bool { return len(v.endpoints[chain]) > 0 }

// Check verifies the chains of all endpoints concurrently. The error is ErrOtherChain for an endpoint of another chain,
// and ErrUnavailable for one that does not answer now; errors of several endpoints are joined.
func (v *Verifier) Check(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, callTimeout)
	defer cancel()
	var faults []error
	var mu sync.Mutex
	var asking sync.WaitGroup
	for chain, endpoints := range v.endpoints {
		for i, one := range endpoints {
			asking.Go(func() {
				err := one.check(ctx)
				if err == nil {
					return
				}
				err = fmt.Errorf("endpoint %d of eip155:%d: %w", i+1, chain, err)
				if !errors.Is(err, ErrOtherChain) {
					err = fmt.Errorf("%w: %w", ErrUnavailable, err)
				}
				mu.Lock()
				defer mu.Unlock()
				faults = append(faults, err)
			})
		}
	}
	asking.Wait()
	return errors.Join(faults...)
}

// IsValid reports whether the contract at address, deployed or not yet (ERC-6492), accepts the signature of digest on the
// chain, as of its latest block. The endpoints are tried in order until one answers. The error is ErrUnavailable.
func (v *Verifier) IsValid(ctx context.Context, chain uint64, address [20]byte, digest [32]byte, signature []byte) (bool, error) {
	asked := ask(address, digest, signature)
	var faults []error
	for i, one := range v.endpoints[chain] {
		answer, err := one.call(ctx, asked)
		switch {
		case err == nil:
			return bytes.Equal(answer, asked.yes), nil
		case errors.Is(err, errReverted):
			return false, nil
		case ctx.Err() != nil:
			return false, fmt.Errorf("%w: %w", ErrUnavailable, ctx.Err())
		}
		faults = append(faults, fmt.Errorf("endpoint %d of eip155:%d: %w", i+1, chain, err))
	}
	return false, fmt.Errorf("%w: %w", ErrUnavailable, errors.Join(faults...))
}
