package clientauth

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/url"
	"time"
)

// errRedirect ends a request that was sent to another origin.
var errRedirect = errors.New("redirect to another origin")

// newEndpoint returns the URL and the HTTP client for an issuer's endpoint. The URL is https; http is for loopback
// hosts, or for any when insecure. A redirect stays on the origin, at most three times, so that neither keys nor
// credentials move elsewhere.
func newEndpoint(rawURL string, insecure bool, client *http.Client) (*url.URL, *http.Client, error) {
	u, err := url.Parse(rawURL)
	if err != nil || u.Host == "" || u.User != nil || u.Fragment != "" {
		return nil, nil, fmt.Errorf("clientauth: %.200q is not the URL of an endpoint", rawURL)
	}
	if u.Scheme != "https" && (u.Scheme != "http" || !insecure && !isLoopback(u.Hostname())) {
		return nil, nil, fmt.Errorf("clientauth: %.200q must be https; http is for loopback hosts, or with insecure_allow_http", rawURL)
	}
	own := &http.Client{Transport: newTransport()}
	if client != nil {
		*own = *client
	}
	own.Jar = nil
	own.CheckRedirect = func(next *http.Request, via []*http.Request) error {
		if next.URL.Scheme != u.Scheme || next.URL.Host != u.Host || len(via) > 3 {
			return errRedirect
		}
		return nil
	}
	return u, own, nil
}

// newTransport keeps at most one idle connection, for a minute and a half.
func newTransport() *http.Transport {
	return &http.Transport{
		Proxy:                  http.ProxyFromEnvironment,
		DialContext:            (&net.Dialer{Timeout: fetchPatience}).DialContext,
		TLSHandshakeTimeout:    fetchPatience,
		ResponseHeaderTimeout:  fetchPatience,
		MaxResponseHeaderBytes: 64 << 10,
		MaxIdleConns:           1,
		IdleConnTimeout:        90 * time.Second,
		ForceAttemptHTTP2:      true,
	}
}

func isLoopback(host string) bool {
	ip := net.ParseIP(host)
	return host == "localhost" || ip != nil && ip.IsLoopback()
}

// get sends a request for JSON. The caller closes the body.
func get(ctx context.Context, client *http.Client, u *url.URL, header http.Header) (*http.Response, error) {
	request, err := http.NewRequestWithContext(ctx, http.MethodGet, u.String(), nil)
	if err != nil {
		return nil, err
	}
	request.Header = header
	request.Header.Set("Accept", "application/json")
	return client.Do(request)
}

// readAll reads a body of at most limit bytes.
func readAll(body io.Reader, limit int64) ([]byte, error) {
	data, err := io.ReadAll(io.LimitReader(body, limit+1))
	if err == nil && int64(len(data)) > limit {
		err = fmt.Errorf("the answer has more than %d bytes", limit)
	}
	return data, err
}
