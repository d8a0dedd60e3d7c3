package serverauth

import (
	"context"
	"errors"
	"net/http"

	"github.com/labstack/echo/v4"

	"github.com/picoauth/picoauth/app"
	"github.com/picoauth/picoauth/app/problem"
	"github.com/picoauth/picoauth/serverauth/internal/cores"
)

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
