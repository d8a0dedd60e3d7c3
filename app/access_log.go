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

// longestLoggedText bounds, in bytes, what a client can put into one field of a log line.
const longestLoggedText = 128

// logged has errors answered, and writes a line, counts and ends the span for each request.
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

// writeLine writes a request's line of the log. It has the route's template,
// so that an identifier in the path stays out of the log, and the path itself
// only where no route matched; it never has the query, a header or a body.
func (b *base) writeLine(c echo.Context, took time.Duration, aborted bool) {
	ctx, level := c.Request().Context(), accessLevel(c)
	if !b.logger.Enabled(ctx, level) {
		return
	}
	where := slog.String("route", c.Path())
	if c.Path() == "" {
		where = slog.String("path", shorten(c.Request().URL.Path))
	}
	b.logger.LogAttrs(ctx, level, "request",
		slog.String("method", shorten(c.Request().Method)),
		where,
		slog.Int("status", c.Response().Status),
		slog.Int64("bytes", c.Response().Size),
		slog.Float64("milliseconds", float64(took.Microseconds())/1000),
		slog.String("client", ClientIP(c)),
		slog.Bool("aborted", aborted),
	)
}

// accessLevel keeps probes that find everything well out of an ordinary log.
func accessLevel(c echo.Context) slog.Level {
	if isProbe(c.Path()) && c.Response().Status < http.StatusBadRequest {
		return slog.LevelDebug
	}
	return slog.LevelInfo
}

// recovered turns a panic into an error that is answered with a 500. A reply
// that had begun is broken off instead: its client must not take it for whole.
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

// answerError is echo's error handler: every error becomes a problem, and one
// that the server is to blame for is logged.
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
