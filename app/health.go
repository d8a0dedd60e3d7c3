package app

import (
	"context"
	"fmt"
	"log/slog"
	"net/http"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/labstack/echo/v4"
)

const (
	healthPath = "/healthz"
	readyPath  = "/readyz"

	// readinessTimeout bounds all checks of one probe together.
	readinessTimeout = 2 * time.Second
	// readinessLife is how long a result is kept: anybody may ask, and must not
	// be able to load what the checks ask in turn.
	readinessLife = time.Second
)

// ReadinessCheck is one thing that must work for /readyz to succeed. Modules add
// theirs to the fx value group "readiness".
type ReadinessCheck struct {
	// Name is what the log calls it.
	Name string
	// Check returns nil if all is well. Its context ends after two seconds, and
	// it must end with it.
	Check func(ctx context.Context) error
}

// PublicRoutes are the routes that the app itself registers for everybody.
// Whatever guards all other routes leaves these open, by these very values.
type PublicRoutes []*echo.Route

// Health answers /healthz (the process runs) and /readyz (it should get
// requests: all checks pass and it is not shutting down).
type Health struct {
	checks   []ReadinessCheck
	logger   *slog.Logger
	clock    Clock
	stopping atomic.Bool

	mutex   sync.Mutex // held while the checks run: one probe at a time
	checked time.Time
	failed  string // names of the checks that failed, sorted; "" if none did
}

// NewHealth returns a Health over checks; clock may be nil.
func NewHealth(checks []ReadinessCheck, logger *slog.Logger, clock Clock) *Health {
	return &Health{checks: checks, logger: logger, clock: clock}
}

// Register adds the two routes to e.
func (h *Health) Register(e *echo.Echo) PublicRoutes {
	return PublicRoutes{
		e.GET(healthPath, func(c echo.Context) error { return writeStatus(c, "ok") }),
		e.GET(readyPath, h.ready),
	}
}

// StartShutdown makes /readyz fail from now on.
func (h *Health) StartShutdown() { h.stopping.Store(true) }

// isProbe tells the routes that a machine asks for again and again.
func isProbe(route string) bool {
	return route == healthPath || route == readyPath || route == metricsPath
}

func (h *Health) ready(c echo.Context) error {
	var problem *Problem
	switch {
	case h.stopping.Load():
		problem = NewProblem(http.StatusServiceUnavailable, "shutting_down", "shutting down")
	case !h.passes(c.Request().Context()):
		problem = NewProblem(http.StatusServiceUnavailable, "not_ready", "not ready")
	default:
		return writeStatus(c, "ready")
	}
	problem.Header = http.Header{"Retry-After": {"1"}}
	WriteProblem(c.Response(), c.Request(), problem)
	return nil
}

func writeStatus(c echo.Context, status string) error {
	c.Response().Header().Set(echo.HeaderCacheControl, "no-store")
	return WriteJSON(c.Response(), http.StatusOK, map[string]string{"status": status})
}

// passes runs the checks, or returns their last result if it is fresh. It logs
// what failed when that changes, not with each probe.
func (h *Health) passes(ctx context.Context) bool {
	h.mutex.Lock()
	defer h.mutex.Unlock()
	if !h.checked.IsZero() && h.clock.Now().Sub(h.checked) < readinessLife {
		return h.failed == ""
	}
	// The result is for every client, so it must not end with this one's request.
	failures := h.run(context.WithoutCancel(ctx))
	names := make([]string, 0, len(failures))
	for name := range failures {
		names = append(names, name)
	}
	slices.Sort(names)
	if failed := strings.Join(names, ", "); failed != h.failed {
		for _, name := range names {
			h.logger.WarnContext(ctx, "not ready", "check", name, "error", failures[name])
		}
		if failed == "" {
			h.logger.InfoContext(ctx, "ready again")
		}
		h.failed = failed
	}
	h.checked = h.clock.Now() // the checks may have taken longer than their result lives
	return h.failed == ""
}

// run returns the error of each check that failed or did not end in time.
func (h *Health) run(ctx context.Context) map[string]error {
	ctx, cancel := context.WithTimeout(ctx, readinessTimeout)
	defer cancel()
	results := make([]chan error, len(h.checks))
	for i, check := range h.checks {
		results[i] = make(chan error, 1)
		go func() { results[i] <- runCheck(ctx, check) }()
	}
	failures := make(map[string]error)
	for i, check := range h.checks {
		var err error
		select {
		case err = <-results[i]:
		case <-ctx.Done():
			err = ctx.Err()
		}
		if err != nil {
			failures[check.Name] = err
		}
	}
	return failures
}

func runCheck(ctx context.Context, check ReadinessCheck) (err error) {
	defer func() {
		if cause := recover(); cause != nil {
			err = fmt.Errorf("check panicked: %v", cause)
		}
	}()
	return check.Check(ctx)
}
