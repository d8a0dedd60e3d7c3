package keys_test

import (
	"errors"
	"testing"
	"time"

	"github.com/picoauth/picoauth/clientauth/jose"
	"github.com/picoauth/picoauth/serverauth/keys"
)

var (
	pending = keys.DefaultConfig().PendingTime()
	// hold is how long a retired key stays: 30 s to notice, twice the skew, a token's life.
	hold = 30*time.Second + 2*time.Minute + keys.DefaultConfig().TokenLifetime
)

func TestFirstStart(t *testing.T) {
	c := newClock()
	ring := open(t, keys.NewMemoryStore(), config(c))
	signer, spare := only(t, inState(ring, keys.StateActive)), only(t, inState(ring, keys.StatePending))
	if signerID(t, ring) != signer || !publishes(ring, signer) || !publishes(ring, spare) {
		t.Fatalf("%v", ring.List())
	}
	tick(t, ring)
	if len(ring.List()) != 2 {
		t.Fatalf("a step of maintenance changed something: %v", ring.List())
	}
}

func TestRestartKeepsKeys(t *testing.T) {
	c, store := newClock(), keys.NewMemoryStore()
	before := open(t, store, config(c)).List()
	c.Add(time.Hour)
	after := open(t, store, config(c)).List()
	if len(before) != len(after) || before[0] != after[0] || before[1] != after[1] {
		t.Fatalf("%v, then %v", before, after)
	}
}

func TestRotateByHandAtOnce(t *testing.T) {
	c, store := newClock(), keys.NewMemoryStore()
	ring, other := open(t, store, config(c)), open(t, store, config(c))
	old, spare := signerID(t, ring), only(t, inState(ring, keys.StatePending))
	c.Add(pending)
	key, err := ring.Rotate(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	if key.ID != spare || key.State != keys.StateActive || !key.ActivatesAt.Equal(c.Now()) || signerID(t, ring) != spare {
		t.Fatalf("%v", key)
	}
	if got := only(t, inState(ring, keys.StateRetired)); got != old {
		t.Fatalf("%s is retired", got)
	}
	if len(inState(ring, keys.StatePending)) != 1 {
		t.Fatal("no spare")
	}
	tick(t, other)
	if signerID(t, other) != spare || len(other.List()) != 3 {
		t.Fatalf("the other process: %v", other.List())
	}
	c.Add(hold - time.Millisecond)
	tick(t, ring)
	if !publishes(ring, old) {
		t.Fatal("removed too early")
	}
	c.Add(time.Millisecond)
	if publishes(ring, old) {
		t.Fatal("still published, without a step of maintenance")
	}
	c.Add(24 * time.Hour)
	tick(t, ring)
	if len(ring.List()) != 2 {
		t.Fatalf("its record is kept: %v", ring.List())
	}
}

func TestRotateByHandWaitsForAYoungSpare(t *testing.T) {
	c := newClock()
	ring := open(t, keys.NewMemoryStore(), config(c))
	old, spare := signerID(t, ring), only(t, inState(ring, keys.StatePending))
	c.Add(time.Minute)
	for range 2 { // a second call changes nothing
		key, err := ring.Rotate(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		if key.ID != spare || key.State != keys.StatePending || !key.ActivatesAt.Equal(start.Add(pending)) {
			t.Fatalf("%v", key)
		}
		if len(ring.List()) != 3 {
			t.Fatalf("%v", ring.List())
		}
		c.Add(time.Minute)
	}
	c.Add(start.Add(pending).Sub(c.Now()) - time.Millisecond)
	if signerID(t, ring) != old {
		t.Fatal("it signs too early")
	}
	c.Add(time.Millisecond)
	if signerID(t, ring) != spare {
		t.Fatal("it does not sign at its time")
	}
}

func TestRotationByInterval(t *testing.T) {
	c := newClock()
	cfg := config(c)
	cfg.RotateEvery = 7 * 24 * time.Hour
	ring := open(t, keys.NewMemoryStore(), cfg)
	first, second := signerID(t, ring), only(t, inState(ring, keys.StatePending))
	c.Add(cfg.RotateEvery - pending - time.Millisecond)
	tick(t, ring)
	if len(ring.List()) != 2 {
		t.Fatalf("too early: %v", ring.List())
	}
	c.Add(time.Millisecond)
	tick(t, ring) // the next spare is published, so that it is ready when this one signs
	if ids := inState(ring, keys.StatePending); len(ids) != 2 || signerID(t, ring) != first {
		t.Fatalf("%v", ring.List())
	}
	c.Add(pending)
	if signerID(t, ring) != second {
		t.Fatalf("%v", ring.List())
	}
	if key, err := ring.Rotate(t.Context()); err != nil || key.State != keys.StateActive || key.ID == second {
		t.Fatalf("the spare was not ready: %v %v", key, err)
	}
}

func TestPrivatePartOfARetiredKeyIsDestroyed(t *testing.T) {
	c, store := newClock(), keys.NewMemoryStore()
	ring := open(t, store, config(c))
	old := signerID(t, ring)
	pointer, err := ring.Key(t.Context(), old, "EdDSA")
	if err != nil {
		t.Fatal(err)
	}
	c.Add(pending)
	if _, err := ring.Rotate(t.Context()); err != nil {
		t.Fatal(err)
	}
	if record := load(t, store)[old]; len(record.Private) > 0 {
		t.Fatal("it is still there")
	}
	if same, err := ring.Key(t.Context(), old, "EdDSA"); err != nil || same != pointer {
		t.Fatalf("it does not verify any more: %v", err)
	}
}

func TestLongerTokensAreRecordedBeforeTheyAreSigned(t *testing.T) {
	c, store := newClock(), keys.NewMemoryStore()
	cfg := config(c)
	open(t, store, cfg)
	cfg.TokenLifetime = 48 * time.Hour
	long := open(t, store, cfg)
	old := signerID(t, long)
	c.Add(pending)
	expires := c.Now().Add(48 * time.Hour)
	if _, err := long.Sign("at+jwt", claims(expires), expires.Unix()); err != nil {
		t.Fatal(err)
	}
	short := open(t, store, config(c))
	if _, err := short.Rotate(t.Context()); err != nil {
		t.Fatal(err)
	}
	c.Add(48 * time.Hour)
	tick(t, short)
	if !publishes(short, old) {
		t.Fatal("the key was removed before its longest token had expired")
	}
}

func TestRotationStopsBeforeTheSetIsTooLarge(t *testing.T) {
	c := newClock()
	cfg := config(c)
	cfg.TokenLifetime = 90 * 24 * time.Hour
	ring := open(t, keys.NewMemoryStore(), cfg)
	var err error
	for rotations := 0; err == nil; rotations++ {
		if rotations > jose.MaxSetKeys {
			t.Fatal("it never stopped")
		}
		c.Add(pending)
		_, err = ring.Rotate(t.Context())
	}
	if n := len(ring.PublishedKeys()); !errors.Is(err, keys.ErrTooManyKeys) || n > jose.MaxSetKeys {
		t.Fatalf("%d keys, %v", n, err)
	}
	if _, err := ring.Compromise(t.Context(), signerID(t, ring)); err != nil {
		t.Fatalf("a theft must always be answered: %v", err)
	}
}
