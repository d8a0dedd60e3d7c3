package keys_test

import (
	"bytes"
	"errors"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/picoauth/picoauth/clientauth"
	"github.com/picoauth/picoauth/clientauth/jose"
	"github.com/picoauth/picoauth/serverauth/keys"
)

// mixedRing holds an active key and a spare of ES256, and retired ones of RS256, EdDSA and ML-DSA-44.
func mixedRing(t testing.TB, c *clock) (*keys.Ring, map[string]string) {
	t.Helper()
	store, byAlgorithm := keys.NewMemoryStore(), map[string]string{}
	for i, algorithm := range []string{"RS256", "EdDSA", "ML-DSA-44", "ES256"} {
		r := keyRecord(t, algorithm)
		r.ActivatesAt = start.Add(time.Duration(i-10) * time.Second)
		byAlgorithm[algorithm] = r.ID
		put(t, store, r)
	}
	cfg := config(c)
	cfg.Algorithm = "ES256"
	return open(t, store, cfg), byAlgorithm
}

func TestJWKSFilter(t *testing.T) {
	ring, ids := mixedRing(t, newClock())
	rsa, okp, akp, ec := ids["RS256"], ids["EdDSA"], ids["ML-DSA-44"], ids["ES256"]
	spare := only(t, inState(ring, keys.StatePending))
	tests := []struct {
		name  string
		types []string
		want  []string
	}{
		{"all", nil, []string{ec, rsa, okp, akp, spare}},
		{"classical", []string{"RSA", "EC", "OKP"}, []string{ec, rsa, okp, spare}},
		{"one type", []string{"AKP"}, []string{akp}},
		{"twice the same", []string{"EC", "EC"}, []string{ec, spare}},
		{"with an unknown type", []string{"oct", "RSA"}, []string{rsa}},
		{"an unknown type", []string{"oct"}, nil},
		{"wrong case", []string{"rsa"}, nil},
		{"empty", []string{""}, nil},
	}
	tags := map[string]string{}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			d, err := ring.JWKS(test.types...)
			if err != nil {
				t.Fatal(err)
			}
			got := documentIDs(t, d)
			if len(test.want) > 0 && len(got) > 0 && got[0] != ec && slices.Contains(test.want, ec) {
				t.Error("the key that signs is not the first")
			}
			slices.Sort(got)
			slices.Sort(test.want)
			if !slices.Equal(got, test.want) {
				t.Fatalf("got %v, not %v", got, test.want)
			}
			if before, found := tags[d.ETag]; found && before != string(d.Body) {
				t.Fatal("one tag for two documents")
			}
			tags[d.ETag] = string(d.Body)
			if !strings.HasPrefix(d.ETag, `"`) || !strings.HasSuffix(d.ETag, `"`) {
				t.Fatalf("tag %s", d.ETag)
			}
			if parsed, skipped, err := jose.ParseSet(d.Body); err != nil || len(skipped) > 0 || len(parsed) != len(got) {
				t.Fatalf("%v %v", skipped, err)
			}
			for _, secret := range []string{`"d"`, `"priv"`, `"p"`, `"q"`} {
				if bytes.Contains(d.Body, []byte(secret)) {
					t.Fatalf("%s is published", secret)
				}
			}
		})
	}
}

func TestJWKSIsTheSameUntilKeysChange(t *testing.T) {
	c := newClock()
	ring := open(t, keys.NewMemoryStore(), config(c))
	first, err := ring.JWKS()
	if err != nil {
		t.Fatal(err)
	}
	c.Add(time.Hour)
	tick(t, ring)
	same, err := ring.JWKS()
	if err != nil || same.ETag != first.ETag || &same.Body[0] != &first.Body[0] {
		t.Fatalf("prepared again: %v", err)
	}
	if _, err := ring.Rotate(t.Context()); err != nil {
		t.Fatal(err)
	}
	if other, err := ring.JWKS(); err != nil || other.ETag == first.ETag {
		t.Fatalf("the old tag after a rotation: %v", err)
	}
}

