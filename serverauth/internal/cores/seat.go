package cores

import (
	"cmp"
	"context"
)

// Seats are the places of requests that are under way.
type Seats chan struct{}

// seat is one of them. A request leaves it while it waits for another server.
type seat struct {
	seats Seats
	full  error
	held  bool
}

type seatInContext struct{}

// Enter takes a seat for the request that ctx belongs to, or returns full. leave must be called.
func (s Seats) Enter(ctx context.Context, full error) (seated context.Context, leave func(), err error) {
	own := &seat{seats: s, full: full}
	if err := own.take(); err != nil {
		return ctx, nil, err
	}
	return context.WithValue(ctx, seatInContext{}, own), own.leave, nil
}

// Outside runs what waits for another server without the seat of the request, and takes one again. Its error is that of
// wait, or that there was no seat then.
func Outside(ctx context.Context, wait func() error) error {
	own, _ := ctx.Value(seatInContext{}).(*seat)
	if own == nil || !own.held {
		return wait()
	}
	own.leave()
	err := wait()
	return cmp.Or(err, own.take())
}

func (s *seat) take() error {
	select {
	case s.seats <- struct{}{}:
		s.held = true
		return nil
	default:
		return s.full
	}
}

func (s *seat) leave() {
	if s.held {
		s.held = false
		<-s.seats
	}
}
