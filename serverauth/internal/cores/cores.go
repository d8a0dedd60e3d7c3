// Package cores limits concurrent requests and expensive computations to what the cores of the machine can do.
package cores

import (
	"context"
	"runtime"
)

// Cores lets as many goroutines compute at once as there are cores, in the order in which they came.
type Cores chan struct{}

// New returns Cores for GOMAXPROCS goroutines.
func New() Cores { return make(Cores, runtime.GOMAXPROCS(0)) }

// Compute waits for a core and runs work. It returns the context's error if ctx ends while it waits; work has not run then.
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
