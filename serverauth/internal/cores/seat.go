package cores

import (
	"cmp"
	"context"
)

// Seats limits the number of requests that are processed at once: the capacity of the channel.
type Seats chan struct{}

// seat is the seat of one request, which leaves it while it waits for another server.
type seat struct {
	seats Seats
	full  error
	held  bool
}

type seatInContext struct{}

// Enter takes a seat for the request that ctx belongs to, or returns the error full at once if there is none. The caller must call
// leave unless there is an error.
func (s Seats) Enter(ctx context.Context, full error) (seated context.Context, leave func(), err error) {
	own := &seat{seats: s, full: full}
	if err := own.take(); err != nil {
		return ctx, nil, err
	}
	return context.WithValue(ctx, seatInContext{}, own), own.leave, nil
}

// Outside leaves the seat of the request, runs wait, which waits for another server, and takes a seat again. It returns the error
// of wait, or that of Enter if there is no seat then.
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
