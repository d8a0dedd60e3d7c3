package app

import (
	"context"
	"fmt"
	"log/slog"
	"maps"
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

	// readinessTimeout is the time-out of all checks of one probe together.
	readinessTimeout = 2 * time.Second
	// readinessLife is how long a result is cached, because probes are anonymous and must not be able to overload what the checks use.
	readinessLife = time.Second
)

// ReadinessCheck is a condition for GET /readyz to succeed. Modules add theirs to the fx value group "readiness".
type ReadinessCheck struct {
	// Name is its name in the log.
	Name string
	// Check returns nil on success. Its context ends after two seconds; Check must return then.
	Check func(ctx context.Context) error
}

// PublicRoutes are the routes of the app itself, which need no token. clientauth lets them pass without one.
type PublicRoutes []*echo.Route

// health answers /healthz (200: the process runs) and /readyz (200: it should get requests; else 503).
type health struct {
	checks   []ReadinessCheck
	logger   *slog.Logger
	clock    Clock
	stopping atomic.Bool

	mutex   sync.Mutex // held while the checks run: one probe at a time
	checked time.Time
	failed  string // names of the checks that failed, sorted; "" if none did
}

// newHealth returns a health over checks; clock may be nil.
func newHealth(checks []ReadinessCheck, logger *slog.Logger, clock Clock) *health {
	return &health{checks: checks, logger: logger, clock: clock}
}

// register adds the two routes to e.
func (h *health) register(e *echo.Echo) PublicRoutes {
	return PublicRoutes{
		e.GET(healthPath, func(c echo.Context) error { return writeStatus(c, "ok") }),
		e.GET(readyPath, h.ready),
	}
}

// startShutdown makes /readyz fail from now on.
func (h *health) startShutdown() { h.stopping.Store(true) }

// isProbe reports whether a route is for monitoring, which requests it at short intervals.
func isProbe(route string) bool {
	return route == healthPath || route == readyPath || route == metricsPath
}

func (h *health) ready(c echo.Context) error {
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

// passes runs the checks, or returns their last result if it is recent. It logs failures when they change, not at each probe.
func (h *health) passes(ctx context.Context) bool {
	h.mutex.Lock()
	defer h.mutex.Unlock()
	if !h.checked.IsZero() && h.clock.Now().Sub(h.checked) < readinessLife {
		return h.failed == ""
	}
	// The result is cached for all clients, so the end of this client's request must not cancel the checks.
	failures := h.run(context.WithoutCancel(ctx))
	names := slices.Sorted(maps.Keys(failures))
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
func (h *health) run(ctx context.Context) map[string]error {
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
