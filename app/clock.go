package app

import "time"

// Clock tells the time. It is an optional dependency everywhere: a nil Clock
// reads the system's, and a test supplies one that it can move.
//
// No module provides a Clock, so that two modules never provide it twice.
type Clock func() time.Time

// Now returns the clock's time, or the system's for a nil Clock.
func (c Clock) Now() time.Time {
	if c == nil {
		return time.Now()
	}
	return c()
}
