package client

import (
	"errors"
	"net/url"
	"slices"
	"strconv"
	"strings"
)

// maxRedirectURI is the maximum length of a redirect URI in bytes.
const maxRedirectURI = 2048

// checkRedirectURI returns why a response cannot or must not be sent to a URI, or nil. Allowed are https, http on a loopback host,
// and a private scheme with a dot, such as com.example.app (RFC 8252, section 7.1).
func checkRedirectURI(text string) error {
	if len(text) > maxRedirectURI {
		return errors.New("is longer than 2048 bytes")
	}
	if strings.ContainsFunc(text, func(r rune) bool { return r <= ' ' || r > '~' || strings.ContainsRune(`\"<>^{}|*`+"`", r) }) {
		return errors.New("has a character that is not allowed in a redirect URI; it is compared character by character, without wildcards")
	}
	u, err := url.Parse(text)
	switch {
	case err != nil || !u.IsAbs():
		return errors.New("is not an absolute URI")
	case strings.Contains(text, "#"):
		return errors.New("has a fragment")
	case u.User != nil:
		return errors.New("has a user name or password")
	case u.Scheme == "https" || u.Scheme == "http":
		return checkWebRedirect(text, u)
	case !strings.Contains(u.Scheme, ".") || strings.HasPrefix(u.Scheme, ".") || strings.HasSuffix(u.Scheme, "."):
		return errors.New("must be https, http on a loopback host, or a private scheme with a dot such as com.example.app")
	default:
		return nil
	}
}

func checkWebRedirect(text string, u *url.URL) error {
	switch {
	case u.Hostname() == "" || u.Opaque != "" || !strings.HasPrefix(text, u.Scheme+"://"):
		return errors.New("has no host")
	case !hasPlainHost(text, u):
		return errors.New("has a host with percent-encoding; write it in ASCII, an international name as xn--…")
	}
	if _, isLoopback := cutLoopback(text); u.Scheme == "http" && !isLoopback {
		return errors.New("is http, but its host is not 127.0.0.1, [::1] or localhost")
	}
	if port := u.Port(); strings.HasSuffix(u.Host, ":") || port != "" && !isPort(port) {
		return errors.New("has an invalid port")
	}
	return nil
}

// hasPlainHost reports whether the host of an ASCII URL is written without percent-encoding. Decoded, it could look like another
// host on the pages that show it.
func hasPlainHost(text string, u *url.URL) bool {
	return strings.HasPrefix(text, u.Scheme+"://"+u.Host)
}

// matchesRedirect compares character by character, except for the port of a loopback host.
func matchesRedirect(allowed []string, uri string) bool {
	withoutPort, isLoopback := cutLoopback(uri)
	return slices.ContainsFunc(allowed, func(one string) bool {
		other, ok := cutLoopback(one)
		return one == uri || ok && isLoopback && other == withoutPort
	})
}

// cutLoopback removes the port from a URI with a loopback host. It does not use a URL parser: the text between // and the next
// delimiter must be exactly such a host, with or without a port.
func cutLoopback(uri string) (withoutPort string, isLoopback bool) {
	scheme, rest, found := strings.Cut(uri, "://")
	if !found || scheme != "http" && scheme != "https" {
		return "", false
	}
	end := strings.IndexAny(rest, "/?#")
	if end < 0 {
		end = len(rest)
	}
	for _, host := range []string{"127.0.0.1", "[::1]", "localhost"} {
		port, begins := strings.CutPrefix(rest[:end], host)
		if begins && (port == "" || port[0] == ':' && isPort(port[1:])) {
			return scheme + "://" + host + rest[end:], true
		}
	}
	return "", false
}

func isPort(text string) bool {
	n, err := strconv.ParseUint(text, 10, 16)
	return err == nil && n > 0 && text[0] != '0'
}

// AnotherDevice is what Host returns for a program that uses the device flow and so has no redirect URI.
const AnotherDevice = "another device"

// ThisDevice is what HostOf returns for a program on the person's own machine.
const ThisDevice = "this device"

// HostOf returns the name of a redirect URI's destination: its host, with the port if it has one, or [ThisDevice] for a loopback
// host and for a private scheme.
func HostOf(redirectURI string) string {
	u, err := url.Parse(redirectURI)
	if _, isLoopback := cutLoopback(redirectURI); isLoopback || err != nil || u.Scheme != "https" {
		return ThisDevice
	}
	return u.Host
}

// Host returns how a page names the client's location: the host of its metadata document, else that of the redirect URI.
func (c *Client) Host(redirectURI string) string {
	if c.Source == Document {
		if u, err := url.Parse(c.ID); err == nil {
			return u.Host
		}
	}
	if redirectURI == "" {
		return AnotherDevice
	}
	return HostOf(redirectURI)
}
