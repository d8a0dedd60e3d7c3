package loglimit_test

import (
	"fmt"
	"time"

	"github.com/picoauth/picoauth/app/loglimit"
)

// A flood of one cause makes ten records a second, and the next one says how many there would have been.
func ExampleLimit() {
	var limit loglimit.Limit
	now := time.Unix(1_800_000_000, 0)
	for range 1000 {
		limit.Allow(now)
	}
	leftOut, ok := limit.Allow(now.Add(time.Second))
	fmt.Println(ok, leftOut)
	// Output: true 990
}
