package storetest

import (
	"context"
	"time"

	authstore "github.com/picoauth/picoauth/serverauth/store"
)

func challengesBrokenOff(e challengeEnv) {
	brokenOff(e, []operation[authstore.ChallengeStore]{
		{"validate", validateBrokenOff},
		{"create", createChallengeBrokenOff},
		{"cleanup", cleanupBrokenOff},
	})
}

func validateBrokenOff(e challengeEnv, store authstore.ChallengeStore, _ int) (call, check[authstore.ChallengeStore]) {
	nonce, err := store.Create(background, alice, time.Minute)
	e.ok(err)
	wins := 0
	validate := func(ctx context.Context, store authstore.ChallengeStore) error {
		won, err := store.Validate(ctx, alice, nonce)
		if won {
			wins++
		}
		return err
	}
	run := func(ctx context.Context) error { return validate(ctx, store) }
	return run, func(other authstore.ChallengeStore, err error) {
		if (wins == 1) != (err == nil) {
			e.Errorf("a live nonce is accepted: %v", wins == 1)
		}
		for range 3 {
			e.ok(validate(background, other))
		}
		if wins > 1 {
			e.Errorf("a nonce was accepted %d times", wins)
		}
	}
}

func createChallengeBrokenOff(e challengeEnv, store authstore.ChallengeStore, _ int) (call, check[authstore.ChallengeStore]) {
	var nonce string
	run := func(ctx context.Context) (err error) {
		nonce, err = store.Create(ctx, alice, time.Minute)
		return err
	}
	return run, func(other authstore.ChallengeStore, err error) {
		if err != nil {
			return
		}
		won, err := other.Validate(background, alice, nonce)
		e.ok(err)
		if !won {
			e.Error("a nonce that was handed out is refused")
		}
	}
}

func cleanupBrokenOff(e challengeEnv, store authstore.ChallengeStore, _ int) (call, check[authstore.ChallengeStore]) {
	c := challengeSuite{e, store}
	nonce := c.create(alice, 24*time.Hour)
	c.spends(store, alice, nonce, true)
	run := func(ctx context.Context) error {
		_, err := store.Cleanup(ctx)
		return err
	}
	return run, func(other authstore.ChallengeStore, _ error) { c.spends(other, alice, nonce, false) }
}
