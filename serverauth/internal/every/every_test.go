package every_test

import (
	"context"
	"testing"
	"testing/synctest"
	"time"

	"github.com/picoauth/picoauth/serverauth/internal/every"
)

func TestIntervalWorksOncePerIntervalUntilTheContextEnds(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		ctx, cancel := context.WithTimeout(t.Context(), 35*time.Second)
		defer cancel()
		began, calls := time.Now(), []time.Duration{}
		every.Interval(ctx, 10*time.Second, func() { calls = append(calls, time.Since(began)) })
		if len(calls) != 3 || calls[0] != 10*time.Second || calls[2] != 30*time.Second {
			t.Errorf("called after %v, want 10 s, 20 s and 30 s", calls)
		}
		if took := time.Since(began); took != 35*time.Second {
			t.Errorf("returned after %v, want 35 s", took)
		}
	})
}
