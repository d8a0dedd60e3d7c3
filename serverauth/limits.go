package serverauth

import (
	"context"
	"errors"
	"log/slog"
	"net/http"
	"time"

	"github.com/labstack/echo/v4"

	"github.com/picoauth/picoauth/app"
	"github.com/picoauth/picoauth/app/loglimit"
	"github.com/picoauth/picoauth/app/problem"
	"github.com/picoauth/picoauth/serverauth/internal/cores"
	"github.com/picoauth/picoauth/serverauth/internal/events"
	"github.com/picoauth/picoauth/serverauth/internal/password"
	"github.com/picoauth/picoauth/serverauth/internal/ratelimit"
	"github.com/picoauth/picoauth/serverauth/token"
)

// limits applies the rate limit to requests.
type limits struct {
	limiter *ratelimit.Limiter
	metrics *Instruments
	log     *slog.Logger
	events  loglimit.Limit
}

// within runs a flow unless the limit of its key is used up. A request that was refused because the server is overloaded does
// not count.
func (l *limits) within(c echo.Context, key ratelimit.Key, flow func() error) error {
	if retryAfter, ok := l.limiter.Allow(key); !ok {
		return l.refuse(c, key.Endpoint, retryAfter)
	}
	c.SetRequest(c.Request().WithContext(token.WithClient(c.Request().Context(), app.ClientIP(c))))
	err := flow()
	if errors.Is(err, errOverloaded) || errors.Is(err, password.ErrBusy) {
		l.limiter.GiveBack(key)
	}
	return err
}

// refuse counts and logs a request above the limit, and returns the problem to reply with.
func (l *limits) refuse(c echo.Context, endpoint string, retryAfter time.Duration) error {
	problem := tooManyRequests(retryAfter)
	l.metrics.limited(endpoint)
	if leftOut, ok := l.events.Allow(l.limiter.Now()); ok {
		attributes := []any{"endpoint", endpoint}
		if leftOut > 0 {
			attributes = append(attributes, "left_out", leftOut)
		}
		refusalEvent(c, l.log, events.RateLimited, problem, attributes...)
	}
	return problem
}

// anonymous limits a flow by the client's address.
func (l *limits) anonymous(endpoint string, flow echo.HandlerFunc) echo.HandlerFunc {
	return func(c echo.Context) error {
		return l.within(c, clientKey(c, endpoint), func() error { return flow(c) })
	}
}

// clientKey counts requests per client address (IPv6: per /64). All clients without a valid address share one limit.
func clientKey(c echo.Context, endpoint string) ratelimit.Key {
	return ratelimit.Key{Client: ratelimit.Network(app.ClientIP(c)), Endpoint: endpoint}
}

// sessionKey counts requests per session, whatever the client address.
func sessionKey(sid, endpoint string) ratelimit.Key {
	return ratelimit.Key{Holder: sid, Endpoint: endpoint}
}

// seatsPerCore is the number of CPU-intensive requests that may be in progress at once, per core. With RS256, at about a
// millisecond each, the last of them waits about 125 ms.
const seatsPerCore = 128

// admission limits CPU-intensive work: verifying wallet signatures and signing tokens. At most seatsPerCore requests per core
// are in progress; as many of these as there are cores compute, the others wait for a core or for a store. A request above
// this limit is refused at once, and its nonce or refresh token stays valid.
type admission struct {
	seats   cores.Seats
	cores   cores.Cores
	metrics *Instruments
}

func newAdmission(c cores.Cores, metrics *Instruments) *admission {
	return &admission{seats: make(cores.Seats, seatsPerCore*cap(c)), cores: c, metrics: metrics}
}

// enter takes one of the seats, or returns errOverloaded. The caller must call leave, which frees it.
func (a *admission) enter(ctx context.Context) (seated context.Context, leave func(), err error) {
	return a.seats.Enter(ctx, errOverloaded)
}

// costly refuses requests while no seat is free, before it reads their body. The flow itself takes a seat after it has read
// the body, so that a slow client does not occupy one.
func (a *admission) costly(endpoint string, flow echo.HandlerFunc) echo.HandlerFunc {
	return func(c echo.Context) error {
		if len(a.seats) == cap(a.seats) {
			a.metrics.overloaded(endpoint)
			overloadedReply.Write(c.Response())
			return nil
		}
		err := flow(c)
		if errors.Is(err, errOverloaded) {
			a.metrics.overloaded(endpoint)
		}
		return err
	}
}

var (
	errOverloaded   = overloaded()
	overloadedReply = problem.Encode(errOverloaded)
)

func overloaded() *app.Problem {
	p := app.NewProblem(http.StatusServiceUnavailable, "overloaded", "too many requests at once, try again")
	p.Header = http.Header{"Retry-After": {"1"}}
	return p
}
