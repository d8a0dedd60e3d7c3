package storetest

import (
	"slices"
	"strings"

	"github.com/picoauth/picoauth/serverauth/store"
)

func sessionIDs(rows []store.Session) []string {
	ids := make([]string, 0, len(rows))
	for _, row := range rows {
		ids = append(ids, row.ID)
	}
	slices.Sort(ids)
	return ids
}

// endSubject ends what belongs to the ids, and fails unless it was the sessions named.
func (s sessionSuite) endSubject(ids []string, at int64, want ...string) {
	s.Helper()
	ended, err := s.store.EndSubject(background, ids, at)
	s.ok(err)
	if got := sessionIDs(ended); !slices.Equal(got, want) && len(got)+len(want) > 0 {
		s.Errorf("ended %v, not %v", got, want)
	}
}

func subjectEnds(e sessionEnv) {
	s := sessions(e)
	var rows []store.Session
	for n := range 6 {
		row := s.wallet(n)
		switch n {
		case 1: // the subject's other session
			row.Subject = rows[0].Subject
		case 2: // another form of its key
			row.Subject.WalletID = rows[0].Subject.WalletID
		case 3: // a subject called like its wallet
			row.Subject.ID, row.Subject.WalletID = rows[0].Subject.WalletID, ""
		case 4, 5: // others, one without a wallet
			row.Subject.WalletID = []string{"", "w"}[n-4]
		}
		rows = append(rows, s.create(row))
	}
	s.endSubject([]string{"nobody"}, s.ms())
	s.endSubject([]string{rows[0].Subject.ID}, s.ms(), "session-0", "session-1")
	s.endSubject([]string{rows[0].Subject.ID, rows[0].Subject.WalletID}, s.ms(), "session-2", "session-3")
	s.endSubject([]string{rows[0].Subject.ID, rows[0].Subject.WalletID}, s.ms())
	for _, row := range rows[:4] {
		s.gone(s.store, row.ID)
	}
	for _, row := range rows[4:] {
		s.is(e.open(), row)
	}
}

// sessionMark: a mark refuses sessions that carry it, as a subject does, and ends none.
func sessionMark(e sessionEnv) {
	s := sessions(e)
	other := e.open()
	marked := s.wallet(1)
	marked.Mark = "mark"
	before := s.create(marked)
	before.Mark = ""
	s.finds(other, before)
	s.endSubject([]string{"mark"}, s.ms())
	s.finds(other, before)
	for n, test := range []struct {
		mark    string
		started int64
		cutOff  int64
	}{{"mark", s.ms(), s.ms()}, {"mark", s.ms() - 1, s.ms()}, {"mark", s.ms() + 1, 0}, {"another", s.ms(), 0}, {"", s.ms(), 0}} {
		row := s.wallet(2 + n)
		row.Mark, row.StartedAt = test.mark, test.started
		got, err := other.Create(background, row)
		e.ok(err)
		if got != test.cutOff {
			e.Errorf("a session with the mark %q is refused as of %d, not %d", test.mark, got, test.cutOff)
		}
	}
	s.endSubject([]string{before.Subject.ID}, s.ms(), before.ID)
}

func subjectCutOffs(e sessionEnv) {
	s := sessions(e)
	other := e.open()
	now := s.ms()
	subject, wallet := s.wallet(1).Subject.ID, s.wallet(1).Subject.WalletID
	n := 0
	begins := func(at, cutOff int64) {
		e.Helper()
		n++
		row := s.wallet(1)
		row.ID, row.StartedAt = numbered("try", n), at
		got, err := other.Create(background, row)
		e.ok(err)
		if got != cutOff {
			e.Errorf("a session of %d ms is refused as of %d ms, not %d", at-now, got-now, cutOff-now)
		}
		if cutOff == 0 {
			s.is(s.store, row)
		}
		s.gone(s.store, row.ID)
	}
	begins(now, 0)
	s.endSubject([]string{subject}, now)
	begins(now-1, now)
	begins(now, now)
	begins(now+1, 0)
	s.endSubject([]string{subject}, now-minute) // an earlier one takes nothing back
	begins(now, now)
	s.endSubject([]string{wallet, "nobody"}, now+2*second) // ahead
	begins(now+second, now+2*second)
	begins(now+2*second, now+2*second)
	begins(now+2*second+1, 0)
	s.create(s.wallet(2)) // others are not refused
	huge := strings.Repeat("x", huge)
	s.endSubject([]string{huge, huge + "y"}, now) // which an operator may ask for
	s.gone(s.store, huge)
	row := s.wallet(3)
	row.Subject.ID = huge
	if cutOff, err := other.Create(background, row); err != nil || cutOff != now {
		e.Errorf("a session of a long subject is refused as of %d, %v", cutOff, err)
	}
}

// subjectCutOffPruned: a mark lasts as long as a sign-in can be in flight, and not for ever.
func subjectCutOffPruned(e sessionEnv) {
	s := sessions(e)
	row := s.wallet(1)
	s.endSubject([]string{row.Subject.ID}, s.ms())
	for _, test := range []struct {
		before int64
		cutOff int64
	}{{s.ms(), s.ms()}, {s.ms() + hour, s.ms()}, {s.ms() + hour + 1, 0}} {
		_, err := s.store.Prune(background, test.before, 10)
		e.ok(err)
		got, err := s.store.Create(background, row)
		e.ok(err)
		if got != test.cutOff && !(e.Expires && got == s.ms()) {
			e.Errorf("pruned as of %d ms, the cut-off is %d", test.before-s.ms(), got)
		}
	}
}

// prune prunes until a batch is not full.
func (s sessionSuite) prune(before int64, limit int) (removed int) {
	s.Helper()
	for {
		n, err := s.store.Prune(background, before, limit)
		s.ok(err)
		if n > limit {
			s.Fatalf("a batch of %d has %d", limit, n)
		}
		if removed += n; n < limit {
			return removed
		}
	}
}

func sessionsPruned(e sessionEnv) {
	s := sessions(e)
	const expired = 25
	for n := range expired {
		row := s.wallet(n)
		row.ExpiresAt = s.ms() + second
		s.create(row)
	}
	row := s.wallet(100)
	row.ExpiresAt = s.ms() + second
	row = s.rotates(s.store, s.rotation(s.create(row)), store.SessionRotated) // lives on
	edge := s.wallet(101)
	edge.ExpiresAt = s.ms() + 2*second
	s.create(edge)
	if n := s.prune(s.ms()+second, 10); n != 0 {
		e.Errorf("removed %d that had not expired", n)
	}
	if n := s.prune(s.ms()+2*second, 10); n != expired && !e.Expires {
		e.Errorf("removed %d, not %d", n, expired)
	}
	s.is(s.store, row)
	if !e.Expires {
		s.is(s.store, edge)
	}
}

func sessionsMany(e sessionEnv) {
	s := sessions(e)
	handles := [2]store.SessionStore{s.store, e.open()}
	expiresAt := s.ms() + hour
	n := many(2500)
	forEach(n, func(i int) {
		row := s.wallet(i)
		row.ExpiresAt = expiresAt
		if cutOff, err := handles[i%2].Create(background, row); err != nil || cutOff != 0 {
			e.Errorf("got %d, %v", cutOff, err)
		}
	})
	e.clock.Advance(2 * hour * 1e6)
	row := s.create(s.wallet(n))
	if removed := s.prune(s.ms(), 1000); removed != n && !e.Expires {
		e.Errorf("removed %d of %d", removed, n)
	}
	s.is(s.store, row)
}
