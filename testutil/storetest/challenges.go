package storetest

import (
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/picoauth/picoauth/serverauth/store"
)

const (
	alice = "0x5aaeb6053f3e94c9b9a09f33669435e7ef1beaed"
	bob   = "0xfb6916095ca1df60bb79ce92ce3ea74c37c5d359"
)

type challengeEnv = env[store.ChallengeStore]

// Challenges is what every ChallengeStore must do.
func Challenges(t *testing.T, fresh Fresh[store.ChallengeStore]) {
	t.Helper()
	run(t, fresh, []test[store.ChallengeStore]{
		{"a nonce is spent once", challengeIsSpentOnce},
		{"a nonce is 64 lowercase hex characters", challengeForm},
		{"a nonce belongs to its address", challengeAddress},
		{"a nonce of no address", challengeOfNobody},
		{"a nonce of a purpose", challengePurpose},
		{"a store knows its own nonces", challengeKnown},
		{"what is no nonce", challengeUnknown},
		{"any number may be pending", challengesPending},
		{"expiry on the edge", challengeEdge},
		{"one of a hundred wins", challengeRace},
		{"cleanup", challengeCleanup},
		{"the clock steps back", challengeClockSteps},
		{"the clock was far ahead", challengeClockAhead},
		{"an ended context", challengeCancelled},
		{"a crash", challengeCrash},
		{"a lost commit", challengesLostCommit},
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
	store store.ChallengeStore
}

func challenges(e challengeEnv) challengeSuite { return challengeSuite{e, e.open()} }

// spends fails unless the nonce is accepted, or is not.
func (c challengeSuite) spends(challenges store.ChallengeStore, address, nonce string, want bool) {
	c.Helper()
	if peeker, ok := challenges.(store.NoncePeeker); ok && want {
		defer func() {
			c.Helper()
			if live, err := peeker.Peek(background, address, nonce); live || err != nil {
				c.Errorf("a spent nonce is taken for a live one: %v, %v", live, err)
			}
		}()
		if live, err := peeker.Peek(background, address, nonce); !live || err != nil {
			c.Errorf("a live nonce is taken for a spent one: %v, %v", live, err)
		}
	}
	got, err := challenges.Validate(background, address, nonce)
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

// challengeOfNobody: a nonce of the empty address is nobody else's, and one of an address is not of the empty one.
func challengeOfNobody(e challengeEnv) {
	c := challenges(e)
	nobodys, alices := c.create("", time.Minute), c.create(alice, time.Minute)
	c.spends(c.store, alice, nobodys, false)
	c.spends(c.store, "", alices, false)
	c.spends(c.store, "", nobodys, true)
	c.spends(c.store, "", nobodys, false)
	c.spends(c.store, alice, alices, true)
}

// challengePurpose: a nonce serves for nothing but its purpose, and is not spent by being presented for another.
func challengePurpose(e challengeEnv) {
	c := challenges(e)
	knower, _ := c.store.(store.NonceKnower)
	purposes := []store.Purpose{"", store.NewPurpose("join", alice), store.NewPurpose("join", bob)}
	for i, made := range purposes {
		nonce := c.create(made.Owner(alice), time.Minute)
		for j, asked := range purposes {
			if i != j {
				c.spends(c.store, asked.Owner(alice), nonce, false)
			}
			if knower != nil && (knower.IsLive(asked, nonce) != (i == j) || knower.IsFor(asked.Owner(alice), nonce) != (i == j)) {
				c.Errorf("a nonce of purpose %d is known as one of purpose %d", i, j)
			}
		}
		c.spends(c.store, made.Owner(bob), nonce, false)
		c.spends(c.store, made.Owner(""), nonce, false)
		c.spends(c.store, made.Owner(alice), nonce, true)
	}
}

// challengeKnown: a store that is a NonceKnower knows a nonce whoever asks, spends nothing by telling, and knows no other.
func challengeKnown(e challengeEnv) {
	c := challenges(e)
	knower, ok := c.store.(store.NonceKnower)
	if !ok {
		return
	}
	nonce, other := c.create(alice, time.Minute), c.create("", time.Minute)
	changed := strings.Replace(nonce, nonce[20:24], other[20:24], 1)
	for text, want := range map[string]bool{nonce: true, other: true, changed: changed == nonce, strings.Repeat("0", 64): false, "": false, nonce[:62]: false} {
		if knower.IsLive("", text) != want {
			c.Errorf("IsLive(%s) is not %v", text, want)
		}
		for address, own := range map[string]string{alice: nonce, "": other, bob: "none"} {
			if knower.IsFor(address, text) != (text == own) {
				c.Errorf("IsFor(%q, %s) is not %v", address, text, text == own)
			}
		}
	}
	c.spends(c.store, alice, nonce, true)
	c.clock.Advance(time.Minute)
	if knower.IsLive("", other) || knower.IsFor("", other) {
		c.Error("an expired nonce is live")
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
	handles := [2]store.ChallengeStore{c.store, e.open()}
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
