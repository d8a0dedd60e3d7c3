package storetest

import (
	"slices"
	"strings"
	"testing"

	"github.com/picoauth/picoauth/serverauth/store"
)

type linkEnv = env[store.LinkStore]

// Links is what every LinkStore must do.
func Links(t *testing.T, fresh Fresh[store.LinkStore]) {
	t.Helper()
	run(t, fresh, []test[store.LinkStore]{
		{"a link is kept as it is", linkIsKept},
		{"an absent link", linkAbsent},
		{"a wallet without a row that named a subject", linkNamed},
		{"a change is whole or nothing", linkChangeIsWhole},
		{"a wallet moves", linkMoves},
		{"long and odd names", linkOddNames},
		{"one of 64 joins wins", linkJoinRace},
		{"a guard lets one of 64 changes through", linkGuardRace},
		{"a crash", linkCrash},
		{"a lost commit", linksLostCommit},
		{"an ended context", linkCancelled},
		{"broken off", linksBrokenOff},
	})
}

// linkSuite is an env with a handle.
type linkSuite struct {
	linkEnv
	store store.LinkStore
}

func links(e linkEnv) linkSuite { return linkSuite{e, e.open()} }

// link is the n-th wallet, joined to a subject, with all its fields.
func (s linkSuite) link(n int, subject string) store.Link {
	return store.Link{
		Wallet: store.Subject{
			ID: numbered("wallet", n), Kind: store.KindWallet, Algorithm: "eip191", WalletID: numbered("id", n),
			Account: numbered("eip155:1:0x", n), Address: numbered("0x", n), WalletKind: store.WalletContract,
		},
		Subject: subject, LinkedAt: s.ms() + int64(n), Version: version(n), MAC: [32]byte{byte(n), 0, 0xff},
	}
}

func version(n int) [16]byte { return [16]byte{1, byte(n), byte(n >> 8), 15: 0xff} }

// changed is a link with another version.
func changed(row store.Link, n int) store.Link {
	row.Version, row.MAC = version(1000+n), [32]byte{9, byte(n)}
	return row
}

// added is the change that adds a row, replacing is the one that replaces another.
func added(row store.Link) store.LinkChange { return store.LinkChange{Row: row} }

func replacing(before, row store.Link) store.LinkChange {
	return store.LinkChange{Row: row, Was: before.Version}
}

// change makes changes, and fails unless they are made, or are not.
func (s linkSuite) change(links store.LinkStore, want bool, changes ...store.LinkChange) {
	s.Helper()
	done, err := links.Change(background, changes)
	s.ok(err)
	if done != want {
		s.Errorf("the change is made: %v", done)
	}
}

// is fails unless a store holds a row.
func (s linkSuite) is(links store.LinkStore, want store.Link) {
	s.Helper()
	got, found, named, err := links.Find(background, want.Wallet.ID)
	s.ok(err)
	if !found || named || got != want {
		s.Errorf("got %+v, found: %v, named: %v, and not %+v", got, found, named, want)
	}
}

// lists fails unless a subject has those rows.
func (s linkSuite) lists(links store.LinkStore, subject string, want ...store.Link) {
	s.Helper()
	got, err := links.List(background, subject)
	s.ok(err)
	slices.SortFunc(want, store.CompareLinks)
	if !slices.Equal(got, want) {
		s.Errorf("%s has %+v, and not %+v", subject, got, want)
	}
}

// isAbsent fails unless there is no row of a wallet, and rows of others for the subject of that name or none.
func (s linkSuite) isAbsent(links store.LinkStore, wallet string, wantNamed bool) {
	s.Helper()
	row, found, named, err := links.Find(background, wallet)
	s.ok(err)
	if found || named != wantNamed || row != (store.Link{}) {
		s.Errorf("%s: got %+v, found: %v, named: %v", wallet, row, found, named)
	}
}

func (s linkSuite) any(links store.LinkStore, want bool) {
	s.Helper()
	got, err := links.Any(background)
	s.ok(err)
	if got != want {
		s.Errorf("there is a link: %v", got)
	}
}

func linkIsKept(e linkEnv) {
	s := links(e)
	other := e.open()
	s.any(other, false)
	rows := []store.Link{s.link(1, "subject"), s.link(2, "subject"), s.link(3, "another")}
	rows[1].LeftAt = rows[1].LinkedAt + 1
	rows[2].Wallet = store.Subject{ID: "bare", Kind: store.KindWallet}
	s.change(s.store, true, added(rows[1]), added(rows[0]), added(rows[2]))
	for _, row := range rows {
		s.is(other, row)
	}
	s.lists(other, "subject", rows[:2]...)
	s.lists(other, "another", rows[2])
	s.any(other, true)
}

func linkAbsent(e linkEnv) {
	s := links(e)
	s.isAbsent(s.store, "wallet", false)
	s.isAbsent(s.store, "", false)
	s.lists(s.store, "subject")
	s.change(s.store, true, added(s.link(1, "subject")))
	for _, name := range []string{"wallet-", "wallet-11", "WALLET-1", "id-1", "0x-1", ""} {
		s.isAbsent(s.store, name, false)
	}
}

func linkNamed(e linkEnv) {
	s := links(e)
	row := s.link(1, "name")
	s.change(s.store, true, added(row))
	s.isAbsent(e.open(), "name", true)
	s.isAbsent(e.open(), "nam", false)
	own := s.link(2, "name")
	own.Wallet.ID = "name"
	s.change(s.store, true, added(own))
	s.is(e.open(), own)
}

