package compare

import (
	"runtime"
	"slices"
	"testing"
	"time"
)

// Way is one way of doing the thing.
type Way struct {
	// Name is what the metrics call it: "floor", "peer" or a name of its own.
	Name string
	// Do does it once.
	Do func()
	// Prepare, if any, gets ready what the next n calls of Do use up. Its time does not count.
	Prepare func(n int)
}

const (
	// turn is about how long one way runs before the next one does: short, so that a disturbance of the machine is in
	// few turns, and long against the clock's own cost.
	turn = 200 * time.Microsecond
	// mostCalls bounds the calls of a turn.
	mostCalls = 1000
	// allocationCalls is over how many calls allocations are counted.
	allocationCalls = 50
)

// Run does ours and the others in turn, round after round for as long as the benchmark runs, and reports the time of one
// call of each: that of a quiet machine, which is the first decile of its turns. The metrics are ns/op and allocs of ours,
// and for each other, called floor here, floor-ns and floor-allocs, the difference ns_over_floor and the ratio x_floor. A
// good turn has little garbage collection in it, which is why allocations are counted beside the times.
func Run(b *testing.B, ours Way, others ...Way) {
	b.Helper()
	sides := make([]*side, 0, 1+len(others))
	for _, way := range append([]Way{ours}, others...) {
		sides = append(sides, newSide(way))
	}
	first := 0
	for b.Loop() {
		for i := range sides {
			sides[(first+i)%len(sides)].round()
		}
		first++ // who runs after whom must not matter
	}
	report(b, sides)
}

// side is a way and what its turns took.
type side struct {
	Way
	calls int // of a turn
	took  []time.Duration
}

func newSide(way Way) *side {
	if way.Prepare == nil {
		way.Prepare = func(int) {}
	}
	s := &side{Way: way, calls: 1}
	s.round()
	s.round()
	once := max(slices.Min(s.took), 1)
	s.calls, s.took = int(min(max(turn/once, 1), mostCalls)), nil
	return s
}

func (s *side) round() {
	s.Prepare(1 + s.calls)
	s.Do() // with what Prepare and the others have left in the caches
	start := time.Now()
	for range s.calls {
		s.Do()
	}
	s.took = append(s.took, time.Since(start))
}

// quiet is the time of one call in nanoseconds, on a machine that is not disturbed.
func (s *side) quiet() float64 {
	slices.Sort(s.took)
	return float64(s.took[len(s.took)/10].Nanoseconds()) / float64(s.calls)
}

// allocations of one call.
func (s *side) allocations() float64 {
	defer runtime.GOMAXPROCS(runtime.GOMAXPROCS(1)) // as testing.AllocsPerRun, but with Prepare outside the count
	s.Prepare(allocationCalls)
	var before, after runtime.MemStats
	runtime.ReadMemStats(&before)
	for range allocationCalls {
		s.Do()
	}
	runtime.ReadMemStats(&after)
	return float64((after.Mallocs - before.Mallocs) / allocationCalls)
}

func report(b *testing.B, sides []*side) {
	ours := sides[0].quiet()
	b.ReportMetric(ours, "ns/op")
	b.ReportMetric(sides[0].allocations(), "allocs")
	for _, other := range sides[1:] {
		theirs := other.quiet()
		b.ReportMetric(theirs, other.Name+"-ns")
		b.ReportMetric(other.allocations(), other.Name+"-allocs")
		b.ReportMetric(ours-theirs, "ns_over_"+other.Name)
		b.ReportMetric(ours/theirs, "x_"+other.Name)
	}
}
