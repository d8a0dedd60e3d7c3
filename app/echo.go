package app

import (
	"cmp"
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
//  2. access log, with metrics and the request's span if there are instruments:
//     sees the status of whatever happens below, panics included
//  3. recovery
//  4. secure headers: on every reply, also on errors of the steps below
//  5. CORS: a preflight has no token, and is answered before anything asks for one
//  6. body limit
func NewEcho(settings Settings, logger *slog.Logger, instruments ...*Instruments) (*echo.Echo, error) {
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
	base := base{logger, cmp.Or(instruments...), newCORS(settings.CORSOrigins), settings.BodyLimitBytes}
	e.Use(base.middleware)
	return e, nil
}

// base is the base middleware: one for echo, which makes a closure of each middleware for each request.
type base struct {
	logger      *slog.Logger
	instruments *Instruments // nil: none
	cors        cors
	bodyLimit   int64 // bytes
}

func (b *base) middleware(next echo.HandlerFunc) echo.HandlerFunc {
	return func(c echo.Context) error {
		setRequestID(c)
		return b.logged(c, next)
	}
}

// guarded is what runs inside log and recovery.
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

// The values of the secure headers are shared by all replies; a handler that sets another puts a list of its own.
var (
	noSniff       = []string{"nosniff"}
	denyFrames    = []string{"DENY"}
	noReferrer    = []string{"no-referrer"}
	contentPolicy = []string{"frame-ancestors 'none'; base-uri 'none'; object-src 'none'"}
)

// setSecureHeaders sets what is right for an API and harmless for a page; a
// handler may set others. Strict-Transport-Security is left to whoever
// terminates TLS.
func setSecureHeaders(header http.Header) {
	header[echo.HeaderXContentTypeOptions] = noSniff
	header[echo.HeaderXFrameOptions] = denyFrames
	header[echo.HeaderReferrerPolicy] = noReferrer
	header[echo.HeaderContentSecurityPolicy] = contentPolicy
}

// limitBody refuses a body that says it is too large and breaks off one that
// turns out to be.
func limitBody(c echo.Context, limit int64) error {
	r := c.Request()
	if r.ContentLength > limit {
		return &http.MaxBytesError{Limit: limit}
	}
	if r.Body != nil && r.Body != http.NoBody {
		r.Body = http.MaxBytesReader(c.Response().Writer, r.Body, limit)
	}
	return nil
}
