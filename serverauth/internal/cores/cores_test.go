package cores

import (
	"context"
	"runtime"
	"sync"
	"sync/atomic"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

func TestAsManyComputeAsThereAreCores(t *testing.T) {
	c := New()
	var running, most atomic.Int64
	var all sync.WaitGroup
	for range 20 * cap(c) {
		all.Go(func() {
			assert.NoError(t, c.Compute(t.Context(), func() {
				now := running.Add(1)
				for seen := most.Load(); seen < now && !most.CompareAndSwap(seen, now); seen = most.Load() {
				}
				runtime.Gosched()
				running.Add(-1)
			}))
		})
	}
	all.Wait()
	assert.LessOrEqual(t, most.Load(), int64(runtime.GOMAXPROCS(0)))
	assert.Empty(t, c, "all cores are free again")
}

func TestWhoWaitsForACoreLeavesWithTheContext(t *testing.T) {
	c := make(Cores, 1)
	c <- struct{}{}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	err := c.Compute(ctx, func() { t.Error("it ran") })
	require.ErrorIs(t, err, context.Canceled)

	<-c
	assert.Panics(t, func() { _ = c.Compute(t.Context(), func() { panic("a scheme's fault") }) })
	assert.Empty(t, c, "a panic holds no core")
}
