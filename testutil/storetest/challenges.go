package storetest

import (
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/picoauth/picoauth/serverauth"
)

const (
	alice = "0x5aaeb6053f3e94c9b9a09f33669435e7ef1beaed"
	bob   = "0xfb6916095ca1df60bb79ce92ce3ea74c37c5d359"
)

type challengeEnv = env[serverauth.ChallengeStore]

// Challenges is what every ChallengeStore must do.
func Challenges(t *testing.T, fresh Fresh[serverauth.ChallengeStore]) {
	t.Helper()
	run(t, fresh, []test[serverauth.ChallengeStore]{
		{"a nonce is spent once", challengeIsSpentOnce},
		{"a nonce is 64 lowercase hex characters", challengeForm},
		{"a nonce belongs to its address", challengeAddress},
		{"what is no nonce", challengeUnknown},
		{"any number may be pending", challengesPending},
		{"expiry on the edge", challengeEdge},
		{"one of a hundred wins", challengeRace},
		{"cleanup", challengeCleanup},
		{"the clock steps back", challengeClockSteps},
		{"an ended context", challengeCancelled},
		{"a crash", challengeCrash},
		{"broken off", challengesBrokenOff},
		{"a million spent", challengesMany},
	})
}

func (c challengeSuite) create(address string, ttl time.Duration) string {
	c.Helper()
	nonce, err := c.store.Create(background, address, ttl)
	c.ok(err)
	return nonce
}

// challengeSuite is an env with a handle.
type challengeSuite struct {
	challengeEnv
	store serverauth.ChallengeStore
}

func challenges(e challengeEnv) challengeSuite { return challengeSuite{e, e.open()} }

// spends fails unless the nonce is accepted, or is not.
func (c challengeSuite) spends(store serverauth.ChallengeStore, address, nonce string, want bool) {
	c.Helper()
	got, err := store.Validate(background, address, nonce)
	c.ok(err)
	if got != want {
		c.Errorf("a nonce is accepted: %v, not %v", got, want)
	}
}

func challengeIsSpentOnce(e challengeEnv) {
	c := challenges(e)
	other := e.open()
	nonce := c.create(alice, time.Minute)
	c.spends(other, alice, nonce, true)
	for range 3 {
		c.spends(c.store, alice, nonce, false)
		c.spends(other, alice, nonce, false)
	}
}

func challengeForm(e challengeEnv) {
	c := challenges(e)
	form := regexp.MustCompile(`^[0-9a-f]{64}$`)
	seen := map[string]bool{}
	for range 1000 {
		nonce := c.create(alice, time.Minute)
		if !form.MatchString(nonce) || seen[nonce] {
			e.Fatalf("nonce %q, seen before: %v", nonce, seen[nonce])
		}
		seen[nonce] = true
	}
}

func challengeAddress(e challengeEnv) {
	c := challenges(e)
	for _, address := range []string{alice, "", "a", strings.Repeat("ab", 4096), "üñí\x00\xff'\"\\", alice + "\n"} {
		nonce := c.create(address, time.Minute)
		for _, wrong := range []string{bob, address + "0", strings.ToUpper(address) + "x", "0"} {
			c.spends(c.store, wrong, nonce, false)
		}
		c.spends(c.store, address, nonce, true)
	}
}

func challengeUnknown(e challengeEnv) {
	c := challenges(e)
	real := c.create(alice, time.Minute)
	for _, nonce := range []string{
		"", "0", real[:63], real + "0", strings.Repeat("0", 64), strings.Repeat("f", 64), strings.Repeat("z", 64), strings.Repeat("\x00", 64),
		strings.Repeat("é", 32), real[1:] + real[:1], "'; DROP TABLE sessions; --",
	} {
		c.spends(c.store, alice, nonce, false)
	}
	for i := range real { // every bit counts
		changed := []byte(real)
		if changed[i] = '0'; real[i] == '0' {
			changed[i] = '8'
		}
		c.spends(c.store, alice, string(changed), false)
	}
	c.spends(c.store, alice, real, true)
}

func challengesPending(e challengeEnv) {
	c := challenges(e)
	var nonces []string
	for range 200 {
		nonces = append(nonces, c.create(alice, time.Minute))
		c.create(bob, time.Minute)
	}
	for _, nonce := range nonces {
		c.spends(c.store, alice, nonce, true)
	}
}

func challengeRace(e challengeEnv) {
	c := challenges(e)
	handles := [2]serverauth.ChallengeStore{c.store, e.open()}
	for range 5 {
		nonce := c.create(alice, time.Minute)
		var found tally[bool]
		race(racers, func(i int) {
			won, err := handles[i%2].Validate(background, alice, nonce)
			if err != nil {
				e.Error(err)
			}
			found.add(won)
		})
		found.must(e, true, 1)
		found.must(e, false, racers-1)
	}
}

func challengeCancelled(e challengeEnv) {
	c := challenges(e)
	nonce := c.create(alice, time.Minute)
	ctx := ended()
	won, err := c.store.Validate(ctx, alice, nonce)
	refusedWhole(e, err)
	c.spends(c.store, alice, nonce, !won)
	if won && err != nil {
		e.Error("accepted with an error")
	}
	if _, err := c.store.Create(ctx, alice, time.Minute); err != nil {
		refusedWhole(e, err)
	}
	if _, err := c.store.Cleanup(ctx); err != nil {
		refusedWhole(e, err)
	}
}

func challengeCrash(e challengeEnv) {
	c := challenges(e)
	spent, live := c.create(alice, time.Minute), c.create(alice, time.Minute)
	c.spends(c.store, alice, spent, true)
	c.store = e.crash()
	c.spends(c.store, alice, spent, false)
	c.spends(c.store, alice, live, true)
	c.spends(c.store, alice, live, false)
}
