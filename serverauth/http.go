package serverauth

import (
	"cmp"
	"context"
	"errors"
	"log/slog"
	"math"
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"time"
	"unicode"
	"unicode/utf8"

	"github.com/labstack/echo/v4"
	"github.com/picoauth/picoauth/app"
	"github.com/picoauth/picoauth/app/loglimit"
	"github.com/picoauth/picoauth/serverauth/internal/events"
	"github.com/picoauth/picoauth/serverauth/session"
)

// handler turns a flow into an echo handler that writes problems itself, whatever error handler the app has. An error that is
// not a problem is a failure of the server: it is logged and answered with 503.
func handler(log *slog.Logger, flow func(echo.Context) error) echo.HandlerFunc {
	var failures loglimit.Limit
	return func(c echo.Context) error {
		err := flow(c)
		if err == nil {
			return nil
		}
		problem := problemOf(err)
		switch {
		case problem != nil:
		case errors.Is(err, context.Canceled) && c.Request().Context().Err() != nil:
			app.WriteProblem(c.Response(), c.Request(), err)
			return nil
		default:
			if leftOut, ok := failures.Allow(time.Now()); ok {
				log.ErrorContext(c.Request().Context(), "request failed", "route", c.Path(), "error", err, "left_out", leftOut)
			}
			problem = unavailable()
		}
		app.WriteProblem(c.Response(), c.Request(), problem)
		return nil
	}
}

// reply writes a JSON object that must not be cached: with Cache-Control: no-store.
func reply(c echo.Context, v any) error {
	c.Response().Header().Set(echo.HeaderCacheControl, "no-store")
	return app.WriteJSON(c.Response(), http.StatusOK, v)
}

// refusalEvent logs that a request was refused. It logs nothing for a failure of the server.
func refusalEvent(c echo.Context, log *slog.Logger, event string, err error, attributes ...any) {
	if problem := problemOf(err); problem != nil && problem.Status < 500 {
		attributes = append([]any{"code", problem.Code, "client", app.ClientIP(c), "reason", cmp.Or(problem.Hint, problem.Detail)}, attributes...)
		events.Log(c.Request().Context(), log, event, attributes...)
	}
}

// OriginOf returns the time, client address and user agent of a request that begins a session.
func OriginOf(c echo.Context, at time.Time) session.Origin {
	return session.Origin{At: at, Client: app.ClientIP(c), UserAgent: printableUserAgent(c.Request().UserAgent())}
}

// maxUserAgent is the length in bytes to which a User-Agent header is cut.
const maxUserAgent = 256

// printableUserAgent returns the header without control characters, characters that change the direction of text, and incomplete
// characters. The result shares no memory with the request.
func printableUserAgent(header string) string {
	header = header[:min(len(header), 4*maxUserAgent)]
	text := strings.Map(func(r rune) rune {
		if r == utf8.RuneError || !unicode.IsPrint(r) {
			return -1
		}
		return r
	}, header)
	if len(text) > maxUserAgent {
		end := maxUserAgent
		for !utf8.RuneStart(text[end]) {
			end--
		}
		text = text[:end]
	}
	return strings.Clone(strings.TrimSpace(text))
}

// Default and maximum of the parameter `limit` of a list.
const (
	defaultPageLimit = 200
	maxPageLimit     = 1000
)

// queryParameters returns the query parameters of a request to a list. An unknown parameter, one that is given twice, and a
// malformed query are a 400: if an unknown filter were ignored, the reply would show more than was asked for.
func queryParameters(c echo.Context, allowed ...string) (url.Values, error) {
	values, err := url.ParseQuery(c.Request().URL.RawQuery)
	if err != nil {
		return nil, invalidParameter("the query cannot be read")
	}
	for key, given := range values {
		if !slices.Contains(allowed, key) {
			return nil, invalidParameter("unknown query parameter: " + shorten(strconv.Quote(key)))
		}
		if len(given) > 1 {
			return nil, invalidParameter("query parameter given twice: " + key)
		}
	}
	return values, nil
}

// pageLimit reads the parameter `limit`: 200 if it is absent, at most 1000.
func pageLimit(values url.Values) (int, error) {
	return limitOf(values, defaultPageLimit, maxPageLimit)
}

// limitOf reads the parameter `limit`: the value of absent if it is not given, and at most the value of most.
func limitOf(values url.Values, absent int, most uint64) (int, error) {
	text := values.Get("limit")
	if text == "" {
		return absent, nil
	}
	limit, err := strconv.ParseUint(text, 10, 64)
	if err != nil && limit != math.MaxUint64 || limit == 0 { // a number that is too large for 64 bits is a large one
		return 0, invalidParameter("limit must be a whole number from 1 to " + strconv.FormatUint(most, 10))
	}
	return int(min(limit, most)), nil
}

func invalidParameter(detail string) *app.Problem {
	return app.NewProblem(http.StatusBadRequest, "invalid_parameter", detail)
}