func TestMaxAgeFollowsTheSchedule(t *testing.T) {
	c := newClock()
	cfg := config(c)
	cfg.RotateEvery = 24 * time.Hour
	ring := open(t, keys.NewMemoryStore(), cfg)
	at := func(after time.Duration, want time.Duration, header string) {
		t.Helper()
		c.Add(start.Add(after).Sub(c.Now()))
		d, err := ring.JWKS()
		if err != nil || d.MaxAge != want || d.CacheControl() != header {
			t.Errorf("after %s: %s, %q, %v", after, d.MaxAge, d.CacheControl(), err)
		}
	}
	at(0, 300*time.Second, "public, max-age=300")
	at(cfg.RotateEvery-pending-time.Hour, 300*time.Second, "public, max-age=300")
	at(cfg.RotateEvery-pending-90*time.Second, 90*time.Second, "public, max-age=90") // the next spare is published
	at(cfg.RotateEvery-pending-time.Millisecond, time.Second, "public, max-age=1")
	tick(t, ring)
	at(cfg.RotateEvery-pending, 300*time.Second, "public, max-age=300")
	tick(t, ring)
	at(cfg.RotateEvery-20*time.Second, 20*time.Second, "public, max-age=20") // the next key signs
	at(cfg.RotateEvery, 300*time.Second, "public, max-age=300")
	at(cfg.RotateEvery+hold-5*time.Second, 5*time.Second, "public, max-age=5") // the old one is removed
	at(cfg.RotateEvery+hold, 300*time.Second, "public, max-age=300")
}

func TestKeySet(t *testing.T) {
	ring, ids := mixedRing(t, newClock())
	other := keyRecord(t, "EdDSA").ID
	tests := []struct {
		name, kid, alg, want string // want "": unknown
	}{
		{"active", ids["ES256"], "ES256", ids["ES256"]},
		{"retired", ids["RS256"], "RS256", ids["RS256"]},
		{"pending", only(t, inState(ring, keys.StatePending)), "ES256", only(t, inState(ring, keys.StatePending))},
		{"the other name of EdDSA", ids["EdDSA"], "Ed25519", ids["EdDSA"]},
		{"unknown", other, "EdDSA", ""},
		{"algorithm of another type", ids["RS256"], "HS256", ""},
		{"another algorithm of the type", ids["RS256"], "RS512", ""},
		{"another parameter set", ids["ML-DSA-44"], "ML-DSA-65", ""},
		{"no id, one key fits", "", "RS256", ids["RS256"]},
		{"no id, two keys fit", "", "ES256", ""},
		{"no id, no key fits", "", "ML-DSA-87", ""},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			key, err := ring.Key(t.Context(), test.kid, test.alg)
			switch {
			case test.want == "" && !errors.Is(err, clientauth.ErrUnknownKey):
				t.Fatalf("got %v, %v", key, err)
			case test.want != "" && (err != nil || key.ID != test.want):
				t.Fatalf("got %v, %v", key, err)
			}
		})
	}
}

// The process that has changed the keys publishes them in the order in which the others find them, so that the ETag is one.
func TestJWKSIsTheSameInEveryProcess(t *testing.T) {
	c, store := newClock(), keys.NewMemoryStore()
	a := open(t, store, config(c))
	b := open(t, store, config(c))
	for range 5 {
		if _, err := a.Rotate(t.Context()); err != nil {
			t.Fatal(err)
		}
		c.Add(time.Minute)
		tick(t, a, b)
		here, err := a.JWKS()
		if err != nil {
			t.Fatal(err)
		}
		there, err := b.JWKS()
		if err != nil {
			t.Fatal(err)
		}
		if here.ETag != there.ETag || !bytes.Equal(here.Body, there.Body) {
			t.Errorf("%s\n%s", here.Body, there.Body)
		}
	}
}
