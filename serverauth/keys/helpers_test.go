package keys_test

import (
	"context"
	"encoding/json"
	"log/slog"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/picoauth/picoauth/serverauth/keys"
)

var start = time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC)

// clock is a time that tests move.
type clock struct {
	mu  sync.Mutex
	now time.Time
}

func newClock() *clock { return &clock{now: start} }

func (c *clock) Now() time.Time {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.now
}

func (c *clock) Add(d time.Duration) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.now = c.now.Add(d)
}

// config is a quick algorithm with the default times.
func config(c *clock) keys.Config {
	cfg := keys.DefaultConfig()
	cfg.Algorithm = "EdDSA"
	if c != nil {
		cfg.Clock = c.Now
	}
	return cfg
}

func open(t testing.TB, store keys.Store, cfg keys.Config) *keys.Ring {
	t.Helper()
	ring, err := keys.Open(t.Context(), store, cfg)
	if err != nil {
		t.Fatal(err)
	}
	return ring
}

func tick(t testing.TB, rings ...*keys.Ring) {
	t.Helper()
	for _, ring := range rings {
		if err := ring.Tick(t.Context()); err != nil {
			t.Fatal(err)
		}
	}
}

func signerID(t testing.TB, ring *keys.Ring) string {
	t.Helper()
	signer, err := ring.Signer()
	if err != nil {
		t.Fatal(err)
	}
	return signer.KeyID
}

// inState returns the ids of the keys in a state, the newest first.
func inState(ring *keys.Ring, state keys.State) (ids []string) {
	for _, key := range ring.List() {
		if key.State == state {
			ids = append(ids, key.ID)
		}
	}
	return ids
}

func only(t testing.TB, ids []string) string {
	t.Helper()
	if len(ids) != 1 {
		t.Fatalf("one key expected, not %d", len(ids))
	}
	return ids[0]
}

func publishes(ring *keys.Ring, kid string) bool {
	for _, key := range ring.PublishedKeys() {
		if key.ID == kid {
			return true
		}
	}
	return false
}

func itoa(n int) string { return strconv.Itoa(n) }

// claims is a token body that expires at a time.
func claims(expires time.Time) []byte {
	return []byte(`{"sub":"alice","exp":` + strconv.FormatInt(expires.Unix(), 10) + `}`)
}

func documentIDs(t testing.TB, d keys.Document) (ids []string) {
	t.Helper()
	var set struct {
		Keys []struct {
			ID string `json:"kid"`
		}
	}
	if err := json.Unmarshal(d.Body, &set); err != nil {
		t.Fatal(err)
	}
	for _, key := range set.Keys {
		ids = append(ids, key.ID)
	}
	return ids
}

// logBook collects log lines.
type logBook struct {
	mu   sync.Mutex
	text strings.Builder
}

func (l *logBook) Write(p []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.text.Write(p)
}

func (l *logBook) String() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.text.String()
}

func (l *logBook) logger() *slog.Logger { return slog.New(slog.NewTextHandler(l, nil)) }

// keyRecord is a whole key record with times.
func keyRecord(t testing.TB, algorithm string) keys.Record {
	t.Helper()
	r, err := keys.NewKeyRecord(algorithm)
	if err != nil {
		t.Fatal(err)
	}
	r.CreatedAt, r.TokenLifetime = start, 15*time.Minute
	return r
}

func secretRecord(name string) keys.Record {
	return keys.Record{ID: "secret." + name, Kind: keys.KindSecret, CreatedAt: start, Private: make([]byte, keys.SecretSize)}
}

func put(t testing.TB, store keys.Store, records ...keys.Record) {
	t.Helper()
	err := store.Update(context.Background(), func(before []keys.Record) ([]keys.Record, error) {
		return append(before, records...), nil
	})
	if err != nil {
		t.Fatal(err)
	}
}

func load(t testing.TB, store keys.Store) map[string]keys.Record {
	t.Helper()
	records, err := store.Load(context.Background())
	if err != nil {
		t.Fatal(err)
	}
	byID := map[string]keys.Record{}
	for _, r := range records {
		byID[r.ID] = r
	}
	if len(byID) != len(records) {
		t.Fatalf("%d records with %d ids", len(records), len(byID))
	}
	return byID
}
