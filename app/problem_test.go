package app_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"math"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/labstack/echo/v4"

	"github.com/picoauth/picoauth/app"
)

func TestWriteProblem(t *testing.T) {
	expired := app.NewProblem(401, "token_expired", "token has expired")
	expired.Header = http.Header{"Www-Authenticate": {`Bearer error="invalid_token"`}}
	tests := map[string]struct {
		err    error
		status int
		body   string
	}{
		"problem": {expired, 401,
			`{"type":"about:blank","title":"Unauthorized","status":401,"detail":"token has expired","code":"token_expired"}`},
		"problem with a hint": {&app.Problem{Status: 400, Code: "wrong_length", Detail: "wrong", Hint: "63 bytes came, 64 are wanted"}, 400,
			`{"type":"about:blank","title":"Bad Request","status":400,"detail":"wrong","code":"wrong_length","hint":"63 bytes came, 64 are wanted"}`},
		"wrapped problem": {fmt.Errorf("sign in: %w", expired), 401,
			`{"type":"about:blank","title":"Unauthorized","status":401,"detail":"token has expired","code":"token_expired"}`},
		"problem of few words": {&app.Problem{Status: 418}, 418,
			`{"type":"about:blank","title":"I'm a teapot","status":418}`},
		"problem inside an echo error": {echo.NewHTTPError(500, "outer").SetInternal(expired), 401,
			`{"type":"about:blank","title":"Unauthorized","status":401,"detail":"token has expired","code":"token_expired"}`},
		"echo's own": {echo.ErrNotFound, 404,
			`{"type":"about:blank","title":"Not Found","status":404,"detail":"not found","code":"not_found"}`},
		"wrapped echo error": {fmt.Errorf("find: %w", echo.NewHTTPError(409, "name is taken")), 409,
			`{"type":"about:blank","title":"Conflict","status":409,"detail":"name is taken","code":"conflict"}`},
		"echo error without text": {echo.NewHTTPError(422, map[string]string{"password": "hunter2"}), 422,
			`{"type":"about:blank","title":"Unprocessable Entity","status":422,"detail":"unprocessable entity","code":"unprocessable_entity"}`},
		"echo error of the server": {echo.NewHTTPError(502, "db-7 at 10.0.0.3 is down"), 502,
			`{"type":"about:blank","title":"Bad Gateway","status":502,"detail":"bad gateway","code":"bad_gateway"}`},
		"echo error of a strange status": {echo.NewHTTPError(299, "x"), 500,
			`{"type":"about:blank","title":"Internal Server Error","status":500,"detail":"internal server error","code":"internal_server_error"}`},
		"body too large": {fmt.Errorf("read: %w", &http.MaxBytesError{Limit: 7}), 413,
			`{"type":"about:blank","title":"Request Entity Too Large","status":413,"detail":"request body is too large","code":"body_too_large"}`},
		"anything else": {errors.New("password hunter2 is wrong"), 500,
			`{"type":"about:blank","title":"Internal Server Error","status":500,"detail":"internal server error","code":"internal_server_error"}`},
		"no error at all": {nil, 500,
			`{"type":"about:blank","title":"Internal Server Error","status":500,"detail":"internal server error","code":"internal_server_error"}`},
		"cancelled, but not by the client": {context.Canceled, 500,
			`{"type":"about:blank","title":"Internal Server Error","status":500,"detail":"internal server error","code":"internal_server_error"}`},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			w := httptest.NewRecorder()
			w.Header().Set("Etag", `"of the reply that failed"`)
			w.Header().Set("Content-Length", "3")
			w.Header().Set("Cache-Control", "public, max-age=300")
			app.WriteProblem(w, httptest.NewRequest(http.MethodGet, "/", nil), test.err)
			if w.Code != test.status || w.Body.String() != test.body {
				t.Errorf("got %d %s\nwant %d %s", w.Code, w.Body, test.status, test.body)
			}
			if got := w.Header().Get("Content-Type"); got != "application/problem+json" {
				t.Errorf("content type %q", got)
			}
			if w.Header().Get("Etag")+w.Header().Get("Content-Length") != "" || w.Header().Get("Cache-Control") != "no-store" {
				t.Errorf("headers of another reply: %v", w.Header())
			}
			if want := test.status == 401; (w.Header().Get("WWW-Authenticate") != "") != want {
				t.Errorf("WWW-Authenticate: %v", w.Header())
			}
		})
	}
}

func TestWriteProblemClientGone(t *testing.T) {
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	w := httptest.NewRecorder()
	app.WriteProblem(w, httptest.NewRequestWithContext(ctx, http.MethodGet, "/", nil), fmt.Errorf("query: %w", ctx.Err()))
	if w.Code != 499 {
		t.Errorf("got %d, want 499", w.Code)
	}
}

func TestProblemErrorKeepsHeadersOut(t *testing.T) {
	problem := app.NewProblem(429, "too_many_requests", "slow down")
	problem.Header = http.Header{"Authorization": {"secret"}}
	if text := problem.Error(); text != "429 too_many_requests: slow down" {
		t.Error(text)
	}
}

func TestWriteJSON(t *testing.T) {
	w := httptest.NewRecorder()
	if err := app.WriteJSON(w, http.StatusCreated, map[string]int{"ttl": 60}); err != nil {
		t.Fatal(err)
	}
	if w.Code != 201 || w.Body.String() != `{"ttl":60}` || w.Header().Get("Content-Type") != "application/json" {
		t.Errorf("got %d %s %v", w.Code, w.Body, w.Header())
	}
	w = httptest.NewRecorder()
	if err := app.WriteJSON(w, http.StatusOK, math.NaN()); err == nil || len(w.Header()) > 0 {
		t.Errorf("a value that cannot be encoded: %v %v", err, w.Header())
	}
}

// problemIn decodes a problem reply and checks its content type.
func problemIn(t *testing.T, header http.Header, body string) app.Problem {
	t.Helper()
	var problem app.Problem
	if err := json.NewDecoder(strings.NewReader(body)).Decode(&problem); err != nil {
		t.Fatalf("%s: %v", body, err)
	}
	if header.Get("Content-Type") != app.ProblemContentType {
		t.Errorf("content type %q", header.Get("Content-Type"))
	}
	return problem
}
