// Package cores shares the machine's cores among what computes for long.
package cores

import (
	"context"
	"runtime"
)

// Cores lets as many goroutines compute at once as there are cores, first come, first served.
type Cores chan struct{}

// New returns as many as there are.
func New() Cores { return make(Cores, runtime.GOMAXPROCS(0)) }

// Compute runs work on a core. Its error is that of a context that ended before there was one.
func (c Cores) Compute(ctx context.Context, work func()) error {
	select {
	case c <- struct{}{}:
	case <-ctx.Done():
		return ctx.Err()
	}
	defer func() { <-c }()
	runtime.Gosched()
	work()
	return nil
}
