package password

import (
	"context"
	"errors"
	"runtime"
)

// ErrBusy is returned if too many password checks wait already.
var ErrBusy = errors.New("too many passwords are checked at once")

const maxWaiting = 16

// Gate limits how many password hashes run at once (half the number of cores) and how many wait (16), because each may use much
// memory.
type Gate struct {
	running, waiting chan struct{}
}

// NewGate returns a gate.
func NewGate() Gate {
	running := max(1, runtime.GOMAXPROCS(0)/2) // half the number of cores, because one hash may use several
	return Gate{running: make(chan struct{}, running), waiting: make(chan struct{}, running+maxWaiting)}
}

// Enter waits until a hash may run; the caller must call leave after it. The error is ErrBusy, or that of ctx if it ends.
func (g Gate) Enter(ctx context.Context) (leave func(), err error) {
	select {
	case g.waiting <- struct{}{}:
	default:
		return nil, ErrBusy
	}
	select {
	case g.running <- struct{}{}:
		return func() { <-g.running; <-g.waiting }, nil
	case <-ctx.Done():
		<-g.waiting
		return nil, ctx.Err()
	}
}
