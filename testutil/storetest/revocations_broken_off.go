package storetest

import (
	"context"
	"slices"

	authstore "github.com/picoauth/picoauth/serverauth/store"
)

func revocationsBrokenOff(e revocationEnv) {
	brokenOff(e, []operation[authstore.RevocationStore]{
		{"add", addBrokenOff},
		{"since", sinceBrokenOff},
		{"prune", pruneRevocationsBrokenOff},
	})
}

// The items of one call are there together, each once, or none is; adding them again changes nothing.
func addBrokenOff(e revocationEnv, store authstore.RevocationStore, n int) (call, check[authstore.RevocationStore]) {
	s := revocationSuite{e, store}
	items := []authstore.Revocation{s.token(10 * n), s.token(10*n + 1), s.token(10*n + 2)}
	items[1].JTI, items[1].SID = "", items[1].JTI
	before, err := readRevocations(background, store, 0)
	e.ok(err)
	run := func(ctx context.Context) error {
		stored, err := store.Add(ctx, items)
		if err == nil && !slices.Equal(stored, items) {
			e.Errorf("got %+v", stored)
		}
		return err
	}
	return run, func(other authstore.RevocationStore, err error) {
		page, errSince := readRevocations(background, other, before.Seq)
		e.ok(errSince)
		if page.Full || !slices.Equal(page.Items, items) && (err == nil || len(page.Items) > 0) || page.Seq < before.Seq {
			e.Errorf("then %+v", page)
		}
		s.add(other, items, items...)
		s.since(other, before.Seq, false, items...)
	}
}

func sinceBrokenOff(e revocationEnv, store authstore.RevocationStore, n int) (call, check[authstore.RevocationStore]) {
	s := revocationSuite{e, store}
	before, err := readRevocations(background, store, 0)
	e.ok(err)
	item := s.token(10 * n)
	s.addNew(item)
	run := func(ctx context.Context) error {
		page, err := readRevocations(ctx, store, before.Seq)
		if err == nil && (len(page.Items) != 1 || page.Items[0] != item || page.Full) {
			e.Errorf("got %+v", page)
		}
		return err
	}
	return run, func(authstore.RevocationStore, error) {}
}

func pruneRevocationsBrokenOff(e revocationEnv, store authstore.RevocationStore, n int) (call, check[authstore.RevocationStore]) {
	s := revocationSuite{e, store}
	old, item := s.token(10*n), s.token(10*n+1)
	old.Exp = s.seconds() + 1
	s.addNew(old, item)
	all, err := readRevocations(background, store, 0)
	e.ok(err)
	run := func(ctx context.Context) error {
		_, err := store.Prune(ctx, s.seconds()+60, 1000)
		return err
	}
	return run, func(other authstore.RevocationStore, err error) {
		page, errSince := readRevocations(background, other, 0)
		e.ok(errSince)
		pruned := slices.DeleteFunc(slices.Clone(all.Items), func(r authstore.Revocation) bool { return r.Exp == s.seconds()+1 })
		if !slices.Equal(page.Items, pruned) && (err == nil || !slices.Equal(page.Items, all.Items)) || page.Seq < all.Seq {
			e.Errorf("then %d items of %d", len(page.Items), len(all.Items))
		}
	}
}
