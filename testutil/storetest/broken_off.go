package storetest

import (
	"context"
	"testing"
	"time"
)

// operation is a call that may be broken off at any moment: its context ends, or its way to the storage does.
type operation[Store any] struct {
	name string
	// prepare sets a case of its own up, the n-th, and returns the call, and what must hold after it in the eyes of
	// another handle. The call's error may say that it is not known whether it happened; without an error it did.
	prepare func(e env[Store], store Store, n int) (call, check[Store])
}

type (
	call             = func(ctx context.Context) error
	check[Store any] = func(other Store, err error)
)

// brokenOff breaks each operation off at every point there is.
func brokenOff[Store any](e env[Store], operations []operation[Store]) {
	e.Helper()
	store, other := e.open(), e.open()
	n := 0
	for _, op := range operations {
		trial := func(t *testing.T, ctx context.Context, arm func(), disarm func() bool) (struck bool) {
			t.Helper()
			sub := e
			sub.T = t
			n++
			call, check := op.prepare(sub, store, n)
			arm()
			err := call(ctx)
			struck = disarm()
			if e.Settle != nil {
				e.Settle(t)
			}
			check(other, err)
			if t.Failed() {
				t.Fatalf("the call returned the error %v", err)
			}
			return struck
		}
		e.Run(op.name, func(t *testing.T) {
			contextsEnd(t, trial)
			if e.Faults != nil {
				faultsStrike(t, e.Faults, trial)
			}
		})
	}
}

// trialFunc makes one call between arm and disarm, which tells whether a fault came.
type trialFunc func(t *testing.T, ctx context.Context, arm func(), disarm func() bool) (struck bool)

// contextsEnd ends the context a little later each time.
func contextsEnd(t *testing.T, trial trialFunc) {
	t.Helper()
	tries, step := 20, 100*time.Microsecond
	if long() {
		tries, step = 1000, 5*time.Microsecond
	}
	for i := range tries {
		ctx, cancel := context.WithCancel(background)
		var timer *time.Timer
		trial(t, ctx, func() { timer = time.AfterFunc(time.Duration(i)*step, cancel) }, func() bool { return timer.Stop() })
		cancel()
	}
}

// faultsStrike lets one step after the other fail, until the call comes through without meeting the fault.
func faultsStrike(t *testing.T, faults Faults, trial trialFunc) {
	t.Helper()
	const most = 1000
	for _, done := range []bool{false, true} {
		steps := 1
		for trial(t, background, func() { faults.Arm(steps, done) }, faults.Disarm) {
			if steps++; steps > most {
				t.Fatalf("the call takes more than %d steps", most)
			}
		}
		t.Logf("%d steps, done: %v", steps-1, done)
	}
}
