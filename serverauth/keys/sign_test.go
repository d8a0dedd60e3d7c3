package keys_test

import (
	"context"
	"encoding/base64"
	"encoding/json"
	"errors"
	"math"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/picoauth/picoauth/clientauth"
	"github.com/picoauth/picoauth/serverauth/keys"
)

func TestSignEveryAlgorithm(t *testing.T) {
	for _, algorithm := range keys.Algorithms() {
		t.Run(algorithm, func(t *testing.T) {
			c, store := newClock(), keys.NewMemoryStore()
			signer, spare := keyRecord(t, algorithm), keyRecord(t, algorithm)
			signer.ActivatesAt = start
			put(t, store, signer, spare)
			cfg := config(c)
			cfg.Algorithm = algorithm
			ring := open(t, store, cfg)
			expires := c.Now().Add(time.Minute)
			body := claims(expires)
			for _, typ := range []string{"at+jwt", "rt+jwt"} {
				token, err := ring.Sign(typ, body, expires.Unix())
				if err != nil {
					t.Fatal(err)
				}
				checkToken(t, ring, token, typ, algorithm, signer.ID, body)
			}
		})
	}
}

func checkToken(t *testing.T, set clientauth.KeySet, token, typ, algorithm, kid string, body []byte) {
	t.Helper()
	parts := strings.Split(token, ".")
	if len(parts) != 3 {
		t.Fatalf("%d parts", len(parts))
	}
	decode := func(text string) []byte {
		data, err := base64.RawURLEncoding.Strict().DecodeString(text)
		if err != nil {
			t.Fatal(err)
		}
		return data
	}
	var header map[string]string
	if err := json.Unmarshal(decode(parts[0]), &header); err != nil {
		t.Fatal(err)
	}
	if len(header) != 3 || header["alg"] != algorithm || header["kid"] != kid || header["typ"] != typ {
		t.Fatalf("header %v", header)
	}
	if got := decode(parts[1]); string(got) != string(body) {
		t.Fatalf("claims %s", got)
	}
	key, err := set.Key(context.Background(), header["kid"], header["alg"])
	if err != nil {
		t.Fatal(err)
	}
	if err := key.Verify(algorithm, parts[0]+"."+parts[1], decode(parts[2])); err != nil {
		t.Fatal(err)
	}
}

func TestSignRefuses(t *testing.T) {
	c := newClock()
	ring := open(t, keys.NewMemoryStore(), config(c))
	lifetime := keys.DefaultConfig().TokenLifetime
	tests := []struct {
		name    string
		expires time.Time
		valid   bool
	}{
		{"the longest token", c.Now().Add(lifetime), true},
		{"an expired token", time.Unix(1, 0), true},
		{"a longer token", c.Now().Add(lifetime + 2*time.Second), false},
		{"a token for ever", time.Unix(math.MaxInt64, 0), false},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			_, err := ring.Sign("at+jwt", claims(test.expires), test.expires.Unix())
			if (err == nil) != test.valid || err != nil && !errors.Is(err, keys.ErrTokenLifetime) {
				t.Fatalf("got %v", err)
			}
		})
	}
}

// flakyStore fails on demand.
type flakyStore struct {
	keys.Store
	mu   sync.Mutex
	down error
}

func (s *flakyStore) set(down error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.down = down
}

func (s *flakyStore) err() error {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.down
}

func (s *flakyStore) Load(ctx context.Context) ([]keys.Record, error) {
	if err := s.err(); err != nil {
		return nil, err
	}
	return s.Store.Load(ctx)
}

func (s *flakyStore) Update(ctx context.Context, change func([]keys.Record) ([]keys.Record, error)) error {
	if err := s.err(); err != nil {
		return err
	}
	return s.Store.Update(ctx, change)
}

// A process that cannot read the store signs for 30 s, verifies for as long as a client with a cache, and recovers.
func TestStoreGoesAway(t *testing.T) {
	c := newClock()
	store := &flakyStore{Store: keys.NewMemoryStore()}
	cfg := config(c)
	ring := open(t, store, cfg)
	kid := signerID(t, ring)
	gone := errors.New("gone")
	store.set(gone)
	works := func(signs, verifies, ready bool) {
		t.Helper()
		_, err := ring.Sign("at+jwt", claims(c.Now()), c.Now().Unix())
		if signs != (err == nil) || !signs && !errors.Is(err, keys.ErrUnavailable) {
			t.Errorf("Sign: %v", err)
		}
		if _, err := ring.JWKS(); signs != (err == nil) || !signs && !errors.Is(err, gone) {
			t.Errorf("JWKS: %v", err)
		}
		_, err = ring.Key(t.Context(), kid, "EdDSA")
		if verifies != (err == nil) || !verifies && !errors.Is(err, clientauth.ErrKeysUnavailable) {
			t.Errorf("Key: %v", err)
		}
		if err := ring.Ready(t.Context()); ready != (err == nil) {
			t.Errorf("Ready: %v", err)
		}
	}
	works(true, true, true)
	c.Add(30 * time.Second)
	if err := ring.Tick(t.Context()); !errors.Is(err, gone) {
		t.Fatalf("Tick: %v", err)
	}
	works(true, true, false)
	c.Add(time.Second)
	works(false, true, false)
	c.Add(cfg.CacheTime)
	works(false, false, false)
	if _, err := ring.Rotate(t.Context()); !errors.Is(err, gone) {
		t.Errorf("Rotate: %v", err)
	}
	store.set(nil)
	tick(t, ring)
	works(true, true, true)
}

// After a pause, or in a test that moved the clock, the first request reads the store itself.
func TestFirstRequestAfterAPauseCatchesUp(t *testing.T) {
	c, store := newClock(), keys.NewMemoryStore()
	ring, other := open(t, store, config(c)), open(t, store, config(c))
	c.Add(pending)
	key, err := other.Rotate(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	var all sync.WaitGroup
	for range 20 {
		all.Go(func() {
			if signer, err := ring.Signer(); err != nil || signer.KeyID != key.ID {
				t.Errorf("%v %v", signer, err)
			}
		})
	}
	all.Wait()
}
