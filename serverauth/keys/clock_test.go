package keys_test

import (
	"testing"
	"time"

	"github.com/picoauth/picoauth/serverauth/keys"
)

func TestClockSetBack(t *testing.T) {
	c, store := newClock(), keys.NewMemoryStore()
	ring := open(t, store, config(c))
	first := signerID(t, ring)
	c.Add(pending)
	if _, err := ring.Rotate(t.Context()); err != nil {
		t.Fatal(err)
	}
	second := signerID(t, ring)
	c.Add(-12 * time.Hour)
	for range 3 {
		tick(t, ring)
		if id := signerID(t, ring); id != first && id != second {
			t.Fatalf("%s signs: %v", id, ring.List())
		}
		if !publishes(ring, first) || !publishes(ring, second) {
			t.Fatalf("%v", ring.List())
		}
		c.Add(time.Minute)
	}
	c.Add(24 * time.Hour)
	tick(t, ring)
	if signerID(t, ring) != second {
		t.Fatalf("%v", ring.List())
	}
}

func TestClockAheadAndBack(t *testing.T) {
	c, store := newClock(), keys.NewMemoryStore()
	ring := open(t, store, config(c))
	old := signerID(t, ring)
	c.Add(pending)
	if _, err := ring.Rotate(t.Context()); err != nil {
		t.Fatal(err)
	}
	c.Add(12 * time.Hour)
	tick(t, ring)
	if publishes(ring, old) {
		t.Fatal("still published")
	}
	c.Add(-12 * time.Hour)
	tick(t, ring)
	if !publishes(ring, old) {
		t.Fatal("tokens that are valid again have no key")
	}
}

// The age of a key that comes from the future means nothing: it counts as new.
func TestSpareFromTheFuture(t *testing.T) {
	c, store := newClock(), keys.NewMemoryStore()
	ring := open(t, store, config(c))
	c.Add(-time.Hour)
	tick(t, ring)
	if key, err := ring.Rotate(t.Context()); err != nil || !key.ActivatesAt.Equal(c.Now().Add(pending)) {
		t.Fatalf("%v %v", key, err)
	}
}
