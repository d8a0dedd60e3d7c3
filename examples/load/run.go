package main

import (
	"context"
	"fmt"
	"io"
	"slices"
	"sync"
	"time"
)

// turn is how long one server is loaded before the other is: short, so that what else the machine does hits both.
const turn = 250 * time.Millisecond

// load puts the targets under load in turn, until each has had its time.
func load(ctx context.Context, cfg config, targets []*target, progress io.Writer) error {
	defer fmt.Fprintln(progress)
	for left := cfg.duration; left > 0 && ctx.Err() == nil; left -= turn {
		for _, t := range targets {
			t.turn(ctx, min(left, turn))
			show(progress, targets, cfg.duration-left)
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
func (t *target) turn(ctx context.Context, length time.Duration) {
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
	connections.Wait() // the last operations end after the time, and count
	t.turns = append(t.turns, float64(t.served()-before)/time.Since(start).Seconds())
}

// rate is the throughput in operations a second: the median of the turns.
func (t *target) rate() float64 { return median(t.turns) }

// ratio is the median of the ratios to another target's turns, each to the one beside it.
func (t *target) ratio(other *target) float64 {
	var ratios []float64
	for i, rate := range t.turns[:min(len(t.turns), len(other.turns))] {
		if other.turns[i] > 0 {
			ratios = append(ratios, rate/other.turns[i])
		}
	}
	return median(ratios)
}

func median(values []float64) float64 {
	if len(values) == 0 {
		return 0
	}
	return slices.Sorted(slices.Values(values))[len(values)/2]
}
