package app

import (
	"log/slog"
	"net"
	"net/http"
	"net/netip"
	"slices"
	"strings"
	"sync/atomic"
	"time"

	"github.com/labstack/echo/v4"
)

// ClientIP returns the address of the client: what the IPExtractor of the echo returns or, without one, the address of the peer.
// Unlike c.RealIP it never uses a header that is not configured.
func ClientIP(c echo.Context) string {
	if extract := c.Echo().IPExtractor; extract != nil {
		return extract(c.Request())
	}
	return echo.ExtractIPDirect()(c.Request())
}

// unreadableQuiet is the minimum time between two log records of a malformed header, because a proxy that sends one does so in
// every request.
const unreadableQuiet = time.Minute

// forwarded finds the address of a client behind proxies.
type forwarded struct {
	proxies []netip.Prefix
	logger  *slog.Logger
	logged  atomic.Int64 // Unix time of the last record, in nanoseconds
}

// ipExtractor returns an extractor that uses X-Forwarded-For as far as proxies in the given ranges wrote it: the client is the last
// address in it that is outside these ranges.
func ipExtractor(proxies []netip.Prefix, logger *slog.Logger) echo.IPExtractor {
	if len(proxies) == 0 {
		return echo.ExtractIPDirect()
	}
	f := &forwarded{proxies: proxies, logger: logger}
	return f.client
}

// client reads the header from its end. If an entry is malformed, the proxy that wrote it counts as the client, and this is logged.
func (f *forwarded) client(r *http.Request) string {
	host, _, err := net.SplitHostPort(r.RemoteAddr)
	if err != nil {
		host = r.RemoteAddr
	}
	nearest, err := netip.ParseAddr(host)
	if err != nil {
		return host
	}
	nearest = nearest.Unmap().WithZone("")
	lines := r.Header[echo.HeaderXForwardedFor]
	for i := len(lines) - 1; i >= 0; i-- {
		for rest := lines[i]; rest != ""; {
			if !f.isProxy(nearest) {
				return nearest.String()
			}
			entry := rest[strings.LastIndexByte(rest, ',')+1:]
			rest = strings.TrimSuffix(rest[:len(rest)-len(entry)], ",")
			if entry = strings.TrimSpace(entry); entry == "" {
				continue
			}
			address, ok := parseForwarded(entry)
			if !ok {
				f.warn(r, entry, nearest)
				return nearest.String()
			}
			nearest = address
		}
	}
	return nearest.String()
}

func (f *forwarded) isProxy(address netip.Addr) bool {
	return slices.ContainsFunc(f.proxies, func(proxy netip.Prefix) bool { return proxy.Contains(address) })
}

func (f *forwarded) warn(r *http.Request, entry string, proxy netip.Addr) {
	now := time.Now().UnixNano()
	last := f.logged.Load()
	if last != 0 && now-last < int64(unreadableQuiet) || !f.logged.CompareAndSwap(last, now) {
		return
	}
	f.logger.WarnContext(r.Context(), "X-Forwarded-For cannot be parsed: the address of the proxy is used as the client's",
		"entry", shorten(entry), "proxy", proxy.String())
}

// parseForwarded reads an entry of X-Forwarded-For in the formats that proxies write: an address with or without a port, an IPv6
// address with or without brackets, with or without quotes. It drops a zone, which a client could choose freely.
func parseForwarded(entry string) (netip.Addr, bool) {
	if len(entry) > 1 && entry[0] == '"' && entry[len(entry)-1] == '"' {
		entry = strings.TrimSpace(entry[1 : len(entry)-1])
	}
	address, err := netip.ParseAddr(entry)
	if err == nil {
		return address.Unmap().WithZone(""), true
	}
	if inside, bracketed := strings.CutPrefix(entry, "["); bracketed {
		host, port, closed := strings.Cut(inside, "]")
		address, err = netip.ParseAddr(host)
		return address.Unmap().WithZone(""), closed && err == nil && address.Is6() && (port == "" || port[0] == ':' && isPort(port[1:]))
	}
	host, port, _ := strings.Cut(entry, ":")
	address, err = netip.ParseAddr(host)
	return address, err == nil && isPort(port)
}

// isPort also accepts an empty port, which some proxies write.
func isPort(text string) bool {
	return len(text) <= 5 && strings.Trim(text, "0123456789") == ""
}
