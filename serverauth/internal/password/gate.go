package password

import (
	"context"
	"errors"
	"runtime"
)

// ErrBusy is returned when too many password hashes wait already.
var ErrBusy = errors.New("too many passwords are checked at once")

const maxWaiting = 16

// maxHashes is how many run at once: on half of the cores, for one hash may take several.
func maxHashes() int { return max(1, runtime.GOMAXPROCS(0)/2) }

// Gate lets few password hashes run at once and few more wait, since each may take much memory.
type Gate struct {
	running, waiting chan struct{}
}

// NewGate returns a gate that nobody is in.
func NewGate() Gate {
	running := maxHashes()
	return Gate{running: make(chan struct{}, running), waiting: make(chan struct{}, running+maxWaiting)}
}

// Enter waits for a place and returns the function that gives it back.
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
