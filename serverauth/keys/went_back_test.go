package keys_test

import (
	"bytes"
	"strings"
	"testing"
	"time"

	"github.com/picoauth/picoauth/serverauth/keys"
)

// holding replaces everything that a store holds.
func holding(t *testing.T, store keys.Store, records []keys.Record) {
	t.Helper()
	if err := store.Update(t.Context(), func([]keys.Record) ([]keys.Record, error) { return records, nil }); err != nil {
		t.Fatal(err)
	}
}

func copyOf(t *testing.T, store keys.Store) []keys.Record {
	t.Helper()
	records, err := store.Load(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	return records
}

// A store that lost its last commits, of any kind: both processes say so, and agree again on keys and secrets.
func TestStoreWentBack(t *testing.T) {
	for name, work := range map[string]func(t *testing.T, ring *keys.Ring) error{
		"rotation": func(t *testing.T, ring *keys.Ring) error { _, err := ring.Rotate(t.Context()); return err },
		"compromise": func(t *testing.T, ring *keys.Ring) error {
			_, err := ring.Compromise(t.Context(), signerID(t, ring))
			return err
		},
		"secret": func(t *testing.T, ring *keys.Ring) error { _, err := ring.LiveSecret(t.Context(), "new"); return err },
	} {
		t.Run(name, func(t *testing.T) {
			c, store, log := newClock(), keys.NewMemoryStore(), &logBook{}
			cfg := config(c)
			cfg.Logger = log.logger()
			one, other := open(t, store, cfg), open(t, store, cfg)
			tick := func() { c.Add(time.Second); tick(t, one, other) }
			before := copyOf(t, store)
			tick()
			if err := work(t, one); err != nil {
				t.Fatal(err)
			}
			tick()
			if strings.Contains(log.String(), "store_went_back") {
				t.Fatalf("nothing was lost: %s", log.String())
			}
			holding(t, store, before)
			tick()
			tick()
			if got := strings.Count(log.String(), "event=store_went_back"); got == 0 {
				t.Errorf("it was not said: %s", log.String())
			}
			oneSet, err1 := one.JWKS()
			otherSet, err2 := other.JWKS()
			if err1 != nil || err2 != nil || !bytes.Equal(oneSet.Body, otherSet.Body) {
				t.Errorf("two key sets: %v, %v", err1, err2)
			}
			said := log.String()
			tick()
			tick()
			if log.String() != said {
				t.Errorf("it goes on: %s", log.String()[len(said):])
			}
		})
	}
}

// Whatever a ring does in good order, over a year, is no loss to another one.
func TestGoodOrderIsNoLoss(t *testing.T) {
	c, store, log := newClock(), keys.NewMemoryStore(), &logBook{}
	cfg := config(c)
	cfg.RotateEvery = 10 * 24 * time.Hour
	cfg.Logger = log.logger()
	one, other := open(t, store, cfg), open(t, store, cfg)
	for day := range 365 {
		c.Add(24 * time.Hour)
		tick(t, one, other)
		switch {
		case day%50 == 49:
			if _, err := one.Compromise(t.Context(), signerID(t, one)); err != nil {
				t.Fatal(err)
			}
		case day%73 == 72:
			next := cfg
			next.Algorithm = []string{"EdDSA", "ES256"}[day%2]
			open(t, store, next)
		}
	}
	if strings.Contains(log.String(), "store_went_back") {
		t.Error(log.String())
	}
}

// An emptied store that another process began anew: its secrets count at once, and those that it lacks are made.
func TestSecretsFollowTheStore(t *testing.T) {
	c, store, log := newClock(), keys.NewMemoryStore(), &logBook{}
	cfg := config(c)
	cfg.Logger = log.logger()
	ring := open(t, store, cfg)
	refresh, err := ring.LiveSecret(t.Context(), "refresh")
	if err != nil {
		t.Fatal(err)
	}
	audit, err := ring.LiveSecret(t.Context(), "audit")
	if err != nil {
		t.Fatal(err)
	}
	oldRefresh, oldAudit := bytes.Clone(refresh()), bytes.Clone(audit())
	holding(t, store, nil)
	if err := ring.Tick(t.Context()); err == nil {
		t.Error("an empty store is no error")
	}
	restarted := open(t, store, cfg)
	fresh, err := restarted.LiveSecret(t.Context(), "refresh")
	if err != nil {
		t.Fatal(err)
	}
	tick(t, ring)
	if !bytes.Equal(refresh(), fresh()) || bytes.Equal(refresh(), oldRefresh) {
		t.Error("it keeps its old secret")
	}
	if bytes.Equal(audit(), oldAudit) {
		t.Error("what the store has lost is not made anew")
	}
	again, err := restarted.LiveSecret(t.Context(), "audit")
	if err != nil || !bytes.Equal(again(), audit()) {
		t.Errorf("two secrets of one name: %v", err)
	}
	if !strings.Contains(log.String(), "event=store_went_back") {
		t.Error("it was not said")
	}
}
