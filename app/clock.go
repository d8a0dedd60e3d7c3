package app

import "time"

// Clock returns the current time. It is an optional dependency: a nil Clock is the system's clock. Tests supply one that they
// control.
//
// No module provides a Clock, so that two modules cannot both provide it.
type Clock func() time.Time

// Now returns the clock's time, or the system's for a nil Clock.
func (c Clock) Now() time.Time {
	if c == nil {
		return time.Now()
	}
	return c()
}

// ClockOr returns the first clock that is not nil, or the system's clock. It is for constructors with an optional clock.
func ClockOr(clocks ...Clock) Clock {
	for _, clock := range clocks {
		if clock != nil {
			return clock
		}
	}
	return time.Now
}
