package app_test

import (
	"sync"
	"sync/atomic"
	"testing"

	"github.com/picoauth/picoauth/app"
)

func TestMemoMakesOnce(t *testing.T) {
	var memo app.Memo[int, *int]
	var made atomic.Int32
	double := func(n int) *int { made.Add(1); n *= 2; return &n }
	first := memo.Get(1, double)
	var callers sync.WaitGroup
	for range 8 {
		callers.Go(func() {
			for n := range 20 {
				if got := memo.Get(n, double); *got != 2*n {
					t.Errorf("for %d: %d", n, *got)
				}
			}
		})
	}
	callers.Wait()
	if made.Load() != 20 || memo.Get(1, double) != first {
		t.Errorf("%d values were made for 20 keys", made.Load())
	}
}
