package problem

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"net/http"

	"github.com/go-json-experiment/json"
)

// ContentType is the media type of an error reply (RFC 9457).
const ContentType = "application/problem+json"

// statusClientClosedRequest is the status if the client disconnected before the reply was ready. Nobody reads that reply, but the
// disconnect is not counted as an error of the server.
const statusClientClosedRequest = 499

// Problem is an error reply (RFC 9457), and the error that a handler returns for it. Everything except Header is in the body.
type Problem struct {
	// Type is a URI reference for the kind of problem; "about:blank" means that Status explains it.
	Type string `json:"type"`
	// Title is the short text of Status.
	Title string `json:"title"`
	// Status is the HTTP status code.
	Status int `json:"status"`
	// Detail is for people. It must not contain internals or anything that the client must not learn.
	Detail string `json:"detail,omitempty"`
	// Code is a stable name for programs, such as "invalid_challenge".
	Code string `json:"code,omitempty"`
	// Hint tells what was received and what was expected, if that reveals nothing to an attacker; see Detail.
	Hint string `json:"hint,omitempty"`
	// Header has fields to set in the header of the reply (WWW-Authenticate, Retry-After).
	Header http.Header `json:"-"`
}

// New returns a problem of type "about:blank" with the title of its status.
func New(status int, code, detail string) *Problem {
	return &Problem{Type: "about:blank", Title: StatusTitle(status), Status: status, Detail: detail, Code: code}
}

// Error implements error. The text does not contain Header, which may contain credentials.
func (p *Problem) Error() string {
	return fmt.Sprintf("%d %s: %s", p.Status, p.Code, p.Detail)
}

// Write writes err as application/problem+json: a *Problem as it is, also if err wraps it; any other error as a 500 that
// reveals nothing of err.
//
// It logs nothing; a caller that replies with a 5xx has to log err itself. The reply must not have begun.
func Write(w http.ResponseWriter, r *http.Request, err error) {
	encode(Of(r.Context(), err)).Write(w)
}

// Encoded is an encoded problem, for replies that must be cheap. It is safe for concurrent use.
type Encoded struct {
	problem *Problem
	body    []byte
}

// Encode encodes a problem. Later changes of p have no effect on the result.
func Encode(p *Problem) Encoded {
	own := Of(context.Background(), p)
	own.Header = own.Header.Clone()
	return encode(own)
}

func encode(p *Problem) Encoded {
	body, _ := json.Marshal(p) // strings and a number always encode
	return Encoded{p, body}
}

// Write writes the problem as the function Write does.
func (e Encoded) Write(w http.ResponseWriter) {
	header := w.Header()
	for _, name := range []string{"Content-Encoding", "Content-Length", "Etag", "Last-Modified"} {
		header.Del(name)
	}
	for name, values := range e.problem.Header {
		header[http.CanonicalHeaderKey(name)] = values
	}
	header.Set("Cache-Control", "no-store")
	header.Set("Content-Type", ContentType)
	w.WriteHeader(e.problem.Status)
	_, _ = w.Write(e.body)
}

// Of returns the problem that Write would write, as a copy.
func Of(ctx context.Context, err error) *Problem {
	if problem, isOwn := errors.AsType[*Problem](err); isOwn && problem != nil && problem.Status >= 400 && problem.Status <= 599 {
		complete := *problem
		complete.Type = cmp.Or(problem.Type, "about:blank")
		complete.Title = cmp.Or(problem.Title, StatusTitle(problem.Status))
		return &complete
	}
	if _, isTooLarge := errors.AsType[*http.MaxBytesError](err); isTooLarge {
		return New(http.StatusRequestEntityTooLarge, "body_too_large", "request body is too large")
	}
	if errors.Is(err, context.Canceled) && ctx.Err() != nil {
		return New(statusClientClosedRequest, "client_closed_request", "client closed the request")
	}
	return New(http.StatusInternalServerError, "internal_server_error", "internal server error")
}

// StatusTitle returns the short text of a status. It is never empty.
func StatusTitle(status int) string {
	if title := http.StatusText(status); title != "" {
		return title
	}
	if status == statusClientClosedRequest {
		return "Client Closed Request"
	}
	return fmt.Sprintf("Status %d", status)
}
