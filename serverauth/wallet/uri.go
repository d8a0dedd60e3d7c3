package wallet

import (
	"net/netip"
	"strings"
)

// The grammar of RFC 3986, as far as sign-in messages use it. net/url is not
// used, because it accepts and repairs what the grammar does not allow. If two
// parsers disagree about where a host begins, a domain check can be bypassed.

// splitURI parses an absolute URI (RFC 3986, 3). authority is empty if the URI
// has none.
func splitURI(text string) (scheme, authority string, ok bool) {
	scheme, rest, found := strings.Cut(text, ":")
	if !found || !isURIScheme(scheme) {
		return "", "", false
	}
	rest, fragment, _ := strings.Cut(rest, "#")
	rest, query, _ := strings.Cut(rest, "?")
	path := rest
	if afterSlashes, found := strings.CutPrefix(rest, "//"); found {
		end := strings.IndexByte(afterSlashes, '/')
		if end < 0 {
			end = len(afterSlashes)
		}
		authority, path = afterSlashes[:end], afterSlashes[end:]
		if !isAuthority(authority) {
			return "", "", false
		}
	}
	ok = isEncoded(path, ":@/") && isEncoded(query, ":@/?") && isEncoded(fragment, ":@/?")
	return scheme, authority, ok
}

func isURIScheme(text string) bool {
	return text != "" && isLetter(text[0]) && consistsOf(text, func(c byte) bool {
		return isAlphanumeric(c) || strings.IndexByte("+-.", c) >= 0
	})
}

// isAuthority reports whether text is [userinfo@]host[:port] (RFC 3986, 3.2).
func isAuthority(text string) bool {
	if userinfo, rest, found := strings.Cut(text, "@"); found {
		if !isEncoded(userinfo, ":") {
			return false
		}
		text = rest
	}
	host, port := splitPort(text)
	if !consistsOf(port, isDigit) {
		return false
	}
	if literal, ok := strings.CutPrefix(host, "["); ok {
		literal, ok = strings.CutSuffix(literal, "]")
		return ok && isIPLiteral(literal)
	}
	return isEncoded(host, "")
}

// splitPort splits host[:port]. Colons of an IP literal in brackets do not
// separate a port.
func splitPort(text string) (host, port string) {
	colon := strings.LastIndexByte(text, ':')
	if colon <= strings.LastIndexByte(text, ']') {
		return text, ""
	}
	return text[:colon], text[colon+1:]
}

// isIPLiteral reports whether text is an IPv6address or IPvFuture, without the
// brackets.
func isIPLiteral(text string) bool {
	if version, address, found := strings.Cut(text, "."); found && (text[0] == 'v' || text[0] == 'V') {
		return len(version) > 1 && consistsOf(version[1:], isHexDigit) &&
			address != "" && !strings.Contains(address, "%") && isEncoded(address, ":")
	}
	ip, err := netip.ParseAddr(trimOctets(text))
	return err == nil && ip.Is6() && ip.Zone() == ""
}

// trimOctets removes leading zeros from the IPv4 address at the end of an IPv6
// address. The grammar does not allow them, but the reference implementation of
// EIP-4361 accepts them.
func trimOctets(text string) string {
	start := strings.LastIndexByte(text, ':') + 1
	octets := strings.Split(text[start:], ".")
	for i, octet := range octets {
		if len(octets) != 4 || len(octet) == 0 || len(octet) > 3 {
			return text
		}
		if octets[i] = strings.TrimLeft(octet, "0"); octets[i] == "" {
			octets[i] = "0"
		}
	}
	return text[:start] + strings.Join(octets, ".")
}

// isEncoded reports whether text consists of unreserved characters, sub-delims,
// percent-encoded bytes, and the characters of extra.
func isEncoded(text, extra string) bool {
	for i := 0; i < len(text); i++ {
		switch c := text[i]; {
		case c == '%':
			if i+2 >= len(text) || !isHexDigit(text[i+1]) || !isHexDigit(text[i+2]) {
				return false
			}
			i += 2
		case !isAlphanumeric(c) && !strings.ContainsRune("-._~!$&'()*+,;=", rune(c)) && strings.IndexByte(extra, c) < 0:
			return false
		}
	}
	return true
}
