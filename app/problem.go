package app

import (
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"strings"

	"github.com/labstack/echo/v4"
)

// ProblemContentType is the media type of an error reply (RFC 9457).
const ProblemContentType = "application/problem+json"

// statusClientClosedRequest is recorded when the client went away before its
// reply was ready. Nobody reads that reply; the status keeps a disconnect out
// of the count of server errors.
const statusClientClosedRequest = 499

// Problem is an error reply as RFC 9457 describes it, and the error that
// produces it. Everything but Header is sent to the client.
type Problem struct {
	// Type is a URI reference for the kind of problem; "about:blank" says that
	// Status explains it.
	Type string `json:"type"`
	// Title is the short text of Status.
	Title string `json:"title"`
	// Status is the HTTP status code.
	Status int `json:"status"`
	// Detail is for people. It never holds internals or what a client must not learn.
	Detail string `json:"detail,omitempty"`
	// Code is the stable name that programs branch on, such as "invalid_challenge".
	Code string `json:"code,omitempty"`
	// Header is added to the reply (WWW-Authenticate, Retry-After); it is not
	// part of the body.
	Header http.Header `json:"-"`
}

// NewProblem returns a problem of type "about:blank" titled by its status.
func NewProblem(status int, code, detail string) *Problem {
	return &Problem{Type: "about:blank", Title: statusTitle(status), Status: status, Detail: detail, Code: code}
}

// Error implements error. It leaves out Header, which may hold credentials.
func (p *Problem) Error() string {
	return fmt.Sprintf("%d %s: %s", p.Status, p.Code, p.Detail)
}

// WriteProblem writes err as application/problem+json: a *Problem as it is, an
// *echo.HTTPError by its status and, below 500, its message, anything else as a
// 500 that shows nothing of err. Both are found however deeply err wraps them.
//
// It logs nothing; a caller that answers with a 5xx logs err itself. The reply
// must not have been started.
func WriteProblem(w http.ResponseWriter, r *http.Request, err error) {
	problem := problemOf(r.Context(), err)
	header := w.Header()
	for _, name := range []string{"Content-Encoding", "Content-Length", "Etag", "Last-Modified"} {
		header.Del(name)
	}
	for name, values := range problem.Header {
		header[http.CanonicalHeaderKey(name)] = values
	}
	header.Set("Cache-Control", "no-store")
	header.Set("Content-Type", ProblemContentType)
	body, _ := json.Marshal(problem) // strings and a number always encode
	w.WriteHeader(problem.Status)
	_, _ = w.Write(body)
}

// WriteJSON writes v as application/json with the given status. When v cannot
// be encoded it returns the error and has written nothing, so that the caller
// can still answer with a problem.
func WriteJSON(w http.ResponseWriter, status int, v any) error {
	buffer := texts.Get().(*[]byte)
	body, err := AppendJSON((*buffer)[:0], v)
	*buffer = body
	defer wipe(buffer)
	if err != nil {
		return err
	}
	w.Header()["Content-Type"] = jsonContentType
	w.WriteHeader(status)
	// A write that fails here has lost its client: there is nobody left to tell.
	_, _ = w.Write(body)
	return nil
}

// jsonContentType is shared by all replies.
var jsonContentType = []string{"application/json"}

func problemOf(ctx context.Context, err error) *Problem {
	var problem *Problem
	if errors.As(err, &problem) && problem != nil && problem.Status >= 400 && problem.Status <= 599 {
		complete := *problem
		complete.Type = cmp.Or(problem.Type, "about:blank")
		complete.Title = cmp.Or(problem.Title, statusTitle(problem.Status))
		return &complete
	}
	var httpError *echo.HTTPError
	if errors.As(err, &httpError) && httpError.Code >= 400 && httpError.Code <= 599 {
		return problemOfEcho(httpError)
	}
	var tooLarge *http.MaxBytesError
	if errors.As(err, &tooLarge) {
		return NewProblem(http.StatusRequestEntityTooLarge, "body_too_large", "request body is too large")
	}
	if errors.Is(err, context.Canceled) && ctx.Err() != nil {
		return NewProblem(statusClientClosedRequest, "client_closed_request", "client closed the request")
	}
	return NewProblem(http.StatusInternalServerError, "internal_server_error", "internal server error")
}

func problemOfEcho(err *echo.HTTPError) *Problem {
	title := statusTitle(err.Code)
	problem := NewProblem(err.Code, statusCode(title), strings.ToLower(title))
	if text, isText := err.Message.(string); isText && err.Code < http.StatusInternalServerError && text != title {
		problem.Detail = text
	}
	return problem
}

func statusTitle(status int) string {
	if title := http.StatusText(status); title != "" {
		return title
	}
	if status == statusClientClosedRequest {
		return "Client Closed Request"
	}
	return fmt.Sprintf("Status %d", status)
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
