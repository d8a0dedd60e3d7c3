package app

import (
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"runtime/debug"
	"time"

	"github.com/labstack/echo/v4"
)

// longestLoggedText is the maximum length, in bytes, of a text from a client in one field of a log line.
const longestLoggedText = 128

// logged handles each request: it replies to errors, writes a log line, updates the metrics and ends the span.
func (b *base) logged(c echo.Context, next echo.HandlerFunc) error {
	start := time.Now()
	span := b.instruments.startSpan(c)
	err := b.recovered(c, next)
	aborted := errors.Is(err, http.ErrAbortHandler)
	if err != nil && !aborted {
		c.Error(err)
	}
	took := time.Since(start)
	b.instruments.observe(c, took)
	b.writeLine(c, took, aborted)
	endRequestSpan(span, c.Response().Status)
	if aborted {
		panic(http.ErrAbortHandler)
	}
	return nil // it is answered
}

// writeLine writes the log line of a request. It contains the route's template, so that identifiers in the path stay out of the
// log, and the path itself only if no route matched. It never contains the query, a header or a body.
func (b *base) writeLine(c echo.Context, took time.Duration, aborted bool) {
	ctx, level := c.Request().Context(), accessLevel(c)
	if !b.logger.Enabled(ctx, level) {
		return
	}
	leftOut, ok := b.limitLine(c.Response().Status)
	if !ok {
		return
	}
	where := slog.String("route", c.Path())
	if c.Path() == "" {
		where = slog.String("path", shorten(c.Request().URL.Path))
	}
	attributes := []slog.Attr{
		slog.String("method", shorten(c.Request().Method)),
		where,
		slog.Int("status", c.Response().Status),
		slog.Int64("bytes", c.Response().Size),
		slog.Float64("milliseconds", float64(took.Microseconds())/1000),
		slog.String("client", ClientIP(c)),
		slog.Bool("aborted", aborted),
	}
	if leftOut > 0 {
		attributes = append(attributes, slog.Int64("left_out", leftOut))
	}
	b.logger.LogAttrs(ctx, level, "request", attributes...)
}

// limitLine limits the log lines of replies with 429 or 503. left_out in the next line is the number of lines that were left out.
func (b *base) limitLine(status int) (leftOut int64, ok bool) {
	switch status {
	case http.StatusTooManyRequests:
		return b.tooMany.Allow(time.Now())
	case http.StatusServiceUnavailable:
		return b.unavailable.Allow(time.Now())
	default:
		return 0, true
	}
}

// accessLevel returns the level of a request's log line. Successful probes are logged at debug level.
func accessLevel(c echo.Context) slog.Level {
	if isProbe(c.Path()) && c.Response().Status < http.StatusBadRequest {
		return slog.LevelDebug
	}
	return slog.LevelInfo
}

// recovered turns a panic into an error, which gets a reply with 500. If the reply has begun already, the connection is closed
// instead, so that the client does not take the reply for complete.
func (b *base) recovered(c echo.Context, next echo.HandlerFunc) (err error) {
	defer func() {
		cause := recover()
		if cause == nil {
			return
		}
		if abort, isError := cause.(error); isError && errors.Is(abort, http.ErrAbortHandler) {
			err = http.ErrAbortHandler
			return
		}
		b.logger.ErrorContext(c.Request().Context(), "panic", "cause", fmt.Sprint(cause), "stack", string(debug.Stack()))
		err = errPanic
		if c.Response().Committed {
			err = http.ErrAbortHandler
		}
	}()
	return b.guarded(c, next)
}

var errPanic = errors.New("handler panicked")

// answerError is echo's error handler: it replies with a problem, and logs errors of the server (5xx).
func answerError(logger *slog.Logger) echo.HTTPErrorHandler {
	return func(err error, c echo.Context) {
		ctx := c.Request().Context()
		if c.Response().Committed {
			logger.ErrorContext(ctx, "request failed after its reply had begun", "error", err)
			return
		}
		if problemOf(ctx, err).Status >= http.StatusInternalServerError && !errors.Is(err, errPanic) {
			logger.ErrorContext(ctx, "request failed", "error", err)
		}
		WriteProblem(c.Response(), c.Request(), err)
	}
}

func shorten(text string) string {
	if len(text) > longestLoggedText {
		return text[:longestLoggedText] + "…"
	}
	return text
}
