package storetest

import (
	"context"
	"slices"
	"strings"
	"testing"

	authstore "github.com/picoauth/picoauth/serverauth/store"
)

type revocationEnv = env[authstore.RevocationStore]

// Revocations is what every RevocationStore must do.
func Revocations(t *testing.T, fresh Fresh[authstore.RevocationStore]) {
	t.Helper()
	run(t, fresh, []test[authstore.RevocationStore]{
		{"empty at first", revocationsEmpty},
		{"an item is kept as it is", revocationIsKept},
		{"revoking twice", revocationTwice},
		{"a subject each time", revocationOfSubject},
		{"one of a hundred is the first", revocationRace},
		{"since", revocationsSince},
		{"a follower misses nothing", revocationsFollowed},
		{"the sequence never falls", revocationSequence},
		{"older than what was pruned", revocationsSincePruned},
		{"pruning on the edge", revocationsPruned},
		{"pages", revocationPages},
		{"a lost commit", revocationsLost},
		{"a lost commit between pages", revocationsLostBetweenPages},
		{"an ended context", revocationCancelled},
		{"a crash", revocationCrash},
		{"broken off", revocationsBrokenOff},
		{"a million", revocationsMany},
	})
}

// revocationSuite is an env with a handle.
type revocationSuite struct {
	revocationEnv
	store authstore.RevocationStore
}

func revocations(e revocationEnv) revocationSuite { return revocationSuite{e, e.open()} }

// token is an item for the n-th token, which is forgotten in an hour.
func (s revocationSuite) token(n int) authstore.Revocation {
	return authstore.Revocation{
		JTI: numbered("jti", n), RevokedAt: s.seconds(), Reason: "a reason", RevokedBy: "operator", Exp: s.seconds() + 3600,
	}
}

// add adds items and fails unless the store says that they are there as want.
func (s revocationSuite) add(store authstore.RevocationStore, items []authstore.Revocation, want ...authstore.Revocation) {
	s.Helper()
	stored, err := store.Add(background, items)
	s.ok(err)
	if !slices.Equal(stored, want) {
		s.Errorf("adding %+v\n got %+v\nwant %+v", items, stored, want)
	}
}

func (s revocationSuite) addNew(items ...authstore.Revocation) {
	s.Helper()
	s.add(s.store, items, items...)
}

// since returns what came after seq, and fails unless it is want.
func (s revocationSuite) since(store authstore.RevocationStore, seq int64, full bool, want ...authstore.Revocation) int64 {
	s.Helper()
	page, err := readRevocations(background, store, seq)
	s.ok(err)
	if page.Full != full || !slices.Equal(page.Items, want) {
		s.Errorf("since %d\n got %+v, full: %v\nwant %+v, full: %v", seq, page.Items, page.Full, want, full)
	}
	return page.Seq
}

func revocationsEmpty(e revocationEnv) {
	s := revocations(e)
	seq := s.since(s.store, 0, true)
	if again := s.since(e.open(), 0, true); again != seq {
		e.Errorf("another handle is at %d, not %d", again, seq)
	}
	s.addNew() // nothing
	s.since(s.store, 0, true)
}

func revocationIsKept(e revocationEnv) {
	s := revocations(e)
	items := []authstore.Revocation{
		{JTI: "j", RevokedAt: s.seconds(), Exp: s.seconds() + 1},
		{SID: "s", RevokedAt: s.seconds(), Reason: "logout", RevokedBy: "", Exp: s.seconds() + 2},
		{Sub: "sub", RevokedAt: s.seconds() - 5, Reason: "", RevokedBy: "x", Exp: s.seconds() + 3},
		{KID: "k", RevokedAt: 0, Reason: "stolen", RevokedBy: "y", Exp: s.seconds() + 1<<32},
		{JTI: "j2", SID: "s2", Sub: "sub2", KID: "k2", RevokedAt: s.seconds(), Exp: s.seconds() + 4},
		{JTI: "'; DROP TABLE x; --", Reason: "line\nline\x00 \"\\ ñ 💙 $1 %s {tag}", RevokedBy: "é", Exp: s.seconds() + 5},
		{SID: "j", RevokedAt: s.seconds(), Exp: s.seconds() + 6}, // the same text in another field is something else
		{KID: "j", RevokedAt: s.seconds(), Exp: s.seconds() + 7},
		{JTI: strings.Repeat("j", huge), Reason: strings.Repeat("r", huge), Exp: s.seconds() + 8},
		{Sub: strings.Repeat("s", huge), Exp: s.seconds() + 9},
	}
	s.addNew(items...)
	s.since(e.open(), 0, true, items...)
}

