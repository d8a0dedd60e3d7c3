package app_test

import (
	"bytes"
	"context"
	"errors"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/labstack/echo/v4"

	"github.com/picoauth/picoauth/app"
)

// movableClock is a clock that stands still until a test moves it.
type movableClock struct{ now time.Time }

func (c *movableClock) Now() time.Time        { return c.now }
func (c *movableClock) move(by time.Duration) { c.now = c.now.Add(by) }
func newClock() *movableClock                 { return &movableClock{time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC)} }
func passing(context.Context) error           { return nil }
func check(name string, err error) app.ReadinessCheck {
	return app.ReadinessCheck{Name: name, Check: func(context.Context) error { return err }}
}

// newHealth returns an echo with the health routes, and what they log.
func newHealth(clock *movableClock, checks ...app.ReadinessCheck) (*echo.Echo, *app.Health, *bytes.Buffer) {
	settings := app.DefaultSettings()
	settings.LogFormat = "json"
	var log bytes.Buffer
	e := echo.New()
	health := app.NewHealth(checks, app.NewLogger(settings, &log), clock.Now)
	health.Register(e)
	return e, health, &log
}

func get(e *echo.Echo, path string) *httptest.ResponseRecorder {
	return request(e, httptest.NewRequest(http.MethodGet, path, nil))
}

func TestHealthy(t *testing.T) {
	e, _, log := newHealth(newClock(), check("keys", nil), check("store", nil))
	for path, want := range map[string]string{"/healthz": `{"status":"ok"}`, "/readyz": `{"status":"ready"}`} {
		w := get(e, path)
		if w.Code != 200 || w.Body.String() != want || w.Header().Get("Cache-Control") != "no-store" {
			t.Errorf("%s: got %d %s %v", path, w.Code, w.Body, w.Header())
		}
	}
	if log.Len() > 0 {
		t.Errorf("log %s", log)
	}
}

func TestNotReady(t *testing.T) {
	clock := newClock()
	var failure atomic.Pointer[error]
	fail := func(err error) { failure.Store(&err) }
	fail(errors.New("redis at 10.0.0.3 is down"))
	e, _, log := newHealth(clock, check("keys", nil), app.ReadinessCheck{Name: "store", Check: func(context.Context) error { return *failure.Load() }})

	w := get(e, "/readyz")
	if problem := problemIn(t, w.Header(), w.Body.String()); w.Code != 503 || problem.Code != "not_ready" || w.Header().Get("Retry-After") != "1" || strings.Contains(w.Body.String(), "redis") {
		t.Errorf("got %d %s", w.Code, w.Body)
	}
	if lines := logLines(t, log); len(lines) != 1 || lines[0]["check"] != "store" || lines[0]["error"] != "redis at 10.0.0.3 is down" {
		t.Errorf("log %v", lines)
	}
	if w := get(e, "/healthz"); w.Code != 200 {
		t.Errorf("the process runs, whatever its store does: %d", w.Code)
	}

	clock.move(time.Second)
	if w := get(e, "/readyz"); w.Code != 503 || log.Len() > 0 {
		t.Errorf("still failing: %d, logged again: %s", w.Code, log)
	}

	fail(nil)
	if w := get(e, "/readyz"); w.Code != 503 {
		t.Errorf("a result is kept for a second, but got %d", w.Code)
	}
	clock.move(time.Second)
	if w := get(e, "/readyz"); w.Code != 200 {
		t.Errorf("works again, but got %d", w.Code)
	}
	if lines := logLines(t, log); len(lines) != 1 || lines[0]["msg"] != "ready again" {
		t.Errorf("log %v", lines)
	}
}

func TestReadinessChecksAreSharedByProbes(t *testing.T) {
	var runs atomic.Int64
	clock := newClock()
	e, _, _ := newHealth(clock, app.ReadinessCheck{Name: "store", Check: func(context.Context) error { runs.Add(1); return nil }})
	for range 100 {
		get(e, "/readyz")
	}
	clock.move(time.Second)
	get(e, "/readyz")
	if runs.Load() != 2 {
		t.Errorf("101 probes within a second and a bit ran the check %d times", runs.Load())
	}
}

func TestReadinessCheckThatMisbehaves(t *testing.T) {
	e, _, log := newHealth(newClock(), app.ReadinessCheck{Name: "panics", Check: func(context.Context) error { panic("no") }})
	if w := get(e, "/readyz"); w.Code != 503 || !strings.Contains(log.String(), "check panicked: no") {
		t.Errorf("got %d, log %s", w.Code, log)
	}

	e, _, log = newHealth(newClock(), app.ReadinessCheck{Name: "waits", Check: func(ctx context.Context) error {
		if _, bounded := ctx.Deadline(); !bounded {
			return errors.New("no deadline")
		}
		return ctx.Err()
	}})
	ctx, cancel := context.WithCancel(t.Context())
	cancel() // one client that goes away must not turn the result red for all
	w := request(e, httptest.NewRequestWithContext(ctx, http.MethodGet, "/readyz", nil))
	if w.Code != 200 {
		t.Errorf("got %d, log %s", w.Code, log)
	}
}

func TestReadyWhileShuttingDown(t *testing.T) {
	e, health, _ := newHealth(newClock(), app.ReadinessCheck{Name: "store", Check: passing})
	health.StartShutdown()
	w := get(e, "/readyz")
	if problem := problemIn(t, w.Header(), w.Body.String()); w.Code != 503 || problem.Code != "shutting_down" {
		t.Errorf("got %d %s", w.Code, w.Body)
	}
	if w := get(e, "/healthz"); w.Code != 200 {
		t.Errorf("healthz: %d", w.Code)
	}
}
