package storetest

import (
	"context"
	"errors"
	"fmt"
	"os"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/picoauth/picoauth/testutil"
)

// env is what a test works with.
type env[Store any] struct {
	*testing.T
	Storage[Store]
	clock *testutil.Clock
}

// open returns a handle.
func (e env[Store]) open() Store {
	e.Helper()
	return e.Open(e.T)
}

// two returns two handles.
func (e env[Store]) two() [2]Store {
	e.Helper()
	return [2]Store{e.open(), e.open()}
}

// crash crashes the storage, if it can, and returns a new handle.
func (e env[Store]) crash() Store {
	e.Helper()
	if e.Crash != nil {
		e.Crash(e.T)
	}
	return e.open()
}

// ok fails the test for an error.
func (e env[Store]) ok(err error) {
	e.Helper()
	if err != nil {
		e.Fatal(err)
	}
}

// ms is the clock's time in Unix milliseconds, seconds in Unix seconds.
func (e env[Store]) ms() int64      { return e.clock.Now().UnixMilli() }
func (e env[Store]) seconds() int64 { return e.clock.Now().Unix() }

// newClock returns a clock that stands still at the machine's time, in whole seconds.
func newClock() *testutil.Clock { return testutil.NewClock(time.Now().Truncate(time.Second)) }

func long() bool { return os.Getenv("PICOAUTH_LONG") == "1" }

// racers is how many calls race.
const racers = 100

// huge is the length of the longest text that a client can send.
const huge = 64 << 10

// race makes n calls at once and returns after the last.
func race(n int, call func(i int)) {
	var all sync.WaitGroup
	start := make(chan struct{})
	for i := range n {
		all.Go(func() {
			<-start
			call(i)
		})
	}
	close(start)
	all.Wait()
}

// tally counts what racing calls found.
type tally[K comparable] struct {
	mu    sync.Mutex
	count map[K]int
}

func (c *tally[K]) add(key K) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.count == nil {
		c.count = make(map[K]int)
	}
	c.count[key]++
}

// must fails unless key was found n times.
func (c *tally[K]) must(t testing.TB, key K, n int) {
	t.Helper()
	if c.count[key] != n {
		t.Errorf("%v came %d times instead of %d, of %v", key, c.count[key], n, c.count)
	}
}

func numbered(prefix string, n int) string { return fmt.Sprintf("%s-%d", prefix, n) }

var background = context.Background()

// many is how many rows a test makes that is about many: a million where there is time.
func many(short int) int {
	if long() {
		return 1_000_000
	}
	return short
}

// forEach makes n calls, some at a time.
func forEach(n int, call func(i int)) {
	const workers = 32
	var next atomic.Int64
	race(workers, func(int) {
		for i := int(next.Add(1)) - 1; i < n; i = int(next.Add(1)) - 1 {
			call(i)
		}
	})
}

// ended is a context that has ended.
func ended() context.Context {
	ctx, cancel := context.WithCancel(background)
	cancel()
	return ctx
}

// refusedWhole fails for an error of an ended context that does not say so.
func refusedWhole(t testing.TB, err error) {
	t.Helper()
	if err != nil && !errors.Is(err, context.Canceled) {
		t.Errorf("the error of an ended context is %v", err)
	}
}
