package app

import (
	"context"
	"errors"
	"net/http"
	"strings"

	"github.com/labstack/echo/v4"

	"github.com/picoauth/picoauth/app/problem"
)

// Problem is an error reply (RFC 9457), and the error that a handler returns for it.
type Problem = problem.Problem

// NewProblem returns a problem of type "about:blank" with the title of its status.
func NewProblem(status int, code, detail string) *Problem { return problem.New(status, code, detail) }

// WriteProblem writes err as application/problem+json: a *Problem as it is; an *echo.HTTPError with its status and, below 500,
// its message; an *http.MaxBytesError as a 413; context.Canceled as a 499 if the client disconnected; any other error as a 500
// that reveals nothing of err. It finds all of them also if err wraps them.
//
// It logs nothing; a caller that replies with a 5xx has to log err itself. The reply must not have begun.
func WriteProblem(w http.ResponseWriter, r *http.Request, err error) {
	problem.Write(w, r, problemOf(r.Context(), err))
}

// problemOf returns the problem for an error. Besides the errors that package problem converts, it converts those of echo.
func problemOf(ctx context.Context, err error) *Problem {
	own, isOwn := errors.AsType[*Problem](err)
	isOwn = isOwn && own != nil && own.Status >= 400 && own.Status <= 599
	if ofEcho, isEcho := errors.AsType[*echo.HTTPError](err); isEcho && !isOwn && ofEcho.Code >= 400 && ofEcho.Code <= 599 {
		return problemOfEcho(ofEcho)
	}
	return problem.Of(ctx, err)
}

func problemOfEcho(err *echo.HTTPError) *Problem {
	title := problem.StatusTitle(err.Code)
	own := NewProblem(err.Code, statusCode(title), strings.ToLower(title))
	if text, isText := err.Message.(string); isText && err.Code < http.StatusInternalServerError && text != title {
		own.Detail = text
	}
	return own
}

// statusCode turns "Not Found" into "not_found".
func statusCode(title string) string {
	return strings.Map(func(r rune) rune {
		switch {
		case r == ' ' || r == '-':
			return '_'
		case r == '\'':
			return -1
		}
		return r
	}, strings.ToLower(title))
}
