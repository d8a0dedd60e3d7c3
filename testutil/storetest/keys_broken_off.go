package storetest

import (
	"context"
	"slices"

	"github.com/picoauth/picoauth/serverauth/keys"
)

// A broken update leaves the records as they were, or the first part of the writing.
func keysBrokenOff(e keyEnv) {
	a, b, c := secret("a"), secret("b"), secret("c")
	changed := a
	changed.Private = []byte("fedcba9876543210fedcba9876543210")
	prefixes := [][]keys.Record{{a, b}, {changed, b}, {changed, b, c}, {changed, c}}
	update := func(e keyEnv, store keys.Store, _ int) (call, check[keys.Store]) {
		s := keySuite{e, store}
		e.ok(store.Update(background, func([]keys.Record) ([]keys.Record, error) { return []keys.Record{a, b}, nil }))
		run := func(ctx context.Context) error {
			return store.Update(ctx, func([]keys.Record) ([]keys.Record, error) { return []keys.Record{changed, c}, nil })
		}
		return run, func(other keys.Store, err error) {
			found, errLoad := other.Load(background)
			e.ok(errLoad)
			if !slices.ContainsFunc(prefixes, func(p []keys.Record) bool { return sameRecords(found, p) }) {
				e.Errorf("then it has %v", found)
			}
			if err == nil {
				s.holds(other, changed, c)
			}
		}
	}
	load := func(e keyEnv, store keys.Store, _ int) (call, check[keys.Store]) {
		s := keySuite{e, store}
		e.ok(store.Update(background, func([]keys.Record) ([]keys.Record, error) { return []keys.Record{a, b}, nil }))
		run := func(ctx context.Context) error {
			found, err := store.Load(ctx)
			if err == nil && !sameRecords(found, []keys.Record{a, b}) {
				e.Errorf("it loads %v", found)
			}
			return err
		}
		return run, func(other keys.Store, _ error) { s.holds(store, a, b); s.holds(other, a, b) }
	}
	brokenOff(e, []operation[keys.Store]{{"update", update}, {"load", load}})
}
