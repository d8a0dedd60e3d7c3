package loglimit_test

import (
	"testing"
	"time"

	"github.com/picoauth/picoauth/app/loglimit"
)

func TestLogLimit(t *testing.T) {
	var limit loglimit.Limit
	now := time.Unix(1_800_000_000, 0)
	logged := 0
	for range 25 {
		if leftOut, ok := limit.Allow(now); ok {
			logged++
			if leftOut != 0 {
				t.Errorf("%d left out before any was", leftOut)
			}
		}
	}
	if logged != 10 {
		t.Errorf("%d records in one second, want 10", logged)
	}
	if leftOut, ok := limit.Allow(now.Add(time.Second)); !ok || leftOut != 15 {
		t.Errorf("the next second: %v, %d left out, want true and 15", ok, leftOut)
	}
	if leftOut, ok := limit.Allow(now.Add(time.Second)); !ok || leftOut != 0 {
		t.Errorf("what was left out is told once: %v, %d", ok, leftOut)
	}
}

func TestCausesDoNotLimitEachOther(t *testing.T) {
	var limits loglimit.Limits
	now := time.Unix(1_800_000_000, 0)
	for range 11 {
		limits.Allow("one", now)
	}
	if _, ok := limits.Allow("one", now); ok {
		t.Error("an eleventh record of one cause")
	}
	if leftOut, ok := limits.Allow("another", now); !ok || leftOut != 0 {
		t.Errorf("another cause: %v, %d", ok, leftOut)
	}
}
