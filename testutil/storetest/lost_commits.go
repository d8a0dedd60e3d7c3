package storetest

import (
	"slices"
	"time"

	"github.com/picoauth/picoauth/serverauth/audit"
	"github.com/picoauth/picoauth/serverauth/store"
)

// sessionsLostCommit: a storage loses sessions, refreshes and ends, and others come in their place. Genuine tokens of before go on,
// those of lost sessions find nothing, and nobody gets a session of another.
func sessionsLostCommit(e sessionEnv) {
	if e.Copy == nil {
		return
	}
	s := sessions(e)
	refreshed, ended, kept := s.create(s.wallet(1)), s.create(s.wallet(2)), s.create(s.wallet(3))
	putBack := e.Copy(e.T)
	after := s.rotates(s.store, s.rotation(refreshed), store.SessionRotated)
	after = s.rotates(s.store, s.rotation(after), store.SessionRotated)
	s.is(s.store, ended)
	lost := s.create(s.wallet(4))
	putBack()

	s.store = e.open()
	other := e.open()
	instead := s.create(s.wallet(5))
	s.rotates(other, s.rotation(lost), store.SessionAbsent)
	s.gone(other, lost.ID)
	s.finds(other, instead)
	s.finds(s.store, ended) // its end is lost too: the revocations, not the sessions, keep it ended
	after = s.rotates(other, s.rotation(after), store.SessionAhead)
	s.rotates(s.store, s.rotation(refreshed), store.SessionReused)
	s.gone(other, refreshed.ID)
	s.rotates(s.store, s.rotation(after), store.SessionAbsent)
	gone, err := other.EndSubject(background, []string{kept.Subject.ID}, s.ms())
	e.ok(err)
	if len(gone) != 1 || gone[0].ID != kept.ID {
		e.Errorf("ended %v", gone)
	}
	s.gone(s.store, kept.ID)
	s.is(other, instead)
}

// challengesLostCommit: what was spent before the copy stays spent, whatever was lost, and every process goes on.
func challengesLostCommit(e challengeEnv) {
	if e.Copy == nil {
		return
	}
	c := challenges(e)
	spent, live := c.create(alice, time.Minute), c.create(alice, time.Minute)
	c.spends(c.store, alice, spent, true)
	putBack := e.Copy(e.T)
	lost := c.create(alice, time.Minute)
	c.spends(c.store, bob, c.create(bob, time.Minute), true)
	putBack()

	c.store = e.open()
	other := e.open()
	instead := c.create(bob, time.Minute)
	for _, store := range []store.ChallengeStore{other, c.store} {
		c.spends(store, alice, spent, false)
	}
	for _, nonce := range []string{live, lost} {
		c.spends(other, alice, nonce, true)
		c.spends(c.store, alice, nonce, false)
	}
	c.spends(other, alice, instead, false)
	c.spends(other, bob, instead, true)
	c.spends(c.store, bob, instead, false)
}

// mintsLostCommit: the head is that of the copy, and nothing follows what was lost, also once other rows have its numbers.
func mintsLostCommit(e mintEnv) {
	if e.Copy == nil {
		return
	}
	s := mints(e)
	kept := s.rows(0, 3)
	s.append(kept...)
	putBack := e.Copy(e.T)
	lost := s.rows(3, 2)
	s.append(lost...)
	putBack()

	s.store = e.open()
	other := e.open()
	refused := func(want audit.Head) {
		e.Helper()
		head, appended, err := other.Append(background, lost[1].Head(), s.rows(5, 1))
		e.ok(err)
		if appended || head != want {
			e.Errorf("appended after a lost row: %v, the head is %v, not %v", appended, head, want)
		}
	}
	refused(kept[2].Head())
	instead := s.rows(3, 2)
	for i := range instead {
		instead[i].Mint.ID, instead[i].MAC = numbered("instead", i), mac("instead", instead[i].Seq)
	}
	s.append(instead...)
	refused(instead[1].Head())
	all := slices.Concat(kept, instead)
	s.holds(other, all)
	s.holds(s.store, all)
	found, err := other.Live(background, lost[0].Mint.ID, lost[0].Mint.SessionID, "", s.seconds())
	e.ok(err)
	if len(found) != 1 || found[0] != instead[0].Mint {
		e.Errorf("got %+v", found)
	}
}
