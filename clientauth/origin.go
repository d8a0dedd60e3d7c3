package clientauth

import (
	"net/http"
	"strings"

	"github.com/labstack/echo/v4"
)

// OriginOf returns a function for the scheme and host under which the client of a request sees the service, such as
// https://api.example.com: those of the connection, or those that a proxy which e trusts sends in X-Forwarded-Proto and
// X-Forwarded-Host.
func OriginOf(e *echo.Echo) func(*http.Request) string {
	return func(r *http.Request) string {
		scheme, host := "http", r.Host
		if r.TLS != nil {
			scheme = "https"
		}
		if isProxied(e, r) {
			if said := strings.ToLower(nearest(r.Header, echo.HeaderXForwardedProto)); said == "http" || said == "https" {
				scheme = said
			}
			if said := nearest(r.Header, "X-Forwarded-Host"); said != "" {
				host = said
			}
		}
		return scheme + "://" + host
	}
}

// probe is an address for documentation (RFC 5737), which no client has.
const probe = "192.0.2.77"

// isProxied reports whether the peer is a proxy that echo trusts to forward its client's address.
func isProxied(e *echo.Echo, r *http.Request) bool {
	if e.IPExtractor == nil {
		return false
	}
	asked := &http.Request{RemoteAddr: r.RemoteAddr, Header: http.Header{echo.HeaderXForwardedFor: {probe}, echo.HeaderXRealIP: {probe}}}
	return e.IPExtractor(asked) == probe
}

// nearest returns the last value of a header that proxies append to: that of the nearest proxy.
func nearest(header http.Header, name string) string {
	lines := header[http.CanonicalHeaderKey(name)]
	if len(lines) == 0 {
		return ""
	}
	last := lines[len(lines)-1]
	return strings.TrimSpace(last[strings.LastIndexByte(last, ',')+1:])
}
