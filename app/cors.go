package app

import (
	"net/http"
	"slices"

	"github.com/labstack/echo/v4"
)

const (
	corsMethods = "GET, HEAD, POST, PUT, PATCH, DELETE"
	corsExposed = "ETag, Retry-After, WWW-Authenticate, X-Request-ID"
	corsMaxAge  = "600" // seconds that a browser may keep the answer to a preflight
)

// cors lets pages of the given origins call this server. Only a preflight, an
// OPTIONS with Origin and Access-Control-Request-Method, is answered here; any
// other request goes on to whatever guards it. Credentials are never allowed:
// a bearer token needs none, and a cookie would come without the page's doing.
func cors(origins []string) echo.MiddlewareFunc {
	anyOrigin := slices.Contains(origins, "*")
	return func(next echo.HandlerFunc) echo.HandlerFunc {
		if len(origins) == 0 {
			return next
		}
		return func(c echo.Context) error {
			request, reply := c.Request().Header, c.Response().Header()
			origin := request.Get(echo.HeaderOrigin)
			reply.Add(echo.HeaderVary, echo.HeaderOrigin)
			allowed := origin != "" && (anyOrigin || slices.Contains(origins, origin))
			if allowed {
				if anyOrigin {
					origin = "*"
				}
				reply.Set(echo.HeaderAccessControlAllowOrigin, origin)
			}
			if !isPreflight(c.Request()) {
				if allowed {
					reply.Set(echo.HeaderAccessControlExposeHeaders, corsExposed)
				}
				return next(c)
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
			return c.NoContent(http.StatusNoContent)
		}
	}
}

func isPreflight(r *http.Request) bool {
	return r.Method == http.MethodOptions && r.Header.Get(echo.HeaderOrigin) != "" &&
		r.Header.Get(echo.HeaderAccessControlRequestMethod) != ""
}
