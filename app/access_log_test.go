package app_test

import (
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/labstack/echo/v4"

	"github.com/picoauth/picoauth/app"
)

func TestAccessLog(t *testing.T) {
	e, log := newEcho(t, nil)
	e.POST("/users/:id", func(c echo.Context) error { return c.String(http.StatusAccepted, "hello") })
	r := httptest.NewRequest(http.MethodPost, "/users/secret-id?access_token=secret-query", strings.NewReader("secret-body"))
	r.Header.Set("Authorization", "Bearer secret-token")
	r.Header.Set("Cookie", "session=secret-cookie")
	request(e, r)
	if strings.Contains(log.String(), "secret") {
		t.Errorf("the log holds a secret: %s", log)
	}
	line := logLines(t, log)[0]
	for field, want := range map[string]any{
		"level": "INFO", "msg": "request", "method": "POST", "route": "/users/:id", "status": 202.0, "bytes": 5.0, "client": "192.0.2.1", "aborted": false,
	} {
		if line[field] != want {
			t.Errorf("%s is %v, want %v", field, line[field], want)
		}
	}
	if _, measured := line["milliseconds"].(float64); !measured {
		t.Errorf("no duration: %v", line)
	}
}

func TestAccessLogOfAnUnknownPath(t *testing.T) {
	e, log := newEcho(t, nil)
	path := "/none\n" + strings.Repeat("x", 5000)
	r := httptest.NewRequest(http.MethodGet, "/?code=secret", nil)
	r.Method = strings.Repeat("M", 5000)
	r.URL.Path = path
	w := request(e, r)
	if w.Code != 404 || problemIn(t, w.Header(), w.Body.String()).Code != "not_found" {
		t.Errorf("got %d %s", w.Code, w.Body)
	}
	if log.Len() > 700 || strings.Contains(log.String(), "secret") || strings.Count(log.String(), "\n") != 1 {
		t.Errorf("log %s", log)
	}
	if line := logLines(t, log)[0]; line["path"] != path[:128]+"…" || line["status"] != 404.0 {
		t.Errorf("log %v", line)
	}
}

func TestErrorsAreAnsweredAndLogged(t *testing.T) {
	tests := map[string]struct {
		err    error
		status int
		logged bool // apart from the access log
	}{
		"problem":              {app.NewProblem(403, "forbidden", "no"), 403, false},
		"wrapped echo error":   {fmt.Errorf("x: %w", echo.ErrTooManyRequests), 429, false},
		"problem of ours":      {fmt.Errorf("redis: %w", app.NewProblem(503, "denylist_unavailable", "try later")), 503, true},
		"error that says much": {errors.New("open /secret/path"), 500, true},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			e, log := newEcho(t, nil)
			e.GET("/", func(echo.Context) error { return test.err })
			w := request(e, httptest.NewRequest(http.MethodGet, "/", nil))
			if w.Code != test.status || strings.Contains(w.Body.String(), "secret") {
				t.Errorf("got %d %s", w.Code, w.Body)
			}
			problemIn(t, w.Header(), w.Body.String())
			lines := logLines(t, log)
			if (len(lines) == 2) != test.logged || lines[len(lines)-1]["status"] != float64(test.status) {
				t.Fatalf("log %v", lines)
			}
			if test.logged && (lines[0]["error"] != test.err.Error() || lines[0]["level"] != "ERROR" || lines[0]["request_id"] == nil) {
				t.Errorf("log %v", lines[0])
			}
		})
	}
}

func TestRecovery(t *testing.T) {
	e, log := newEcho(t, nil)
	e.GET("/panic", func(echo.Context) error { panic("the secret is out") })
	w := request(e, httptest.NewRequest(http.MethodGet, "/panic", nil))
	if w.Code != 500 || strings.Contains(w.Body.String(), "secret") || w.Header().Get("X-Content-Type-Options") != "nosniff" {
		t.Errorf("got %d %s %v", w.Code, w.Body, w.Header())
	}
	lines := logLines(t, log)
	if len(lines) != 2 || lines[0]["cause"] != "the secret is out" || !strings.Contains(lines[0]["stack"].(string), "echo_test.go") ||
		lines[1]["status"] != 500.0 {
		t.Errorf("log %v", lines)
	}
}

// A reply that breaks off must not look whole to its client.
func TestPanicAfterTheReplyBegan(t *testing.T) {
	e, log := newEcho(t, nil)
	e.GET("/late", func(c echo.Context) error {
		_ = c.String(http.StatusOK, "half")
		c.Response().Flush()
		panic("too late")
	})
	e.GET("/abort", func(echo.Context) error { panic(http.ErrAbortHandler) })
	server := httptest.NewServer(e)
	defer server.Close()
	for _, path := range []string{"/late", "/abort"} {
		reply, err := http.Get(server.URL + path)
		if err == nil {
			_, err = io.ReadAll(reply.Body)
			_ = reply.Body.Close()
		}
		if err == nil {
			t.Errorf("%s: the client saw a whole reply", path)
		}
	}
	server.Close() // the handlers have ended
	lines := logLines(t, log)
	if len(lines) != 3 || lines[0]["msg"] != "panic" || lines[1]["aborted"] != true || lines[2]["aborted"] != true {
		t.Errorf("log %v", lines)
	}
}

func TestErrorAfterTheReplyBegan(t *testing.T) {
	e, log := newEcho(t, nil)
	e.GET("/", func(c echo.Context) error {
		_ = c.String(http.StatusOK, "whole")
		return errors.New("afterthought")
	})
	if w := request(e, httptest.NewRequest(http.MethodGet, "/", nil)); w.Code != 200 || w.Body.String() != "whole" {
		t.Errorf("got %d %s", w.Code, w.Body)
	}
	if lines := logLines(t, log); len(lines) != 2 || lines[0]["error"] != "afterthought" {
		t.Errorf("log %v", lines)
	}
}

func TestAFloodOfRefusalsIsNoFloodOfLines(t *testing.T) {
	for status, bounded := range map[int]bool{200: false, 401: false, 429: true, 503: true} {
		e, log := newEcho(t, nil)
		e.GET("/", func(c echo.Context) error { return c.NoContent(status) })
		began := time.Now()
		for range 1000 {
			request(e, httptest.NewRequest(http.MethodGet, "/", http.NoBody))
		}
		lines := len(logLines(t, log))
		most := 10 * (int(time.Since(began).Seconds()) + 2)
		if bounded && lines > most {
			t.Errorf("%d requests with status %d made %d lines, want at most %d", 1000, status, lines, most)
		}
		if !bounded && lines != 1000 {
			t.Errorf("1000 requests with status %d made %d lines", status, lines)
		}
	}
}
