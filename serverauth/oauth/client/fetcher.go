package client

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/netip"
	"net/url"
	"slices"
	"strings"
	"syscall"
	"time"

	"github.com/picoauth/picoauth/app"
	"github.com/picoauth/picoauth/serverauth/internal/ratelimit"
)

const (
	fetchTimeout = 5 * time.Second
	maxDocument  = 64 << 10 // bytes
	// maxFetches is how many requests may wait for a response at once.
	maxFetches = 16
	// fetchesPerHost is the maximum number of fetches from one host per minute.
	fetchesPerHost = 60
)

// fetcher gets documents whose URLs come from untrusted clients. It connects to public addresses only, and checks the address of
// the connection, because a host name can change its address at any time. It is the transport of its client, and follows no redirect.
type fetcher struct {
	insecure []string // hosts, each with or without a port, that may have private addresses and use http
	client   *http.Client
	network  http.Transport
	running  chan struct{}
	hosts    *ratelimit.Limiter
}

func newFetcher(insecure []string, now app.Clock) *fetcher {
	f := &fetcher{insecure: insecure, running: make(chan struct{}, maxFetches), hosts: ratelimit.New(fetchesPerHost, now)}
	f.network = http.Transport{ // without a proxy, which would resolve names and connect without these checks
		DialContext: f.dial, DisableKeepAlives: true, TLSHandshakeTimeout: fetchTimeout, ResponseHeaderTimeout: fetchTimeout,
		MaxResponseHeaderBytes: maxDocument, ForceAttemptHTTP2: true,
	}
	f.client = &http.Client{Timeout: fetchTimeout, Transport: f}
	return f
}

func (f *fetcher) dial(ctx context.Context, network, address string) (net.Conn, error) {
	dialer := net.Dialer{Timeout: fetchTimeout}
	if !f.isInsecure(address) {
		dialer.Control = func(_, connected string, _ syscall.RawConn) error {
			at, err := netip.ParseAddrPort(connected)
			if err != nil || !isPublic(at.Addr()) {
				return errors.New("the host has no public address")
			}
			return nil
		}
	}
	return dialer.DialContext(ctx, network, address)
}

// isInsecure reports whether a host and port are among the insecure ones.
func (f *fetcher) isInsecure(hostPort string) bool {
	host, _, err := net.SplitHostPort(hostPort)
	return err == nil && slices.ContainsFunc(f.insecure, func(one string) bool {
		return one == hostPort || one == host || one == "["+host+"]"
	})
}

// check allows https, and http to an insecure host only.
func (f *fetcher) check(u *url.URL) error {
	if u.Scheme == "https" || u.Scheme == "http" && f.isInsecure(net.JoinHostPort(u.Hostname(), cmp.Or(u.Port(), "80"))) {
		return nil
	}
	return errors.New("the URL is not https")
}

// RoundTrip implements http.RoundTripper with the rules of the fetcher.
func (f *fetcher) RoundTrip(r *http.Request) (*http.Response, error) {
	if err := f.check(r.URL); err != nil {
		return nil, err
	}
	host := strings.ToLower(strings.TrimRight(r.URL.Hostname(), ".")) // the same for all spellings
	if _, ok := f.hosts.Allow(ratelimit.Key{Holder: host, Endpoint: "client document"}); !ok {
		return nil, errors.New("too many requests for documents of this host")
	}
	select {
	case f.running <- struct{}{}:
		defer func() { <-f.running }()
	case <-r.Context().Done():
		return nil, r.Context().Err()
	}
	response, err := f.network.RoundTrip(r)
	if err != nil {
		return nil, err
	}
	if response.StatusCode >= 300 && response.StatusCode < 400 {
		_ = response.Body.Close()
		return nil, fmt.Errorf("a redirect (status %d) is not followed", response.StatusCode)
	}
	response.Body = http.MaxBytesReader(nil, response.Body, maxDocument)
	return response, nil
}

// statusError is the status of a response that is not 200.
type statusError int

func (s statusError) Error() string { return fmt.Sprintf("status %d", int(s)) }

// get returns the body and header of a document.
func (f *fetcher) get(ctx context.Context, address string) ([]byte, http.Header, error) {
	request, err := http.NewRequestWithContext(ctx, http.MethodGet, address, nil)
	if err != nil {
		return nil, nil, err
	}
	request.Header.Set("Accept", "application/json")
	response, err := f.client.Do(request) //nolint:gosec // what may be connected to is checked on the connection
	if err != nil {
		return nil, nil, withoutURL(err)
	}
	defer response.Body.Close() //nolint:errcheck // nothing is written
	if response.StatusCode != http.StatusOK {
		return nil, nil, statusError(response.StatusCode)
	}
	body, err := io.ReadAll(response.Body)
	return body, response.Header, err
}

// withoutURL removes the URL from an error of net/http, because the caller logs it.
func withoutURL(err error) error {
	var ofURL *url.Error
	if errors.As(err, &ofURL) {
		return ofURL.Err
	}
	return err
}

// special are networks that are not public (IANA's special-purpose registries), beyond those that netip knows.
var special = func() (all []netip.Prefix) {
	for _, text := range []string{
		"0.0.0.0/8", "100.64.0.0/10", "192.0.0.0/24", "192.0.2.0/24", "192.88.99.0/24", "198.18.0.0/15", "198.51.100.0/24", "203.0.113.0/24", "240.0.0.0/4",
		"2001::/23", "2001:db8::/32", "2002::/16", "3fff::/20",
	} {
		all = append(all, netip.MustParsePrefix(text))
	}
	return all
}()

// publicIPv6 has all public IPv6 addresses. One in nat64 is public if its IPv4 address is.
var publicIPv6, nat64 = netip.MustParsePrefix("2000::/3"), netip.MustParsePrefix("64:ff9b::/96")

// isPublic reports whether an address belongs to the public internet.
func isPublic(addr netip.Addr) bool {
	addr = addr.Unmap()
	if addr.Is6() && addr.Zone() == "" && nat64.Contains(addr) {
		bytes := addr.As16()
		addr = netip.AddrFrom4([4]byte(bytes[12:]))
	}
	if !addr.IsGlobalUnicast() || addr.IsPrivate() || addr.Zone() != "" || addr.Is6() && !publicIPv6.Contains(addr) {
		return false
	}
	return !slices.ContainsFunc(special, func(network netip.Prefix) bool { return network.Contains(addr) })
}
