package storetest

import (
	"context"
	"crypto/sha256"
	"strings"
	"sync/atomic"
	"testing"

	"github.com/picoauth/picoauth/serverauth/store"
)

type usedEnv = env[store.UsedStore]

// Used is what every UsedStore must do.
func Used(t *testing.T, fresh Fresh[store.UsedStore]) {
	t.Helper()
	run(t, fresh, []test[store.UsedStore]{
		{"once", usedOnce},
		{"the note is the first one's", usedNote},
		{"one of a hundred is the first", usedRace},
		{"prune", usedPruned},
		{"an ended context", usedCancelled},
		{"a crash", usedCrash},
		{"broken off", usedBrokenOff},
	})
}

func usedID(text string) [32]byte { return sha256.Sum256([]byte(text)) }

// use fails unless the store says that an id is used for the first time, or not.
func use(e usedEnv, in store.UsedStore, id [32]byte, first bool) {
	e.Helper()
	got, err := in.Use(background, id, nil, e.ms()+60_000)
	e.ok(err)
	if got != first {
		e.Errorf("first: %v", got)
	}
}

func usedOnce(e usedEnv) {
	s, other := e.open(), e.open()
	ids := [][32]byte{{}, {31: 1}, {1: 0xff}, usedID("a")}
	for _, id := range ids {
		use(e, s, id, true)
	}
	for _, id := range ids {
		use(e, s, id, false)
		use(e, other, id, false)
	}
}

func usedRace(e usedEnv) {
	handles := e.two()
	for n := range 3 {
		var found tally[bool]
		var note atomic.Value
		race(racers, func(i int) {
			first, err := handles[i%2].Use(background, usedID(numbered("race", n)), []byte(numbered("note", i)), e.ms()+60_000)
			if err != nil {
				e.Error(err)
			}
			if first {
				note.Store(numbered("note", i))
			}
			found.add(first)
		})
		found.must(e.T, true, 1)
		hasNote(e, handles[n%2], usedID(numbered("race", n)), note.Load().(string))
	}
}

func usedPruned(e usedEnv) {
	s := e.open()
	if e.Expires {
		return // it forgets by a clock that cannot be set
	}
	now := e.ms()
	for i, until := range []int64{now - 1, now, now + 1} {
		first, err := s.Use(background, usedID(numbered("prune", i)), nil, until)
		e.ok(err)
		if !first {
			e.Error("it was used before")
		}
	}
	if n, err := s.Prune(background, now, 10); n != 1 || err != nil {
		e.Errorf("pruned %d, %v", n, err)
	}
	for i := range 2 {
		use(e, s, usedID(numbered("prune", 1+i)), false)
	}
	if n, err := s.Prune(background, now+10, 1); n != 1 || err != nil {
		e.Errorf("pruned %d, %v", n, err)
	}
}

func usedCancelled(e usedEnv) {
	s := e.open()
	if first, err := s.Use(ended(), usedID("a"), nil, e.ms()+60_000); err != nil {
		refusedWhole(e, err)
		use(e, s, usedID("a"), true)
	} else if !first {
		e.Error("it was used before")
	}
	_, err := s.Prune(ended(), e.ms(), 10)
	refusedWhole(e, err)
	use(e, s, usedID("a"), false)
}

func usedCrash(e usedEnv) {
	first, err := e.open().Use(background, usedID("a"), []byte("why"), e.ms()+60_000)
	e.ok(err)
	if !first {
		e.Error("it was used before")
	}
	s := e.crash()
	use(e, s, usedID("a"), false)
	hasNote(e, s, usedID("a"), "why")
}

// hasNote fails unless an id was used with a note.
func hasNote(e usedEnv, in store.UsedStore, id [32]byte, want string) {
	e.Helper()
	note, used, err := in.Note(background, id)
	e.ok(err)
	if !used || string(note) != want {
		e.Errorf("used: %v, note %.40q, not %.40q", used, note, want)
	}
}

func usedNote(e usedEnv) {
	handles := e.two()
	if note, used, err := handles[0].Note(background, usedID("a")); used || len(note) > 0 || err != nil {
		e.Errorf("used: %v, note %q, %v", used, note, err)
	}
	for i, text := range []string{"", "why", "\x00ñ💙", strings.Repeat("n", 4096)} {
		id := usedID(numbered("note", i))
		for n, note := range []string{text, "another", ""} {
			first, err := handles[n%2].Use(background, id, []byte(note), e.ms()+60_000)
			e.ok(err)
			if first != (n == 0) {
				e.Errorf("first: %v", first)
			}
			hasNote(e, handles[1-n%2], id, text)
		}
	}
}

// Nobody is ever told twice that it is the first time.
func usedBrokenOff(e usedEnv) {
	brokenOff(e, []operation[store.UsedStore]{{"use", func(e usedEnv, handle store.UsedStore, n int) (call, check[store.UsedStore]) {
		id, note, answered := usedID(numbered("broken off", n)), []byte(numbered("note", n)), false
		run := func(ctx context.Context) error {
			first, err := handle.Use(ctx, id, note, e.ms()+60_000)
			answered = first && err == nil
			if err == nil && !first {
				e.Error("it was used before")
			}
			return err
		}
		return run, func(other store.UsedStore, _ error) {
			again, err := other.Use(background, id, []byte("another"), e.ms()+60_000)
			e.ok(err)
			if again && answered {
				e.Error("used twice")
			}
			if answered {
				hasNote(e, other, id, string(note))
			}
		}
	}}})
}
