package keys_test

import (
	"context"
	"errors"
	"testing"
	"time"

	"github.com/picoauth/picoauth/serverauth/keys"
)

func TestCompromisedSigner(t *testing.T) {
	c, store := newClock(), keys.NewMemoryStore()
	ring, other := open(t, store, config(c)), open(t, store, config(c))
	stolen, spare := signerID(t, ring), only(t, inState(ring, keys.StatePending))
	c.Add(time.Second) // the spare is young, and signs all the same
	key, err := ring.Compromise(t.Context(), stolen)
	if err != nil {
		t.Fatal(err)
	}
	if key.State != keys.StateRemoved || !key.RetiresAt.Equal(c.Now()) || !key.DenyUntil.Equal(c.Now().Add(hold)) {
		t.Fatalf("%+v", key)
	}
	c.Add(time.Second)
	tick(t, other)
	for _, ring := range []*keys.Ring{ring, other} {
		if publishes(ring, stolen) || signerID(t, ring) != spare || len(inState(ring, keys.StatePending)) != 1 {
			t.Fatalf("%v", ring.List())
		}
		if _, err := ring.Key(t.Context(), stolen, "EdDSA"); err == nil {
			t.Fatal("the stolen key still verifies")
		}
	}
	if record := load(t, store)[stolen]; len(record.Private) > 0 {
		t.Fatal("its private part is still stored")
	}
	again, err := other.Compromise(t.Context(), stolen)
	if err != nil || again != key {
		t.Fatalf("the second call: %+v %v", again, err)
	}
	c.Add(1000 * 24 * time.Hour)
	tick(t, ring)
	if load(t, store)[stolen].CompromisedAt.IsZero() {
		t.Fatal("the tombstone is gone")
	}
}

func TestCompromisedOthers(t *testing.T) {
	tests := []struct {
		name  string
		which func(ring *keys.Ring) string
	}{
		{"spare", func(ring *keys.Ring) string { return inState(ring, keys.StatePending)[0] }},
		{"appointed", func(ring *keys.Ring) string {
			key, _ := ring.Rotate(context.Background())
			return key.ID
		}},
		{"retired", func(ring *keys.Ring) string { return inState(ring, keys.StateRetired)[0] }},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			c := newClock()
			ring := open(t, keys.NewMemoryStore(), config(c))
			c.Add(pending)
			if _, err := ring.Rotate(t.Context()); err != nil {
				t.Fatal(err)
			}
			signer, stolen := signerID(t, ring), test.which(ring)
			if _, err := ring.Compromise(t.Context(), stolen); err != nil {
				t.Fatal(err)
			}
			if signerID(t, ring) != signer || publishes(ring, stolen) || len(inState(ring, keys.StatePending)) == 0 {
				t.Fatalf("%v", ring.List())
			}
			c.Add(pending)
			rotates := test.name == "appointed"
			if got := signerID(t, ring) != signer; got != rotates {
				t.Fatalf("rotated: %v", got)
			}
		})
	}
}

func TestCompromiseOfAnUnknownKey(t *testing.T) {
	ring := open(t, keys.NewMemoryStore(), config(newClock()))
	if _, err := ring.Compromise(t.Context(), "nobody"); !errors.Is(err, keys.ErrUnknownKey) {
		t.Fatalf("got %v", err)
	}
}

// A backup that is put back while the process runs does not bring a stolen key back.
func TestRestoredBackupRevivesNothing(t *testing.T) {
	c, store := newClock(), keys.NewMemoryStore()
	ring := open(t, store, config(c))
	stolen := signerID(t, ring)
	backup := load(t, store)[stolen]
	if _, err := ring.Compromise(t.Context(), stolen); err != nil {
		t.Fatal(err)
	}
	err := store.Update(t.Context(), func(records []keys.Record) ([]keys.Record, error) {
		for i := range records {
			if records[i].ID == stolen {
				records[i] = backup
			}
		}
		return records, nil
	})
	if err != nil {
		t.Fatal(err)
	}
	tick(t, ring)
	record := load(t, store)[stolen]
	if publishes(ring, stolen) || record.CompromisedAt.IsZero() || len(record.Private) > 0 {
		t.Fatalf("%v", ring.List())
	}
}

// Until the new algorithm's key is known everywhere, the spare of the old one is the better stand-in; the change still
// comes.
func TestCompromiseDuringAChangeOfAlgorithm(t *testing.T) {
	c, store := newClock(), keys.NewMemoryStore()
	first := open(t, store, config(c))
	stolen, spare := signerID(t, first), only(t, inState(first, keys.StatePending))
	c.Add(time.Hour)
	cfg := config(c)
	cfg.Algorithm = "ES256"
	ring := open(t, store, cfg)
	c.Add(time.Minute)
	if _, err := ring.Compromise(t.Context(), stolen); err != nil {
		t.Fatal(err)
	}
	if signerID(t, ring) != spare {
		t.Fatalf("%v", ring.List())
	}
	c.Add(pending)
	if signer, err := ring.Signer(); err != nil || signer.Algorithm != "ES256" {
		t.Fatalf("%v %v", ring.List(), err)
	}
}

// A key that was stolen before its time does not end the publication of the one that signs on.
func TestStolenBeforeItsTimeLeavesNoPlaceInTheLine(t *testing.T) {
	c := newClock()
	ring := open(t, keys.NewMemoryStore(), config(c))
	signer := signerID(t, ring)
	c.Add(time.Minute)
	next, err := ring.Rotate(t.Context()) // publishes another spare
	if err != nil {
		t.Fatal(err)
	}
	if _, err := ring.Compromise(t.Context(), next.ID); err != nil {
		t.Fatal(err)
	}
	until := start.Add(time.Minute + pending) // that spare takes over
	c.Add(until.Sub(c.Now()) - time.Millisecond)
	tick(t, ring)
	if signerID(t, ring) != signer {
		t.Fatalf("%v", ring.List())
	}
	c.Add(hold)
	tick(t, ring)
	if !publishes(ring, signer) || signerID(t, ring) == signer {
		t.Fatalf("%v", ring.List())
	}
}
