package storetest

import (
	"context"
	"errors"
	"slices"
	"testing"
	"time"

	"github.com/picoauth/picoauth/serverauth/keys"
)

type keyEnv = env[keys.Store]

// Keys is what every keys.Store must do.
func Keys(t *testing.T, fresh Fresh[keys.Store]) {
	t.Helper()
	run(t, fresh, []test[keys.Store]{
		{"empty at first", keysEmpty},
		{"records are kept as they are", keysKept},
		{"changes and deletions", keysChanged},
		{"an error writes nothing", keysUnchanged},
		{"no memory is shared", keysShareNothing},
		{"one update at a time", keysExclusive},
		{"readers see whole records", keysWhole},
		{"a ring for two processes", keysRings},
		{"an ended context", keysCancelled},
		{"a crash", keysCrash},
		{"a lost commit", keysLostCommit},
		{"broken off", keysBrokenOff},
	})
}

// keySuite is an env with a handle.
type keySuite struct {
	keyEnv
	store keys.Store
}

func keyStore(e keyEnv) keySuite { return keySuite{e, e.open()} }

// records returns new records: keys of an algorithm as a ring makes them, and its secrets.
func (s keySuite) records(algorithm string) []keys.Record {
	s.Helper()
	store := keys.NewMemoryStore()
	config := keys.DefaultConfig()
	config.Algorithm = algorithm
	ring, err := keys.Open(background, store, config)
	s.ok(err)
	_, err = ring.Secret(background, "storetest")
	s.ok(err)
	records, err := store.Load(background)
	s.ok(err)
	return records
}

func secret(name string) keys.Record {
	return keys.Record{
		ID: "secret." + name, Kind: keys.KindSecret, CreatedAt: time.Date(2026, 1, 2, 3, 4, 5, 678e6, time.UTC),
		Private: []byte("0123456789abcdef0123456789abcdef"),
	}
}

// put adds records.
func (s keySuite) put(store keys.Store, records ...keys.Record) {
	s.Helper()
	s.ok(store.Update(background, func(before []keys.Record) ([]keys.Record, error) { return append(before, records...), nil }))
}

// holds fails unless the records are these, in any order.
func (s keySuite) holds(store keys.Store, want ...keys.Record) {
	s.Helper()
	got, err := store.Load(background)
	s.ok(err)
	if !sameRecords(got, want) {
		s.Errorf("it has %v, not %v, or some with other fields", got, want)
	}
}

func sameRecords(got, want []keys.Record) bool {
	return len(got) == len(want) && !slices.ContainsFunc(want, func(w keys.Record) bool {
		return !slices.ContainsFunc(got, w.Equal)
	})
}

// keysLostCommit: what was committed after a copy is lost, and something else is committed in its place. A process that saw the
// lost commit must not take the one for the other.
func keysLostCommit(e keyEnv) {
	if e.Copy == nil {
		return // it goes back with its process only
	}
	s, other := keyStore(e), e.open()
	s.put(s.store, secret("a"))
	putBack := e.Copy(e.T)
	s.put(s.store, secret("lost"))
	s.holds(s.store, secret("a"), secret("lost"))
	s.holds(other, secret("a"), secret("lost"))
	putBack()
	s.put(e.open(), secret("instead"))
	for _, store := range []keys.Store{s.store, other, e.open()} {
		s.holds(store, secret("a"), secret("instead"))
	}
}

func keysEmpty(e keyEnv) {
	s := keyStore(e)
	s.holds(s.store)
	s.put(s.store) // nothing
	s.holds(e.open())
}

func keysKept(e keyEnv) {
	s := keyStore(e)
	records := append(s.records("EdDSA"), s.records("ML-DSA-44")...)
	records = slices.DeleteFunc(records, func(r keys.Record) bool { return r.Kind == keys.KindSecret })
	stolen := records[0].Clone()
	records = append(records[1:], secret("a"), secret("b-2_c"))
	stolen.CompromisedAt, stolen.Private = stolen.CreatedAt.Add(time.Minute), nil
	records = append(records, stolen)
	s.put(s.store, records...)
	s.holds(s.store, records...)
	s.holds(e.open(), records...)
}

func keysChanged(e keyEnv) {
	s := keyStore(e)
	other := e.open()
	a, b, c := secret("a"), secret("b"), secret("c")
	s.put(s.store, a, b)
	s.holds(other, a, b) // what it has read must not keep it from seeing what comes
	changed := b
	changed.Private = []byte("fedcba9876543210fedcba9876543210")
	e.ok(other.Update(background, func(records []keys.Record) ([]keys.Record, error) {
		if !sameRecords(records, []keys.Record{a, b}) {
			e.Errorf("it changes %v", records)
		}
		return []keys.Record{changed, c}, nil
	}))
	for _, store := range []keys.Store{s.store, other, e.open()} {
		s.holds(store, changed, c)
	}
	e.ok(s.store.Update(background, func([]keys.Record) ([]keys.Record, error) { return nil, nil }))
	for _, store := range []keys.Store{s.store, other, e.open()} {
		s.holds(store)
	}
}

func keysUnchanged(e keyEnv) {
	s := keyStore(e)
	a := secret("a")
	s.put(s.store, a)
	no := errors.New("no")
	err := s.store.Update(background, func(records []keys.Record) ([]keys.Record, error) {
		records[0].CreatedAt = time.Now()
		return append(records, secret("b")), no
	})
	if !errors.Is(err, no) {
		e.Errorf("the error is %v", err)
	}
	other := e.open()
	s.holds(other, a)
	s.put(other, secret("c")) // nothing is locked
	s.holds(s.store, a, secret("c"))
}

func keysShareNothing(e keyEnv) {
	s := keyStore(e)
	mine := secret("a")
	s.put(s.store, mine)
	clear(mine.Private)
	for range 2 {
		records, err := s.store.Load(background)
		e.ok(err)
		for _, r := range records {
			clear(r.Private)
			clear(r.Public)
		}
	}
	s.holds(s.store, secret("a"))
}

func keysCancelled(e keyEnv) {
	s := keyStore(e)
	ctx := ended()
	if _, err := s.store.Load(ctx); !errors.Is(err, context.Canceled) {
		e.Errorf("Load: %v", err)
	}
	err := s.store.Update(ctx, func(records []keys.Record) ([]keys.Record, error) { return append(records, secret("a")), nil })
	if !errors.Is(err, context.Canceled) {
		e.Errorf("Update: %v", err)
	}
	s.holds(e.open())
}

func keysCrash(e keyEnv) {
	s := keyStore(e)
	s.put(s.store, secret("a"))
	s.put(s.store, secret("b"))
	s.store = e.crash()
	s.holds(s.store, secret("a"), secret("b"))
	s.put(s.store, secret("c"))
}
