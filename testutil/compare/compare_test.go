package compare_test

import (
	"bytes"
	"crypto/sha256"
	"flag"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/picoauth/picoauth/testutil/compare"
)

var sink [][]byte

// work takes a time in proportion to n, and allocates n times.
func work(n int) func() {
	text := make([]byte, 2000)
	return func() {
		sink = sink[:0]
		for range n {
			sum := sha256.Sum256(text)
			sink = append(sink, bytes.Clone(sum[:]))
		}
	}
}

func TestRunReportsRatios(t *testing.T) {
	require.NoError(t, flag.Set("test.benchtime", "200x"))
	ready := 0
	ours := compare.Way{
		Prepare: func(n int) { ready = n },
		Do: func() {
			ready--
			work(3)()
		},
	}
	result := testing.Benchmark(func(b *testing.B) {
		compare.Run(b, ours, compare.Way{Name: "floor", Do: work(1)}, compare.Way{Name: "peer", Do: work(6)})
	})
	assert.Zero(t, ready, "what was prepared was used up")
	assert.InDelta(t, result.Extra["ns/op"]/result.Extra["floor-ns"], result.Extra["x_floor"], 0.01)
	assert.InDelta(t, result.Extra["ns/op"]/result.Extra["peer-ns"], result.Extra["x_peer"], 0.01)
	assert.EqualValues(t, 3, result.Extra["allocs"])
	assert.EqualValues(t, 1, result.Extra["floor-allocs"])
	assert.Positive(t, result.Extra["floor-ns"])
	assert.InDelta(t, result.Extra["ns/op"]-result.Extra["floor-ns"], result.Extra["ns_over_floor"], 1)
}
