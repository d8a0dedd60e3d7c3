package app

import (
	"log/slog"
	"net/http"

	"github.com/labstack/echo/v4"
)

// NewEcho returns an echo with the base middleware and the error handler, but
// without routes. Whatever is added to it with Use runs inside the base.
//
// The order is the point of this function, outermost first:
//
//  1. request id: every line that follows can carry it
//  2. access log: sees the status of whatever happens below, panics included
//  3. recovery
//  4. secure headers: on every reply, also on errors of the steps below
//  5. CORS: a preflight has no token, and is answered before anything asks for one
//  6. body limit
func NewEcho(settings Settings, logger *slog.Logger) (*echo.Echo, error) {
	proxies, err := parseProxies(settings.TrustedProxies)
	if err != nil {
		return nil, err
	}
	e := echo.New()
	e.HideBanner = true
	e.HidePort = true
	e.HTTPErrorHandler = answerError(logger)
	e.IPExtractor = ipExtractor(proxies)
	answerHead(e)
	e.Use(
		requestID,
		accessLog(logger),
		recovery(logger),
		secureHeaders,
		cors(settings.CORSOrigins),
		bodyLimit(settings.BodyLimitBytes),
	)
	return e, nil
}

// secureHeaders sets what is right for an API and harmless for a page; a
// handler may set others. Strict-Transport-Security is left to whoever
// terminates TLS.
func secureHeaders(next echo.HandlerFunc) echo.HandlerFunc {
	return func(c echo.Context) error {
		header := c.Response().Header()
		header.Set(echo.HeaderXContentTypeOptions, "nosniff")
		header.Set(echo.HeaderXFrameOptions, "DENY")
		header.Set(echo.HeaderReferrerPolicy, "no-referrer")
		header.Set(echo.HeaderContentSecurityPolicy, "frame-ancestors 'none'; base-uri 'none'; object-src 'none'")
		return next(c)
	}
}

// bodyLimit refuses a body that says it is too large and breaks off one that
// turns out to be.
func bodyLimit(limit int64) echo.MiddlewareFunc {
	return func(next echo.HandlerFunc) echo.HandlerFunc {
		return func(c echo.Context) error {
			r := c.Request()
			if r.ContentLength > limit {
				return &http.MaxBytesError{Limit: limit}
			}
			r.Body = http.MaxBytesReader(c.Response().Writer, r.Body, limit)
			return next(c)
		}
	}
}
