package storetest

import (
	"context"
	"slices"

	authstore "github.com/picoauth/picoauth/serverauth/store"
)

func sessionsBrokenOff(e sessionEnv) {
	brokenOff(e, []operation[authstore.SessionStore]{
		{"create", createBrokenOff},
		{"rotate", rotateBrokenOff},
		{"rotate a reused one", reuseBrokenOff},
		{"end", endBrokenOff},
		{"end subject", endSubjectBrokenOff},
		{"prune", pruneSessionsBrokenOff},
	})
}

func createBrokenOff(e sessionEnv, store authstore.SessionStore, n int) (call, check[authstore.SessionStore]) {
	s := sessionSuite{e, store}
	row := s.wallet(n)
	run := func(ctx context.Context) error {
		cutOff, err := store.Create(ctx, row)
		if cutOff != 0 {
			e.Errorf("refused as of %d", cutOff)
		}
		return err
	}
	return run, func(other authstore.SessionStore, err error) {
		found, there, errEnd := other.End(background, row.ID)
		e.ok(errEnd)
		if err == nil && !there || there && found != row {
			e.Errorf("there: %v, %+v", there, found)
		}
	}
}

// A refresh whose reply was lost is asked again: it gets the same token.
func rotateBrokenOff(e sessionEnv, store authstore.SessionStore, n int) (call, check[authstore.SessionStore]) {
	s := sessionSuite{e, store}
	r := s.rotation(s.create(s.wallet(n)))
	want, _ := s.rule(r, s.wallet(n))
	run := func(ctx context.Context) error {
		next, outcome, err := store.Rotate(ctx, r)
		if err == nil && (!s.same(next, want) || outcome != authstore.SessionRotated) {
			e.Errorf("got %+v, %d", next, outcome)
		}
		return err
	}
	return run, func(other authstore.SessionStore, err error) {
		next, outcome, errAgain := other.Rotate(background, r)
		e.ok(errAgain)
		unchanged := outcome == authstore.SessionUnchanged
		if !s.same(next, want) || !unchanged && (err == nil || outcome != authstore.SessionRotated) {
			e.Errorf("then %+v, %d", next, outcome)
		}
		s.is(other, want)
	}
}

func reuseBrokenOff(e sessionEnv, store authstore.SessionStore, n int) (call, check[authstore.SessionStore]) {
	s := sessionSuite{e, store}
	row := s.wallet(n)
	row.Counter = 5
	r := s.rotation(s.create(row))
	r.Counter = 2
	run := func(ctx context.Context) error {
		found, outcome, err := store.Rotate(ctx, r)
		if err == nil && (found != row || outcome != authstore.SessionReused) {
			e.Errorf("got %+v, %d", found, outcome)
		}
		return err
	}
	return run, func(other authstore.SessionStore, err error) {
		_, outcome, errAgain := other.Rotate(background, r)
		e.ok(errAgain)
		absent := outcome == authstore.SessionAbsent
		if !absent && (err == nil || outcome != authstore.SessionReused) {
			e.Errorf("then %d", outcome)
		}
		s.gone(other, row.ID)
	}
}

func endBrokenOff(e sessionEnv, store authstore.SessionStore, n int) (call, check[authstore.SessionStore]) {
	s := sessionSuite{e, store}
	row := s.create(s.wallet(n))
	run := func(ctx context.Context) error {
		found, there, err := store.End(ctx, row.ID)
		if err == nil && (!there || found != row) {
			e.Errorf("there: %v, %+v", there, found)
		}
		return err
	}
	return run, func(other authstore.SessionStore, err error) {
		found, there, errAgain := other.End(background, row.ID)
		e.ok(errAgain)
		if there && (err == nil || found != row) {
			e.Errorf("then %+v", found)
		}
	}
}

// All sessions of a subject end together with the cut-off, or none.
func endSubjectBrokenOff(e sessionEnv, store authstore.SessionStore, n int) (call, check[authstore.SessionStore]) {
	s := sessionSuite{e, store}
	row := s.wallet(n)
	var ids []string
	for i := range 3 {
		row.ID = numbered(s.wallet(n).ID, i)
		ids = append(ids, s.create(row).ID)
	}
	run := func(ctx context.Context) error {
		ended, err := store.EndSubject(ctx, []string{row.Subject.ID, row.Subject.WalletID}, s.ms())
		if err == nil && !slices.Equal(sessionIDs(ended), ids) {
			e.Errorf("ended %v", sessionIDs(ended))
		}
		return err
	}
	return run, func(other authstore.SessionStore, err error) {
		there := 0
		for _, id := range ids {
			_, found, err := other.End(background, id)
			e.ok(err)
			if found {
				there++
			}
		}
		cutOff, errCreate := other.Create(background, row)
		e.ok(errCreate)
		ended := there == 0 && cutOff == s.ms()
		untouched := there == len(ids) && cutOff == 0
		if !ended && (err == nil || !untouched) {
			e.Errorf("then %d sessions were there, and the cut-off was %d", there, cutOff)
		}
	}
}

func pruneSessionsBrokenOff(e sessionEnv, store authstore.SessionStore, n int) (call, check[authstore.SessionStore]) {
	s := sessionSuite{e, store}
	row := s.create(s.wallet(n))
	old := s.wallet(n)
	old.ID, old.ExpiresAt = "old-"+old.ID, s.ms()+second
	s.create(old)
	run := func(ctx context.Context) error {
		_, err := store.Prune(ctx, s.ms()+minute, 1000)
		return err
	}
	return run, func(other authstore.SessionStore, err error) {
		s.is(other, row)
		if err == nil && !e.Expires {
			s.gone(other, old.ID)
		}
	}
}
