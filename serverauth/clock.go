package serverauth

import (
	"time"

	"github.com/picoauth/picoauth/app"
)

// clockOr returns the first clock that is there, or the real one.
func clockOr(clocks ...app.Clock) app.Clock {
	for _, clock := range clocks {
		if clock != nil {
			return clock
		}
	}
	return time.Now
}
