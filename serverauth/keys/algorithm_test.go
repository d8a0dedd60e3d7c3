package keys_test

import (
	"testing"
	"time"

	"github.com/picoauth/picoauth/serverauth/keys"
)

func TestChangedAlgorithmIsARotation(t *testing.T) {
	c, store := newClock(), keys.NewMemoryStore()
	running := open(t, store, config(c))
	old := signerID(t, running)
	c.Add(time.Hour)
	cfg := config(c)
	cfg.Algorithm = "ES256"
	changed := open(t, store, cfg)
	tick(t, running)
	c.Add(pending - time.Millisecond)
	for _, ring := range []*keys.Ring{running, changed} {
		tick(t, ring)
		if signerID(t, ring) != old {
			t.Fatal("the new algorithm signs before clients know its key")
		}
	}
	c.Add(time.Millisecond)
	for _, ring := range []*keys.Ring{running, changed} {
		tick(t, ring)
		signer, err := ring.Signer()
		if err != nil || signer.Algorithm != "ES256" || !publishes(ring, old) {
			t.Fatalf("%v %v", ring.List(), err)
		}
	}
	for _, key := range changed.List() { // the old spare has no use any more
		if key.State == keys.StatePending && key.Algorithm != "ES256" {
			t.Fatalf("%v", changed.List())
		}
	}
}

// Two processes with different settings that start again and again do not pile up keys.
func TestAlternatingAlgorithms(t *testing.T) {
	c, store := newClock(), keys.NewMemoryStore()
	cfg := config(c)
	for i := range 100 {
		cfg.Algorithm = []string{"EdDSA", "ES256", "ML-DSA-44"}[i%3]
		ring := open(t, store, cfg)
		c.Add(time.Second)
		tick(t, ring)
		if n := len(ring.List()); n > 8 {
			t.Fatalf("%d keys after %d starts: %v", n, i+1, ring.List())
		}
	}
	c.Add(pending)
	ring := open(t, store, cfg)
	c.Add(pending)
	tick(t, ring)
	if signer, err := ring.Signer(); err != nil || signer.Algorithm != cfg.Algorithm {
		t.Fatalf("%v %v", ring.List(), err)
	}
}

// A rotation to a key of the old algorithm that is under way does not undo the change when its time comes.
func TestChangedAlgorithmDuringARotation(t *testing.T) {
	c, store := newClock(), keys.NewMemoryStore()
	signer, next, spare := keyRecord(t, "EdDSA"), keyRecord(t, "EdDSA"), keyRecord(t, "ES256")
	signer.ActivatesAt, next.ActivatesAt = start, start.Add(pending)
	spare.CreatedAt = start.Add(-pending)
	put(t, store, signer, next, spare)
	cfg := config(c)
	cfg.Algorithm = "ES256"
	ring := open(t, store, cfg)
	c.Add(pending + time.Second)
	for range 3 {
		tick(t, ring)
		if signerID(t, ring) != spare.ID {
			t.Fatalf("%v", ring.List())
		}
		c.Add(pending)
	}
}
