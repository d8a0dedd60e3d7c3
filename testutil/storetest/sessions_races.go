package storetest

import (
	"sync"

	authstore "github.com/picoauth/picoauth/serverauth/store"
)

func sessionRotationRace(e sessionEnv) {
	s := sessions(e)
	handles := [2]authstore.SessionStore{s.store, e.open()}
	row := s.create(s.wallet(1))
	for range 3 {
		r := s.rotation(row)
		want, _ := s.rule(r, row)
		var found tally[authstore.RotationOutcome]
		race(racers, func(i int) {
			next, outcome, err := handles[i%2].Rotate(background, r)
			if err != nil || !s.same(next, want) {
				e.Errorf("got %+v, %v", next, err)
			}
			found.add(outcome)
		})
		found.must(e, authstore.SessionRotated, 1)
		found.must(e, authstore.SessionUnchanged, racers-1)
		row = want
	}
	s.is(s.store, row)
}

// Without a grace the second one to come is a thief, or the first was.
func sessionReuseRace(e sessionEnv) {
	s := sessions(e)
	handles := [2]authstore.SessionStore{s.store, e.open()}
	for n := range 3 {
		r := s.rotation(s.create(s.wallet(n)))
		r.Grace = -1
		var found tally[authstore.RotationOutcome]
		race(racers, func(i int) {
			_, outcome, err := handles[i%2].Rotate(background, r)
			if err != nil {
				e.Error(err)
			}
			found.add(outcome)
		})
		found.must(e, authstore.SessionRotated, 1)
		found.must(e, authstore.SessionReused, 1)
		found.must(e, authstore.SessionAbsent, racers-2)
	}
}

func sessionEndRace(e sessionEnv) {
	s := sessions(e)
	handles := [2]authstore.SessionStore{s.store, e.open()}
	for n := range 3 {
		row := s.create(s.wallet(n))
		var found tally[bool]
		race(racers, func(i int) {
			got, there, err := handles[i%2].End(background, row.ID)
			if err != nil || there && got != row {
				e.Errorf("got %+v, %v", got, err)
			}
			found.add(there)
		})
		found.must(e, true, 1)
	}
}

// rotated is how often a session was rotated, one after the other, until it was gone.
func (s sessionSuite) rotated(store authstore.SessionStore, row authstore.Session) (times uint64) {
	for {
		next, outcome, err := store.Rotate(background, s.rotation(row))
		switch {
		case err != nil:
			s.Error(err)
			return times
		case outcome == authstore.SessionAbsent:
			return times
		case outcome != authstore.SessionRotated || next.Counter != row.Counter+1:
			s.Errorf("got %+v, %d", next, outcome)
			return times
		}
		row = next
		times++
	}
}

func sessionRotateAgainstEnd(e sessionEnv) {
	s := sessions(e)
	handles := [2]authstore.SessionStore{s.store, e.open()}
	for n := range 10 {
		row := s.create(s.wallet(n))
		var times uint64
		var last authstore.Session
		race(2, func(i int) {
			if i == 0 {
				times = s.rotated(handles[0], row)
				return
			}
			var there bool
			var err error
			if last, there, err = handles[1].End(background, row.ID); err != nil || !there {
				e.Errorf("there: %v, %v", there, err)
			}
		})
		if last.Counter != row.Counter+times {
			e.Errorf("ended at %d after %d rotations from %d", last.Counter, times, row.Counter)
		}
	}
}

// Whatever Create and EndSubject do at once: a session is refused, or it is among the ended ones.
func subjectAgainstCreate(e sessionEnv) {
	s := sessions(e)
	handles := [2]authstore.SessionStore{s.store, e.open()}
	const creators, rounds = 8, 40
	for round := range rounds {
		row := s.wallet(round)
		by := row.Subject.ID
		if round%2 == 0 {
			by = row.Subject.WalletID
		}
		var mu sync.Mutex
		live := map[string]bool{}
		race(creators+1, func(i int) {
			if i == creators/2 {
				ended, err := handles[round%2].EndSubject(background, []string{by}, s.ms())
				if err != nil {
					e.Error(err)
				}
				mu.Lock()
				defer mu.Unlock()
				for _, row := range ended {
					live[row.ID] = !live[row.ID] // it may not have been told yet that it was made
				}
				return
			}
			row := row
			row.ID = numbered(row.ID, i)
			cutOff, err := handles[i%2].Create(background, row)
			if err != nil || cutOff != 0 && cutOff != s.ms() {
				e.Errorf("got %d, %v", cutOff, err)
			}
			if cutOff == 0 {
				mu.Lock()
				defer mu.Unlock()
				live[row.ID] = !live[row.ID]
			}
		})
		for id, lives := range live {
			if lives {
				e.Errorf("round %d: the session %s survived the end of its subject, or came of nothing", round, id)
			}
			s.gone(s.store, id)
		}
	}
}

func subjectAgainstRotate(e sessionEnv) {
	s := sessions(e)
	handles := [2]authstore.SessionStore{s.store, e.open()}
	for n := range 10 {
		row := s.create(s.wallet(n))
		var times uint64
		var ended []authstore.Session
		race(2, func(i int) {
			if i == 0 {
				times = s.rotated(handles[0], row)
				return
			}
			var err error
			if ended, err = handles[1].EndSubject(background, []string{row.Subject.WalletID}, s.ms()); err != nil {
				e.Error(err)
			}
		})
		if len(ended) != 1 || ended[0].Counter != row.Counter+times {
			e.Errorf("ended %+v after %d rotations from %d", ended, times, row.Counter)
		}
		s.gone(s.store, row.ID)
	}
}

func subjectAgainstSubject(e sessionEnv) {
	s := sessions(e)
	handles := [2]authstore.SessionStore{s.store, e.open()}
	for round := range 10 {
		row := s.wallet(round)
		const rows = 5
		for i := range rows {
			row.ID = numbered(s.wallet(round).ID, i)
			s.create(row)
		}
		var found tally[string]
		race(4, func(i int) {
			ids := []string{row.Subject.ID, row.Subject.WalletID, "nobody"}
			if i%2 == 0 {
				ids = []string{"nobody", row.Subject.WalletID, row.Subject.ID}
			}
			ended, err := handles[i/2].EndSubject(background, ids, s.ms())
			if err != nil {
				e.Error(err)
			}
			for _, row := range ended {
				found.add(row.ID)
			}
		})
		for i := range rows {
			found.must(e, numbered(s.wallet(round).ID, i), 1)
		}
	}
}
