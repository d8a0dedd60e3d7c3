package app_test

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"testing/iotest"

	"github.com/labstack/echo/v4"

	"github.com/picoauth/picoauth/app"
)

// newEcho returns an echo with the base middleware that logs JSON to the buffer.
func newEcho(t *testing.T, change func(*app.Settings)) (*echo.Echo, *bytes.Buffer) {
	t.Helper()
	settings := app.DefaultSettings()
	settings.LogFormat, settings.LogLevel = "json", "debug"
	if change != nil {
		change(&settings)
	}
	var log bytes.Buffer
	e, err := app.NewEcho(settings, app.NewLogger(settings, &log))
	if err != nil {
		t.Fatal(err)
	}
	return e, &log
}

func request(e *echo.Echo, r *http.Request) *httptest.ResponseRecorder {
	w := httptest.NewRecorder()
	e.ServeHTTP(w, r)
	return w
}

// logLines decodes the log and empties it.
func logLines(t *testing.T, log *bytes.Buffer) (lines []map[string]any) {
	t.Helper()
	for decoder := json.NewDecoder(log); ; {
		var line map[string]any
		if err := decoder.Decode(&line); errors.Is(err, io.EOF) {
			return lines
		} else if err != nil {
			t.Fatal(err)
		}
		lines = append(lines, line)
	}
}

func TestRequestID(t *testing.T) {
	e, log := newEcho(t, nil)
	var inContext string
	e.GET("/", func(c echo.Context) error {
		inContext = app.RequestID(c.Request().Context())
		return nil
	})
	long := strings.Repeat("a", 64)
	tests := map[string]bool{ // whether the client's id is kept
		"":                         false,
		"4bf92f35-77b3.4da6_A":     true,
		long:                       true,
		long + "a":                 false,
		"two words":                false,
		"a\"b":                     false,
		"évén":                     false,
		"x\r\nSet-Cookie: session": false,
	}
	made := make(map[string]bool)
	for id, kept := range tests {
		t.Run(id, func(t *testing.T) {
			r := httptest.NewRequest(http.MethodGet, "/", nil)
			r.Header["X-Request-Id"] = []string{id}
			got := request(e, r).Header().Get("X-Request-ID")
			if got != inContext || got == "" || (got == id) != kept {
				t.Errorf("sent %q: reply has %q, context %q", id, got, inContext)
			}
			if line := logLines(t, log); len(line) != 1 || line[0]["request_id"] != got {
				t.Errorf("log %v", line)
			}
			if made[got] {
				t.Errorf("%q was made twice", got)
			}
			made[got] = true
		})
	}
	if id := app.RequestID(t.Context()); id != "" {
		t.Errorf("no request, but an id: %q", id)
	}
}

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

func TestMethodNotAllowed(t *testing.T) {
	e, _ := newEcho(t, nil)
	e.POST("/x", func(echo.Context) error { return nil })
	w := request(e, httptest.NewRequest(http.MethodGet, "/x", nil))
	if w.Code != 405 || w.Header().Get("Allow") != "OPTIONS, POST" {
		t.Errorf("got %d, Allow %q", w.Code, w.Header().Get("Allow"))
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

func TestSecureHeaders(t *testing.T) {
	e, _ := newEcho(t, nil)
	e.GET("/own", func(c echo.Context) error {
		c.Response().Header().Set("X-Frame-Options", "SAMEORIGIN")
		return nil
	})
	for path, frame := range map[string]string{"/own": "SAMEORIGIN", "/none": "DENY"} {
		header := request(e, httptest.NewRequest(http.MethodGet, path, nil)).Header()
		if header.Get("X-Content-Type-Options") != "nosniff" || header.Get("Referrer-Policy") != "no-referrer" ||
			header.Get("X-Frame-Options") != frame || header.Get("Content-Security-Policy") == "" {
			t.Errorf("%s: %v", path, header)
		}
	}
}

func TestBodyLimit(t *testing.T) {
	e, _ := newEcho(t, func(s *app.Settings) { s.BodyLimitBytes = 10 })
	e.POST("/", func(c echo.Context) error {
		body, err := io.ReadAll(c.Request().Body)
		if err != nil {
			return fmt.Errorf("read: %w", err)
		}
		return c.Blob(http.StatusOK, "text/plain", body)
	})
	for _, test := range []struct {
		name   string
		body   io.Reader
		status int
	}{
		{"fits", strings.NewReader("0123456789"), 200},
		{"too large", strings.NewReader("0123456789a"), 413},
		{"too large, of unknown length", iotest.OneByteReader(strings.NewReader("0123456789a")), 413},
	} {
		w := request(e, httptest.NewRequest(http.MethodPost, "/", test.body))
		if w.Code != test.status {
			t.Errorf("%s: got %d %s", test.name, w.Code, w.Body)
		}
	}
}

// A host's own echo body limit makes DecodeJSON's reader fail in another way.
func TestDecodeJSONUnderAnotherBodyLimit(t *testing.T) {
	r := httptest.NewRequest(http.MethodPost, "/", iotest.ErrReader(echo.ErrStatusRequestEntityTooLarge))
	r.Header.Set("Content-Type", "application/json")
	wantProblem(t, app.DecodeJSON(httptest.NewRecorder(), r, new(signIn)), 413, "request body is larger than 65536 bytes")
}

func TestNewEchoRefusesWhatValidateWould(t *testing.T) {
	settings := app.DefaultSettings()
	settings.TrustedProxies = []string{"proxy"}
	if _, err := app.NewEcho(settings, slog.New(slog.DiscardHandler)); err == nil {
		t.Error("a proxy without an address")
	}
}

func TestMiddlewareOfTheApplicationRunsInsideTheBase(t *testing.T) {
	e, log := newEcho(t, nil)
	e.Use(func(echo.HandlerFunc) echo.HandlerFunc {
		return func(c echo.Context) error {
			if app.RequestID(c.Request().Context()) == "" {
				t.Error("no request id yet")
			}
			return echo.ErrUnauthorized
		}
	})
	if w := request(e, httptest.NewRequest(http.MethodGet, "/", nil)); w.Code != 401 || w.Header().Get("X-Frame-Options") == "" {
		t.Errorf("got %d %v", w.Code, w.Header())
	}
	if line := logLines(t, log)[0]; line["status"] != 401.0 {
		t.Errorf("log %v", line)
	}
}
