package keys_test

import (
	"bytes"
	"context"
	"errors"
	"strings"
	"testing"
	"time"

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
	if record := load(t, store)[stolen]; publishes(ring, stolen) || record.CompromisedAt.IsZero() || len(record.Private) > 0 {
		t.Fatalf("%v", ring.List())
	}
}

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

// Until the new algorithm's key is known everywhere, the spare of the old one is the better stand-in; the change still comes.
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
	c.Add(3 * time.Minute)
	tick(t, ring)
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
	token := claims(c.Now().Add(48 * time.Hour))
	if _, err := long.Sign("at+jwt", token); err != nil {
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

func TestSecrets(t *testing.T) {
	c, store := newClock(), keys.NewMemoryStore()
	ring := open(t, store, config(c))
	secret, err := ring.Secret(t.Context(), "refresh")
	if err != nil || len(secret) != keys.SecretSize {
		t.Fatalf("%d bytes, %v", len(secret), err)
	}
	other, err := ring.Secret(t.Context(), "audit")
	if err != nil || bytes.Equal(secret, other) {
		t.Fatalf("two names share a secret, %v", err)
	}
	kept := bytes.Clone(secret)
	clear(secret) // a caller's copy is its own
	for name, ring := range map[string]*keys.Ring{"same": ring, "restarted": open(t, store, config(c))} {
		if again, err := ring.Secret(t.Context(), "refresh"); err != nil || !bytes.Equal(again, kept) {
			t.Fatalf("%s: another secret, %v", name, err)
		}
	}
	for _, name := range []string{"", "Refresh", "../x", "-", strings.Repeat("a", 33)} {
		if _, err := ring.Secret(t.Context(), name); err == nil {
			t.Errorf("%q is taken for a name", name)
		}
	}
	for _, key := range ring.List() {
		if strings.Contains(key.ID, "refresh") {
			t.Error("a secret is listed as a key")
		}
	}
}

func TestConfigValidate(t *testing.T) {
	tests := []struct {
		name   string
		change func(*keys.Config)
		want   string // a part of the error
	}{
		{"defaults", func(*keys.Config) {}, ""},
		{"unknown algorithm", func(c *keys.Config) { c.Algorithm = "HS256" }, "HS256"},
		{"no lifetime", func(c *keys.Config) { c.TokenLifetime = 0 }, "token lifetime"},
		{"skew", func(c *keys.Config) { c.Skew = time.Hour }, "1h0m0s is not within 0s to 10m0s"},
		{"max-age", func(c *keys.Config) { c.MaxAge = 301 * time.Second }, "max-age"},
		{"cache time", func(c *keys.Config) { c.CacheTime = -1 }, "cache time"},
		{"a rotation every minute", func(c *keys.Config) { c.RotateEvery = time.Minute }, "rotation interval"},
		{"a set of hundreds of keys", func(c *keys.Config) {
			c.RotateEvery, c.TokenLifetime = 24*time.Hour, 365*24*time.Hour
		}, "rotation interval"},
		{"daily rotation, tokens of 90 days", func(c *keys.Config) {
			c.RotateEvery, c.TokenLifetime = 24*time.Hour, 90*24*time.Hour
		}, ""},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			cfg := keys.DefaultConfig()
			test.change(&cfg)
			err := cfg.Validate()
			if (err == nil) != (test.want == "") || err != nil && !strings.Contains(err.Error(), test.want) {
				t.Fatalf("got %v", err)
			}
		})
	}
}