func linkChangeIsWhole(e linkEnv) {
	s := links(e)
	one, two := s.link(1, "subject"), s.link(2, "subject")
	s.change(s.store, true, added(one))
	for name, changes := range map[string][]store.LinkChange{
		"a row that is there": {added(two), added(changed(one, 1))},
		"another version":     {added(two), replacing(two, changed(one, 1))},
		"no row":              {replacing(one, changed(one, 1)), replacing(one, two)},
	} {
		s.change(s.store, false, changes...)
		slices.Reverse(changes)
		s.change(s.store, false, changes...)
		s.is(e.open(), one)
		s.isAbsent(e.open(), two.Wallet.ID, false)
		if e.Failed() {
			e.Fatal(name)
		}
	}
	s.change(s.store, true, added(two), replacing(one, changed(one, 1)))
	s.lists(e.open(), "subject", changed(one, 1), two)
	s.change(s.store, false, replacing(one, changed(one, 2)))
}

func linkMoves(e linkEnv) {
	s := links(e)
	row := s.link(1, "first")
	s.change(s.store, true, added(row), added(s.link(2, "first")))
	moved := changed(row, 1)
	moved.Subject = "second"
	s.change(s.store, true, replacing(row, moved))
	s.lists(e.open(), "first", s.link(2, "first"))
	s.lists(e.open(), "second", moved)
	s.is(e.open(), moved)
	s.isAbsent(e.open(), "first", true)
	s.change(s.store, true, replacing(moved, row))
	s.isAbsent(e.open(), "second", false)
}

func linkOddNames(e linkEnv) {
	s := links(e)
	names := []string{"a b", "1 2 3", "é\x00ü", strings.Repeat("x", 8192), "'; DROP TABLE links", "{a}", "%x", " "}
	for i, name := range names {
		row := s.link(i, name)
		row.Wallet.ID = name + "'"
		s.change(s.store, true, added(row))
		s.is(e.open(), row)
		s.lists(e.open(), name, row)
	}
}

// linkJoinRace: as many subjects ask for one wallet at once, each with a guard of its own.
func linkJoinRace(e linkEnv) {
	s := links(e)
	handles := e.two()
	const joiners = 64
	for round := range 3 {
		var won tally[bool]
		winner := make(chan string, joiners)
		race(joiners, func(i int) {
			wallet := s.link(round, numbered("subject", i))
			guard := s.link(100+round*joiners+i, numbered("subject", i))
			guard.Wallet.ID, guard.Version, wallet.Version = numbered("guard", round*joiners+i), version(i+1), version(i+1)
			done, err := handles[i%2].Change(background, []store.LinkChange{added(guard), added(wallet)})
			if err != nil {
				e.Error(err)
			}
			won.add(done)
			if done {
				winner <- wallet.Subject
			}
		})
		won.must(e, true, 1)
		won.must(e, false, joiners-1)
		row, found, _, err := s.store.Find(background, s.link(round, "").Wallet.ID)
		if err != nil || !found || row.Subject != <-winner {
			e.Errorf("the wallet is %+v, %v", row, err)
		}
	}
}

// linkGuardRace: changes of other wallets that all replace the same row.
func linkGuardRace(e linkEnv) {
	s := links(e)
	handles := e.two()
	guard := s.link(0, "subject")
	s.change(s.store, true, added(guard))
	const changers = 64
	var won tally[bool]
	race(changers, func(i int) {
		done, err := handles[i%2].Change(background, []store.LinkChange{replacing(guard, changed(guard, i)), added(s.link(1+i, "subject"))})
		if err != nil {
			e.Error(err)
		}
		won.add(done)
	})
	won.must(e, true, 1)
	rows, err := s.store.List(background, "subject")
	e.ok(err)
	if len(rows) != 2 {
		e.Errorf("the subject has %d wallets", len(rows))
	}
}

func linkCrash(e linkEnv) {
	s := links(e)
	row := s.link(1, "subject")
	s.change(s.store, true, added(row))
	s.store = e.crash()
	if e.Crash == nil {
		return // it ended with its process
	}
	s.is(s.store, row)
	left := changed(row, 1)
	left.LeftAt = s.ms()
	s.change(s.store, true, replacing(row, left))
	s.is(e.crash(), left)
}

// linksLostCommit: a storage that went back holds what it held, and no change replaces a row that was lost, also once
// another one is in its place.
func linksLostCommit(e linkEnv) {
	if e.Copy == nil {
		return
	}
	s := links(e)
	kept := s.link(1, "subject")
	s.change(s.store, true, added(kept))
	putBack := e.Copy(e.T)
	lost, lostToo := changed(kept, 1), s.link(2, "subject")
	lost.LeftAt = s.ms()
	s.change(s.store, true, replacing(kept, lost), added(lostToo))
	putBack()

	s.store = e.open()
	other := e.open()
	s.is(other, kept)
	s.lists(other, "subject", kept)
	s.isAbsent(other, lostToo.Wallet.ID, false)
	s.change(other, false, replacing(lost, changed(kept, 2)))
	instead := changed(kept, 3)
	s.change(s.store, true, replacing(kept, instead))
	s.change(other, false, replacing(lost, changed(kept, 4)))
	s.change(other, false, replacing(lostToo, changed(lostToo, 5)))
	s.is(other, instead)
}

func linkCancelled(e linkEnv) {
	s := links(e)
	row := s.link(1, "subject")
	done, err := s.store.Change(ended(), []store.LinkChange{added(row)})
	refusedWhole(e, err)
	if done {
		s.is(e.open(), row)
	} else {
		s.isAbsent(e.open(), row.Wallet.ID, false)
	}
	_, _, _, err = s.store.Find(ended(), "wallet")
	refusedWhole(e, err)
	_, err = s.store.List(ended(), "subject")
	refusedWhole(e, err)
	_, err = s.store.Any(ended())
	refusedWhole(e, err)
}