func revocationTwice(e revocationEnv) {
	s := revocations(e)
	other := e.open()
	fresh := s.token(100)
	for n, item := range []authstore.Revocation{{JTI: "a"}, {SID: "a"}, {KID: "a"}} {
		item.RevokedAt, item.Exp, item.Reason = s.seconds(), s.seconds()+3600, "first"
		s.addNew(item)
		second := item
		second.RevokedAt, second.Exp, second.Reason, second.RevokedBy = s.seconds()+9, s.seconds()+9999, "second", "another"
		seq := s.since(s.store, 0, true, append([]authstore.Revocation{}, s.firsts(n+1)...)...)
		for _, store := range []authstore.RevocationStore{s.store, other} {
			s.add(store, []authstore.Revocation{second, second}, item, item)
			s.since(store, seq, false)
		}
	}
	one := s.token(1)
	twice := one
	twice.Reason = "the same once more"
	old := s.firsts(1)[0]
	s.add(other, []authstore.Revocation{one, old, twice, fresh}, one, old, one, fresh)
	s.since(s.store, 0, true, append(s.firsts(3), one, fresh)...)
}

// firsts returns the first n items that revocationTwice adds.
func (s revocationSuite) firsts(n int) []authstore.Revocation {
	items := []authstore.Revocation{{JTI: "a"}, {SID: "a"}, {KID: "a"}}[:n]
	for i := range items {
		items[i].RevokedAt, items[i].Exp, items[i].Reason = s.seconds(), s.seconds()+3600, "first"
	}
	return items
}

func revocationOfSubject(e revocationEnv) {
	s := revocations(e)
	item := authstore.Revocation{Sub: alice, RevokedAt: s.seconds(), Reason: "lost", RevokedBy: "operator", Exp: s.seconds() + 60}
	later := item
	later.RevokedAt++
	s.addNew(item)
	s.addNew(item, later)
	s.add(e.open(), []authstore.Revocation{later}, later)
	s.since(s.store, 0, true, item, item, later, later)
}

func revocationRace(e revocationEnv) {
	s := revocations(e)
	handles := [2]authstore.RevocationStore{s.store, e.open()}
	seq := s.since(s.store, 0, true)
	for n := range 3 {
		var found tally[authstore.Revocation]
		race(racers, func(i int) {
			item, mine := s.token(n), s.token(1000*(n+1)+i)
			item.RevokedBy = numbered("operator", i)
			stored, err := handles[i%2].Add(background, []authstore.Revocation{item, mine})
			if err != nil || len(stored) != 2 || stored[1] != mine {
				e.Errorf("got %+v, %v", stored, err)
				return
			}
			found.add(stored[0])
		})
		if len(found.count) != 1 {
			e.Errorf("%d answers to one revocation", len(found.count))
		}
		page, err := readRevocations(background, handles[1], seq)
		e.ok(err)
		if len(page.Items) != racers+1 {
			e.Errorf("%d items instead of %d", len(page.Items), racers+1)
		}
		seq = page.Seq
	}
}

func revocationCancelled(e revocationEnv) {
	s := revocations(e)
	ctx := ended()
	item := s.token(1)
	if _, err := s.store.Add(ctx, []authstore.Revocation{item}); err != nil {
		refusedWhole(e, err)
		s.since(s.store, 0, true)
		s.addNew(item)
	}
	if _, err := readRevocations(ctx, s.store, 0); err != nil {
		refusedWhole(e, err)
	}
	if _, err := s.store.Prune(ctx, s.seconds(), 10); err != nil {
		refusedWhole(e, err)
	}
	s.since(s.store, 0, true, item)
}

func revocationCrash(e revocationEnv) {
	s := revocations(e)
	first := s.token(1)
	s.addNew(first)
	seq := s.since(s.store, 0, true, first)
	second := s.token(2)
	s.addNew(second)
	s.store = e.crash()
	s.since(s.store, seq, false, second)
	again := first
	again.Reason = "after the crash"
	s.add(s.store, []authstore.Revocation{again}, first)
	third := s.token(3)
	s.addNew(third)
	s.since(s.store, seq, false, second, third)
	s.since(s.store, 0, true, first, second, third)
}

// readRevocations reads what came after seq, page by page.
func readRevocations(ctx context.Context, store authstore.RevocationStore, seq int64) (whole authstore.RevocationPage, err error) {
	const limit = 1000
	whole.Items = []authstore.Revocation{}
	for after := int64(0); ; {
		page, err := store.Since(ctx, seq, after, limit)
		if err != nil {
			return authstore.RevocationPage{}, err
		}
		if page.Full {
			whole.Full, whole.Items = true, whole.Items[:0]
		}
		whole.Seq, whole.Items = page.Seq, append(whole.Items, page.Items...)
		if after = page.Next; after == 0 {
			return whole, nil
		}
	}
}
