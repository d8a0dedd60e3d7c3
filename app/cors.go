package app

import (
	"net/http"
	"slices"

	"github.com/labstack/echo/v4"
)

const (
	corsMethods = "GET, HEAD, POST, PUT, PATCH, DELETE"
	corsExposed = "DPoP-Nonce, ETag, Retry-After, WWW-Authenticate, X-Request-ID"
	corsMaxAge  = "600" // seconds that a browser may keep the answer to a preflight
)

// cors lets pages of the given origins call this server. It answers preflights (OPTIONS with Origin and
// Access-Control-Request-Method); all other requests continue to authentication. Credentials are never allowed: bearer tokens do
// not need them, and a browser would send cookies without the page's intent.
type cors struct {
	origins []string // empty: CORS is off
	any     bool
}

func newCORS(origins []string) cors { return cors{origins, slices.Contains(origins, "*")} }

// answers sets the CORS headers of a reply, and reports whether the reply is complete.
func (o cors) answers(c echo.Context) bool {
	if len(o.origins) == 0 {
		return false
	}
	request, reply := c.Request().Header, c.Response().Header()
	origin := request.Get(echo.HeaderOrigin)
	reply.Add(echo.HeaderVary, echo.HeaderOrigin)
	allowed := origin != "" && (o.any || slices.Contains(o.origins, origin))
	if allowed {
		if o.any {
			origin = "*"
		}
		reply.Set(echo.HeaderAccessControlAllowOrigin, origin)
	}
	if !IsPreflight(c.Request()) {
		if allowed {
			reply.Set(echo.HeaderAccessControlExposeHeaders, corsExposed)
		}
		return false
	}
	reply.Add(echo.HeaderVary, echo.HeaderAccessControlRequestMethod)
	reply.Add(echo.HeaderVary, echo.HeaderAccessControlRequestHeaders)
	if allowed {
		reply.Set(echo.HeaderAccessControlAllowMethods, corsMethods)
		reply.Set(echo.HeaderAccessControlMaxAge, corsMaxAge)
		if headers := request.Get(echo.HeaderAccessControlRequestHeaders); headers != "" {
			reply.Set(echo.HeaderAccessControlAllowHeaders, headers)
		}
	}
	return true
}

// IsPreflight reports whether a request is a CORS preflight: an OPTIONS request with the headers Origin and
// Access-Control-Request-Method. A browser sends it without credentials.
func IsPreflight(r *http.Request) bool {
	return r.Method == http.MethodOptions && r.Header.Get(echo.HeaderOrigin) != "" &&
		r.Header.Get(echo.HeaderAccessControlRequestMethod) != ""
}
