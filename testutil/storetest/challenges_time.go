package storetest

import (
	"errors"
	"time"

	"github.com/picoauth/picoauth/serverauth/store"
)

func challengeEdge(e challengeEnv) {
	c := challenges(e)
	for _, ttl := range []time.Duration{time.Millisecond, time.Second, time.Minute, time.Hour} {
		before, at, after := c.create(alice, ttl), c.create(alice, ttl), c.create(alice, ttl)
		e.clock.Advance(ttl - time.Millisecond)
		c.spends(c.store, alice, before, true)
		e.clock.Advance(time.Millisecond)
		c.spends(c.store, alice, at, false)
		e.clock.Advance(time.Hour)
		c.spends(c.store, alice, after, false)
	}
}

// cleanup calls Cleanup until it finds nothing.
func (c challengeSuite) cleanup() (removed int) {
	c.Helper()
	for {
		n, err := c.store.Cleanup(background)
		c.ok(err)
		if removed += n; n == 0 {
			return removed
		}
	}
}

func challengeCleanup(e challengeEnv) {
	c := challenges(e)
	const spent = 25
	var nonces []string
	for range spent {
		nonce := c.create(alice, time.Minute)
		c.spends(c.store, alice, nonce, true)
		nonces = append(nonces, nonce)
	}
	late := c.create(alice, 48*time.Hour)
	c.spends(c.store, alice, late, true)
	e.clock.Advance(59 * time.Second)
	if n := c.cleanup(); n != 0 {
		e.Errorf("forgot %d nonces that had not expired", n)
	}
	for _, nonce := range nonces {
		c.spends(c.store, alice, nonce, false)
	}
	e.clock.Advance(24 * time.Hour)
	if n := c.cleanup(); n != spent && !e.Expires {
		e.Errorf("forgot %d nonces instead of %d", n, spent)
	}
	c.spends(c.store, alice, late, false)
}

// Clocks are set right by a step. A nonce that was spent, had expired and was cleaned away must not come back to life.
func challengeClockSteps(e challengeEnv) {
	c := challenges(e)
	spent, unspent := c.create(alice, time.Minute), c.create(alice, time.Minute)
	c.spends(c.store, alice, spent, true)
	for _, step := range []time.Duration{61 * time.Second, -31 * time.Second, 90 * time.Second, -2 * time.Minute} {
		e.clock.Advance(step)
		c.cleanup()
		c.spends(c.store, alice, spent, false)
	}
	c.spends(c.store, alice, unspent, true)
	c.spends(c.store, alice, unspent, false)
}

// challengesMany spends more than a batch, and cleans all of it away. A store that is full may say so.
func challengesMany(e challengeEnv) {
	c := challenges(e)
	var found tally[string]
	forEach(many(2500), func(int) {
		nonce, err := c.store.Create(background, alice, time.Minute)
		if err != nil {
			e.Error(err)
			return
		}
		switch won, err := c.store.Validate(background, alice, nonce); {
		case errors.Is(err, store.ErrTooManyPending):
			found.add("full")
		case err != nil || !won:
			e.Errorf("accepted: %v, %v", won, err)
		default:
			found.add("spent")
		}
	})
	e.clock.Advance(24 * time.Hour)
	if removed := c.cleanup(); removed != found.count["spent"] && !e.Expires {
		e.Errorf("forgot %d of %v", removed, found.count)
	}
}

// A clock that went far ahead, long enough for a cleanup, and was set right: what was spent stays spent, and whoever
// signs in then can, at once and at every process.
func challengeClockAhead(e challengeEnv) {
	for _, ahead := range []time.Duration{20 * time.Minute, 30 * 24 * time.Hour} {
		c := challenges(e)
		other := e.open()
		spent, alsoSpent := c.create(alice, time.Minute), c.create(alice, 10*time.Minute)
		c.spends(other, alice, spent, true)
		c.spends(c.store, alice, alsoSpent, true)
		e.clock.Advance(ahead)
		late := c.create(alice, time.Minute)
		c.spends(c.store, alice, late, true)
		c.cleanup()
		e.clock.Advance(-ahead)
		fresh, second := c.create(alice, time.Minute), c.create(bob, time.Minute)
		c.spends(c.store, alice, fresh, true)
		c.spends(other, bob, second, true)
		for _, store := range []store.ChallengeStore{c.store, other, e.open()} {
			for _, nonce := range []string{spent, alsoSpent, late, fresh} {
				c.spends(store, alice, nonce, false)
			}
		}
	}
}
