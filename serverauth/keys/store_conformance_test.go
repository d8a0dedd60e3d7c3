package keys_test

import (
	"context"
	"errors"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/picoauth/picoauth/serverauth/keys"
)

// storeHandles opens a fresh, empty storage and returns a way to get further handles on it, such as other processes
// have.
type storeHandles func(t *testing.T) (handle func() keys.Store)

// testStore is what every Store must do; see the promises there. It needs nothing but the exported API.
func testStore(t *testing.T, fresh storeHandles) {
	for _, test := range []struct {
		name string
		run  func(t *testing.T, handle func() keys.Store)
	}{
		{"empty at first", storeIsEmpty},
		{"keeps what was written", storeKeeps},
		{"changes and deletes", storeChangesAndDeletes},
		{"an error writes nothing", storeErrorWritesNothing},
		{"shares no memory", storeSharesNoMemory},
		{"one update at a time", storeExcludes},
		{"readers see whole records", storeReadersSeeWholeRecords},
		{"an ended context", storeObeysContext},
	} {
		t.Run(test.name, func(t *testing.T) { test.run(t, fresh(t)) })
	}
}

func storeIsEmpty(t *testing.T, handle func() keys.Store) {
	if records := load(t, handle()); len(records) != 0 {
		t.Fatalf("%d records", len(records))
	}
}

func storeKeeps(t *testing.T, handle func() keys.Store) {
	written := []keys.Record{secretRecord("refresh"), tombstone(t)}
	for _, algorithm := range []string{"ES256", "EdDSA", "ML-DSA-87"} {
		written = append(written, fullRecord(t, algorithm))
	}
	wiped := fullRecord(t, "EdDSA")
	wiped.Private = nil
	written = append(written, wiped)
	put(t, handle(), written...)
	read := load(t, handle())
	for _, r := range written {
		if !read[r.ID].Equal(r) {
			t.Errorf("%s came back as %s, with other fields", r, read[r.ID])
		}
	}
	if len(read) != len(written) {
		t.Errorf("%d records, not %d", len(read), len(written))
	}
}

func storeChangesAndDeletes(t *testing.T, handle func() keys.Store) {
	a, b, c := fullRecord(t, "EdDSA"), fullRecord(t, "EdDSA"), fullRecord(t, "EdDSA")
	first, second := handle(), handle()
	put(t, first, a, b)
	load(t, second)
	err := second.Update(t.Context(), func(records []keys.Record) ([]keys.Record, error) {
		records = slices.DeleteFunc(records, func(r keys.Record) bool { return r.ID == a.ID })
		records[0].CompromisedAt, records[0].Private = start, nil
		return append(records, c), nil
	})
	if err != nil {
		t.Fatal(err)
	}
	b.CompromisedAt, b.Private = start, nil
	for _, store := range []keys.Store{first, second, handle()} {
		read := load(t, store)
		if len(read) != 2 || !read[b.ID].Equal(b) || !read[c.ID].Equal(c) {
			t.Fatalf("got %v", read)
		}
	}
}

func storeErrorWritesNothing(t *testing.T, handle func() keys.Store) {
	a := fullRecord(t, "EdDSA")
	store := handle()
	put(t, store, a)
	no := errors.New("no")
	err := store.Update(t.Context(), func(records []keys.Record) ([]keys.Record, error) {
		records[0].TokenLifetime *= 2
		return append(records, fullRecord(t, "EdDSA")), no
	})
	if !errors.Is(err, no) {
		t.Fatalf("got %v", err)
	}
	if read := load(t, handle()); len(read) != 1 || !read[a.ID].Equal(a) {
		t.Fatalf("got %v", read)
	}
	put(t, handle(), fullRecord(t, "EdDSA")) // the lock is free again
}

func storeSharesNoMemory(t *testing.T, handle func() keys.Store) {
	a := fullRecord(t, "EdDSA")
	mine := a.Clone()
	store := handle()
	put(t, store, mine)
	clear(mine.Private)
	clear(load(t, store)[a.ID].Private)
	clear(load(t, store)[a.ID].Public)
	if !load(t, store)[a.ID].Equal(a) {
		t.Fatal("the store's record was changed from outside")
	}
}

// Each of many handles counts up a number that the records hold; a lost update would lose a count.
func storeExcludes(t *testing.T, handle func() keys.Store) {
	const handles, rounds = 4, 10
	counter := fullRecord(t, "EdDSA")
	first := counter.TokenLifetime
	put(t, handle(), counter)
	var all sync.WaitGroup
	for range handles {
		store := handle()
		all.Go(func() {
			for range rounds {
				err := store.Update(context.Background(), func(records []keys.Record) ([]keys.Record, error) {
					records[0].TokenLifetime += first
					return records, nil
				})
				if err != nil {
					t.Error(err)
				}
			}
		})
	}
	all.Wait()
	if got := load(t, handle())[counter.ID].TokenLifetime / first; got != 1+handles*rounds {
		t.Fatalf("counted %d of %d", got-1, handles*rounds)
	}
}

func storeReadersSeeWholeRecords(t *testing.T, handle func() keys.Store) {
	a, b := fullRecord(t, "EdDSA"), fullRecord(t, "ML-DSA-44")
	put(t, handle(), a, b)
	done := make(chan struct{})
	var writer sync.WaitGroup
	writer.Go(func() {
		defer close(done)
		store := handle()
		for range 30 {
			err := store.Update(context.Background(), func(records []keys.Record) ([]keys.Record, error) {
				for i := range records {
					records[i].ActivatesAt = records[i].ActivatesAt.Add(24 * time.Hour)
				}
				return records, nil
			})
			if err != nil {
				t.Error(err)
			}
		}
	})
	for reader := handle(); ; {
		for id, r := range load(t, reader) {
			if err := r.Validate(); err != nil {
				t.Fatalf("%s: %v", id, err)
			}
		}
		select {
		case <-done:
			writer.Wait()
			if read := load(t, reader); len(read) != 2 {
				t.Fatalf("%d records", len(read))
			}
			return
		default:
		}
	}
}

func storeObeysContext(t *testing.T, handle func() keys.Store) {
	store := handle()
	ended, cancel := context.WithCancel(context.Background())
	cancel()
	if _, err := store.Load(ended); !errors.Is(err, context.Canceled) {
		t.Errorf("Load: %v", err)
	}
	err := store.Update(ended, func(records []keys.Record) ([]keys.Record, error) {
		return append(records, secretRecord("late")), nil
	})
	if !errors.Is(err, context.Canceled) {
		t.Errorf("Update: %v", err)
	}
	if read := load(t, handle()); len(read) != 0 {
		t.Errorf("it wrote %v", read)
	}
}
