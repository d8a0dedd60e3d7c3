package verify

import (
	"cmp"
	"net/http"
	"net/url"
	"strings"
)

// ConnectionOrigins returns the scheme and host of the connection.
func ConnectionOrigins(r *http.Request) []string {
	if r.TLS != nil {
		return []string{"https://" + r.Host}
	}
	return []string{"http://" + r.Host}
}

// requestURL returns the normalized URL of a request as the client sent it, or "".
func requestURL(r *http.Request, origin string) string {
	path := r.URL
	if sent, err := url.ParseRequestURI(r.RequestURI); err == nil { // a router may have changed r.URL
		path = sent
	}
	return normalURL(strings.TrimRight(origin, "/") + "/" + strings.TrimLeft(path.EscapedPath(), "/"))
}

// normalURL normalizes a URL without query and fragment (RFC 3986, section 6.2): scheme and host in lower case, no default port, no
// unnecessary percent-encoding. It returns "" for a text that is not an http or https URL.
func normalURL(text string) string {
	u, err := url.Parse(text)
	if err != nil || u.User != nil || u.Opaque != "" {
		return ""
	}
	scheme, host := strings.ToLower(u.Scheme), strings.ToLower(u.Host)
	switch scheme {
	case "https":
		host = strings.TrimSuffix(host, ":443")
	case "http":
		host = strings.TrimSuffix(host, ":80")
	default:
		return ""
	}
	if host == "" {
		return ""
	}
	return scheme + "://" + host + cmp.Or(normalPath(u.EscapedPath()), "/")
}

// normalPath decodes characters that need not be percent-encoded, and writes the other encodings in upper case.
func normalPath(path string) string {
	if !strings.Contains(path, "%") {
		return path
	}
	var b strings.Builder
	for i := 0; i < len(path); i++ {
		if path[i] != '%' || i+2 >= len(path) {
			b.WriteByte(path[i])
			continue
		}
		code := path[i : i+3]
		if char, err := url.PathUnescape(code); err == nil && isUnreserved(char) {
			b.WriteString(char)
		} else {
			b.WriteString(strings.ToUpper(code))
		}
		i += 2
	}
	return b.String()
}

// isUnreserved reports whether a character never needs to be encoded (RFC 3986 section 2.3).
func isUnreserved(char string) bool {
	const unreserved = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-._~"
	return len(char) == 1 && strings.Contains(unreserved, char)
}
