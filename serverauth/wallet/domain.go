package wallet

import (
	"fmt"
	"net/netip"
	"strconv"
	"strings"
)

// Domain is a site that people sign in to: one entry of allowed_domains.
type Domain struct {
	// Scheme is the URI scheme of the site. Empty: https, and for a loopback
	// host also http.
	Scheme string

	// Host is host[:port] in lower case, as in a page's location.host.
	Host string
}

// ParseDomain parses [scheme://]host[:port]. There are no wildcards. The host
// is a name in ASCII (punycode for others), an IPv4 address, or an IPv6 address
// in brackets. Scheme and host become lower case, as in browsers.
func ParseDomain(text string) (Domain, error) {
	scheme, host, found := strings.Cut(strings.ToLower(text), "://")
	if !found {
		scheme, host = "", scheme
	}
	name, port := splitPort(host)
	wellFormed := (!found || isURIScheme(scheme)) && isHostName(name) && isPort(port) &&
		!strings.HasSuffix(host, ":")
	if !wellFormed {
		return Domain{}, fmt.Errorf("domain %q is not [scheme://]host[:port]", text)
	}
	return Domain{Scheme: scheme, Host: host}, nil
}

// Allows reports whether a message with this scheme and host[:port] is for the
// site. The comparison is exact. A message without a scheme is for every scheme
// of the site.
func (d Domain) Allows(scheme, host string) bool {
	return host == d.Host && (scheme == "" || scheme == d.Scheme || d.Scheme == "" && d.permits(scheme))
}

// Origin returns the site's scheme://host[:port]. If a loopback host has no
// scheme, it is http.
func (d Domain) Origin() string { return d.scheme() + "://" + d.Host }

// String returns the domain in the form that ParseDomain parses.
func (d Domain) String() string {
	if d.Scheme == "" {
		return d.Host
	}
	return d.Scheme + "://" + d.Host
}

func (d Domain) scheme() string {
	if d.Scheme != "" {
		return d.Scheme
	}
	if d.permits("http") {
		return "http"
	}
	return "https"
}

// permits reports whether an entry without a scheme allows the scheme.
func (d Domain) permits(scheme string) bool {
	return scheme == "https" || scheme == "http" && isLoopback(d.Host)
}

func isLoopback(host string) bool {
	name, _ := splitPort(host)
	if name == "localhost" || strings.HasSuffix(name, ".localhost") {
		return true
	}
	ip, err := netip.ParseAddr(strings.Trim(name, "[]"))
	return err == nil && ip.IsLoopback()
}

func isHostName(name string) bool {
	if literal, ok := strings.CutPrefix(name, "["); ok {
		literal, ok = strings.CutSuffix(literal, "]")
		return ok && isIPLiteral(literal)
	}
	return name != "" && consistsOf(name, isNameChar)
}

func isPort(port string) bool {
	number, err := strconv.ParseUint(port, 10, 16)
	return port == "" || err == nil && number > 0
}
