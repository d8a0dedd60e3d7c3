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

func TestMethodNotAllowed(t *testing.T) {
	e, _ := newEcho(t, nil)
	e.POST("/x", func(echo.Context) error { return nil })
	w := request(e, httptest.NewRequest(http.MethodGet, "/x", nil))
	if w.Code != 405 || w.Header().Get("Allow") != "OPTIONS, POST" {
		t.Errorf("got %d, Allow %q", w.Code, w.Header().Get("Allow"))
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
