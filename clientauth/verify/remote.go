package verify

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/url"
	"os"
	"strings"
	"time"
)

// errRedirect is the error of a redirect to another origin, or of more than three redirects.
var errRedirect = errors.New("redirect to another origin")

// newEndpoint returns the URL and the HTTP client for an issuer's endpoint. The URL must be https; http is allowed for
// loopback hosts, or for any host if insecure. Redirects must stay on the origin, at most three, so that neither keys nor
// credentials go elsewhere.
func newEndpoint(rawURL string, insecure bool, client *http.Client) (*url.URL, *http.Client, error) {
	u, err := url.Parse(rawURL)
	if (err != nil || u.User != nil || u.Host == "") && strings.Contains(rawURL, "@") { // the error does not repeat the URL, which may have a password
		return nil, nil, errors.New("clientauth: the URL of an endpoint must not have a user name or password")
	}
	if err != nil || u.Host == "" || u.User != nil || u.Fragment != "" {
		return nil, nil, fmt.Errorf("clientauth: %.200q is not the URL of an endpoint", rawURL)
	}
	if u.Scheme != "https" && (u.Scheme != "http" || !insecure && !isLoopback(u.Hostname())) {
		return nil, nil, fmt.Errorf("clientauth: %.200q must be https; http is allowed only for loopback hosts, or with insecure_allow_http", rawURL)
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

// newTransport returns a transport that uses the proxy of HTTPS_PROXY, HTTP_PROXY and NO_PROXY. It keeps at most one idle
// connection to a host, for 90 seconds.
func newTransport() *http.Transport {
	return &http.Transport{
		Proxy:                  http.ProxyFromEnvironment,
		DialContext:            (&net.Dialer{Timeout: fetchPatience}).DialContext,
		TLSHandshakeTimeout:    fetchPatience,
		ResponseHeaderTimeout:  fetchPatience,
		MaxResponseHeaderBytes: 64 << 10,
		MaxIdleConnsPerHost:    1,
		IdleConnTimeout:        90 * time.Second,
		ForceAttemptHTTP2:      true,
	}
}

// ClientTrusting returns a client for [RemoteKeySetConfig] and [RemoteDenylistConfig] that trusts the certificate
// authorities in a PEM file in addition to the system's. If caFile is empty it returns nil, which both accept.
func ClientTrusting(caFile string) (*http.Client, error) {
	if caFile == "" {
		return nil, nil
	}
	certificates, err := os.ReadFile(caFile)
	if err != nil {
		return nil, err
	}
	roots, err := x509.SystemCertPool()
	if err != nil {
		roots = x509.NewCertPool()
	}
	if !roots.AppendCertsFromPEM(certificates) {
		return nil, fmt.Errorf("%s holds no PEM certificate", caFile)
	}
	transport := newTransport()
	transport.TLSClientConfig = &tls.Config{MinVersion: tls.VersionTLS12, RootCAs: roots}
	return &http.Client{Transport: transport}, nil
}

func isLoopback(host string) bool {
	ip := net.ParseIP(host)
	return host == "localhost" || ip != nil && ip.IsLoopback()
}

// get sends a request for JSON. The caller closes the body.
func get(ctx context.Context, client *http.Client, u *url.URL, header http.Header) (*http.Response, error) {
	request, err := http.NewRequestWithContext(ctx, http.MethodGet, u.String(), nil) //nolint:gosec // newEndpoint checked the URL
	if err != nil {
		return nil, err
	}
	request.Header = header
	request.Header.Set("Accept", "application/json")
	return client.Do(request) //nolint:gosec // as above
}

// readAll reads a body of at most limit bytes.
func readAll(body io.Reader, limit int64) ([]byte, error) {
	data, err := io.ReadAll(io.LimitReader(body, limit+1))
	if err == nil && int64(len(data)) > limit {
		err = fmt.Errorf("the answer has more than %d bytes", limit)
	}
	return data, err
}
