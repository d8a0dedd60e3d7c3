package tokentest

import (
	"sync/atomic"
	"testing"
	"time"
)

// Epoch is the time at which a Clock begins.
var Epoch = time.Date(2026, 5, 17, 12, 0, 0, 0, time.UTC)

// Clock is a clock with a precision of seconds that stands still until it is moved. It is safe for concurrent use.
type Clock struct{ seconds atomic.Int64 }

// NewClock returns a clock at the Epoch.
func NewClock() *Clock {
	c := &Clock{}
	c.seconds.Store(Epoch.Unix())
	return c
}

// Now returns the time of the clock.
func (c *Clock) Now() time.Time { return time.Unix(c.seconds.Load(), 0) }

// Move moves the clock by whole seconds, which may be negative.
func (c *Clock) Move(by time.Duration) { c.seconds.Add(int64(by / time.Second)) }

// Unix returns the time in Unix seconds.
func (c *Clock) Unix() int64 { return c.seconds.Load() }

// In returns a later time in Unix seconds.
func (c *Clock) In(d time.Duration) int64 { return c.Unix() + int64(d/time.Second) }

// Eventually waits until reached returns true. It fails the test after a minute.
func Eventually(tb testing.TB, what string, reached func() bool) {
	tb.Helper()
	deadline := time.Now().Add(time.Minute)
	for !reached() {
		if time.Now().After(deadline) {
			tb.Fatalf("never: %s", what)
		}
		time.Sleep(time.Millisecond)
	}
}
