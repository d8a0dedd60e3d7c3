package main

import (
	"context"
	"fmt"
	"io"
	"slices"
	"sync"
	"time"
)

const (
	// turn is how long one server is loaded before the other is: what else the machine does then hits both.
	turn     = time.Second
	showEach = 200 * time.Millisecond
)

// load puts the targets under load in turn, until each has had its time.
func load(ctx context.Context, cfg config, targets []*target, progress io.Writer) error {
	defer fmt.Fprintln(progress)
	for left := cfg.duration; left > 0 && ctx.Err() == nil; left -= turn {
		for _, t := range targets {
			t.turn(ctx, min(left, turn), func() { show(progress, targets, cfg.duration-left) })
		}
	}
	for _, t := range targets {
		if t.served() == 0 {
			return fmt.Errorf("%s: no operation succeeded: %s", t.name, t.failure())
		}
	}
	return nil
}

// turn loads one target for a while.
func (t *target) turn(ctx context.Context, length time.Duration, show func()) {
	within, cancel := context.WithTimeout(ctx, length)
	defer cancel()
	before, start := t.served(), time.Now()
	var connections sync.WaitGroup
	for _, operation := range t.operations {
		connections.Go(func() {
			for within.Err() == nil {
				t.do(ctx, operation)
			}
		})
	}
	ticker := time.NewTicker(showEach)
	defer ticker.Stop()
	for within.Err() == nil {
		select {
		case <-ticker.C:
			show()
		case <-within.Done():
		}
	}
	connections.Wait() // the last operations end after the time, and count
	t.turns = append(t.turns, float64(t.served()-before)/time.Since(start).Seconds())
}

// rate is the throughput in operations a second: the median of the turns.
func (t *target) rate() float64 {
	if len(t.turns) == 0 {
		return 0
	}
	sorted := slices.Sorted(slices.Values(t.turns))
	return sorted[len(sorted)/2]
}
