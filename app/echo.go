package app

import (
	"cmp"
	"log/slog"
	"net/http"

	"github.com/labstack/echo/v4"

	"github.com/picoauth/picoauth/app/loglimit"
)

// newEcho returns an echo with the base middleware and the error handler, but without routes. Middleware that is added with Use
// runs inside the base middleware.
//
// The order of the base middleware, from the outside in:
//
//  1. request id: all log lines of the request contain it
//  2. access log, with metrics and the request's span if there are instruments:
//     sees the status of every reply, also after a panic
//  3. recovery
//  4. secure headers: on every reply, also on errors of the steps below
//  5. CORS: a preflight has no token, so it is answered before authentication
//  6. body limit
func newEcho(settings Settings, logger *slog.Logger, instruments ...*instruments) (*echo.Echo, error) {
	proxies, err := parseProxies(settings.TrustedProxies)
	if err != nil {
		return nil, err
	}
	e := echo.New()
	e.HideBanner = true
	e.HidePort = true
	e.HTTPErrorHandler = answerError(logger)
	e.IPExtractor = ipExtractor(proxies, logger)
	answerHead(e)
	base := base{
		logger: logger, instruments: cmp.Or(instruments...), cors: newCORS(settings.CORSOrigins), bodyLimit: settings.BodyLimitBytes,
	}
	e.Use(base.middleware)
	return e, nil
}

// base is all base middleware in one, because echo allocates a closure per middleware and request.
type base struct {
	logger      *slog.Logger
	instruments *instruments // nil: none
	cors        cors
	bodyLimit   int64 // bytes

	tooMany, unavailable loglimit.Limit // of the lines of requests that were refused with 429 and 503
}

func (b *base) middleware(next echo.HandlerFunc) echo.HandlerFunc {
	return func(c echo.Context) error {
		ctx := setRequestID(c)
		ctx.watchForStream(c.Response())
		defer ctx.finish()
		return b.logged(c, next)
	}
}

// guarded runs the steps inside the access log and recovery.
func (b *base) guarded(c echo.Context, next echo.HandlerFunc) error {
	setSecureHeaders(c.Response().Header())
	if b.cors.answers(c) {
		return c.NoContent(http.StatusNoContent)
	}
	if err := limitBody(c, b.bodyLimit); err != nil {
		return err
	}
	return next(c)
}

// The values of the secure headers, which all replies share.
var (
	noSniff       = []string{"nosniff"}
	denyFrames    = []string{"DENY"}
	noReferrer    = []string{"no-referrer"}
	contentPolicy = []string{"frame-ancestors 'none'; base-uri 'none'; object-src 'none'"}
)

// setSecureHeaders sets headers that suit an API and do not harm a page. A handler may set other values.
// Strict-Transport-Security is the task of the proxy that terminates TLS.
func setSecureHeaders(header http.Header) {
	header[echo.HeaderXContentTypeOptions] = noSniff
	header[echo.HeaderXFrameOptions] = denyFrames
	header[echo.HeaderReferrerPolicy] = noReferrer
	header[echo.HeaderContentSecurityPolicy] = contentPolicy
}

// limitBody refuses a body whose Content-Length is above the limit, and stops reading one that exceeds it.
func limitBody(c echo.Context, limit int64) error {
	r := c.Request()
	if r.ContentLength > limit {
		return &http.MaxBytesError{Limit: limit}
	}
	if r.Body != nil && r.Body != http.NoBody {
		r.Body = http.MaxBytesReader(belowStream(c.Response().Writer), r.Body, limit)
	}
	return nil
}
