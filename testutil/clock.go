package testutil

import (
	"sync"
	"time"

	"go.uber.org/fx"

	"github.com/picoauth/picoauth/app"
)

// Clock is a clock that stands still until it is told to move. It is safe for concurrent use.
type Clock struct {
	mu  sync.Mutex
	now time.Time
}

// NewClock returns a clock that shows start.
func NewClock(start time.Time) *Clock { return &Clock{now: start} }

// Now returns what the clock shows. It is an app.Clock.
func (c *Clock) Now() time.Time {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.now
}

// Advance moves the clock by d, which may be negative.
func (c *Clock) Advance(d time.Duration) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.now = c.now.Add(d)
}

// WithClock makes the clock the one that serverauth and clientauth go by.
func WithClock(c *Clock) fx.Option { return fx.Supply(app.Clock(c.Now)) }
