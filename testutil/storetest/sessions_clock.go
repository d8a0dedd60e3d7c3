package storetest

import (
	"time"

	"github.com/picoauth/picoauth/serverauth/store"
)

// sessionOwnClock: where the storage has a clock, a process whose own is wrong neither ends the grace nor extends it.
func sessionOwnClock(e sessionEnv) {
	if !e.OwnClock {
		return
	}
	s := sessions(e)
	row := s.create(s.wallet(1))
	lost := s.rotation(row)
	row = s.rotates(s.store, lost, store.SessionRotated)
	if off := time.Now().UnixMilli() - row.RotatedAt; off < -5*second || off > 5*second {
		e.Errorf("rotated %d ms before this machine's time", off)
	}
	for _, off := range []int64{40 * second, -40 * second, 20 * minute, -20 * minute} {
		again := lost
		again.Now += off
		if got := s.rotates(e.open(), again, store.SessionUnchanged); got != row {
			e.Errorf("with a clock that is off by %d ms it is\n%+v, not\n%+v", off, got, row)
		}
	}
	const grace = 20
	for began := time.Now(); time.Since(began).Milliseconds() <= 5*grace; {
		s.gone(s.store, "nobody") // so long does the storage's clock go on
	}
	lost.Now, lost.Grace = row.StartedAt, grace
	s.rotates(s.store, lost, store.SessionReused)
	s.gone(s.store, row.ID)
}

// sessionWentBack: a storage that was put back to an earlier state takes genuine tokens for what they are.
func sessionWentBack(e sessionEnv) {
	s := sessions(e)
	kept := s.create(s.wallet(1))
	row := kept
	for range 3 {
		row = s.rotates(s.store, s.rotation(row), store.SessionRotated)
	}
	s.is(s.store, row)
	s.create(kept) // the copy is put back
	next := s.rotates(s.store, s.rotation(row), store.SessionAhead)
	want := row
	want.Counter, want.RotatedAt = row.Counter+1, next.RotatedAt
	if next != want {
		e.Errorf("got\n%+v, not\n%+v", next, want)
	}
	s.rotates(e.open(), s.rotation(row), store.SessionUnchanged) // its reply was lost
	next = s.rotates(e.open(), s.rotation(next), store.SessionRotated)
	s.is(s.store, next)
}
