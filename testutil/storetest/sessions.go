package storetest

import (
	"math/rand/v2"
	"testing"

	"github.com/picoauth/picoauth/serverauth"
)

type sessionEnv = env[serverauth.SessionStore]

// Sessions is what every SessionStore must do.
func Sessions(t *testing.T, fresh Fresh[serverauth.SessionStore]) {
	t.Helper()
	run(t, fresh, []test[serverauth.SessionStore]{
		{"a session is kept as it is", sessionIsKept},
		{"an absent session", sessionAbsent},
		{"rotations follow the rule", sessionFollowsRule},
		{"expiry and grace on the edge", sessionEdges},
		{"one of a hundred rotates", sessionRotationRace},
		{"a reused token ends the session once", sessionReuseRace},
		{"one of a hundred ends it", sessionEndRace},
		{"rotate against end", sessionRotateAgainstEnd},
		{"end of a subject", subjectEnds},
		{"the latest cut-off counts", subjectCutOffs},
		{"end of a subject against create", subjectAgainstCreate},
		{"end of a subject against rotate", subjectAgainstRotate},
		{"two ends of one subject", subjectAgainstSubject},
		{"pruning", sessionsPruned},
		{"cut-offs are forgotten", subjectCutOffPruned},
		{"an ended context", sessionCancelled},
		{"a crash between two refreshes", sessionCrash},
		{"broken off", sessionsBrokenOff},
		{"a million", sessionsMany},
	})
}

// Lives of the sessions that the tests make, in milliseconds.
const (
	second = 1000
	minute = 60 * second
	hour   = 60 * minute
	day    = 24 * hour
)

// sessionSuite is an env with a handle.
type sessionSuite struct {
	sessionEnv
	store serverauth.SessionStore
}

func sessions(e sessionEnv) sessionSuite { return sessionSuite{e, e.open()} }

// wallet is a session of the n-th wallet, which begins now and has all its fields.
func (s sessionSuite) wallet(n int) serverauth.Session {
	return serverauth.Session{
		ID: numbered("session", n),
		Subject: serverauth.Subject{
			ID: numbered("subject", n), Kind: serverauth.KindWallet, Algorithm: "eip191", WalletID: numbered("wallet", n),
			Account: numbered("eip155:1:0x", n),
		},
		Counter: 1, StartedAt: s.ms(), RotatedAt: s.ms(), ExpiresAt: s.ms() + hour, EndsAt: s.ms() + day,
	}
}

// create adds a session, which nothing must refuse.
func (s sessionSuite) create(row serverauth.Session) serverauth.Session {
	s.Helper()
	cutOff, err := s.store.Create(background, row)
	s.ok(err)
	if cutOff != 0 {
		s.Fatalf("the session %s is refused as of %d", row.ID, cutOff)
	}
	return row
}

// rotation asks for the next refresh token of a row as it is.
func (s sessionSuite) rotation(row serverauth.Session) serverauth.Rotation {
	return serverauth.Rotation{SessionID: row.ID, Counter: row.Counter, Now: s.ms(), TTL: hour, Grace: 30 * second}
}

// rotates fails unless the rotation has the outcome, and returns the session.
func (s sessionSuite) rotates(store serverauth.SessionStore, r serverauth.Rotation, want serverauth.RotationOutcome) serverauth.Session {
	s.Helper()
	row, got, err := store.Rotate(background, r)
	s.ok(err)
	if got != want {
		s.Errorf("the rotation of %s from %d has the outcome %d, not %d", r.SessionID, r.Counter, got, want)
	}
	return row
}

// is fails unless the session is kept as row. It removes it.
func (s sessionSuite) is(store serverauth.SessionStore, row serverauth.Session) {
	s.Helper()
	found, there, err := store.End(background, row.ID)
	s.ok(err)
	if !there || found != row {
		s.Errorf("there: %v\n got %+v\nwant %+v", there, found, row)
	}
}

// gone fails if there is such a session.
func (s sessionSuite) gone(store serverauth.SessionStore, id string) {
	s.Helper()
	if row, there, err := store.End(background, id); err != nil || there {
		s.Errorf("the session %s is there: %+v, %v", id, row, err)
	}
}

func sessionIsKept(e sessionEnv) {
	s := sessions(e)
	plain, admin, odd := s.wallet(1), s.wallet(2), s.wallet(3)
	plain.Counter = 0
	plain.Subject.WalletID, plain.Subject.Account = "", ""
	admin.Subject = serverauth.Subject{ID: "admin@pico.local", Kind: serverauth.KindAdmin}
	admin.Credential = "0123456789abcdef"
	odd.Subject.ID = "'; DROP TABLE x; -- \"\\ ñ 💙 %s $1 \x00 {tag}"
	odd.Counter = 1 << 53
	for _, row := range []serverauth.Session{plain, admin, odd, s.wallet(4)} {
		s.create(row)
		s.is(e.open(), row)
		s.gone(s.store, row.ID)
	}
}

func sessionAbsent(e sessionEnv) {
	s := sessions(e)
	row := s.wallet(1)
	for range 2 { // asking makes nothing
		s.rotates(s.store, s.rotation(row), serverauth.SessionAbsent)
		s.gone(s.store, row.ID)
		s.gone(s.store, "")
	}
	ended, err := s.store.EndSubject(background, []string{row.Subject.ID}, s.ms()-hour)
	e.ok(err)
	if len(ended) != 0 {
		e.Errorf("ended %v", ended)
	}
}

// sessionFollowsRule makes rotations at random, in an order in which clocks step back too, and compares each with the
// rule that all stores share.
func sessionFollowsRule(e sessionEnv) {
	s := sessions(e)
	handles := [2]serverauth.SessionStore{s.store, e.open()}
	random := rand.New(rand.NewPCG(1, 2))
	for n := range 40 {
		want := s.create(s.wallet(n))
		for there := true; there; {
			r := s.rotation(want)
			r.Counter = uint64(max(0, int64(want.Counter)+[]int64{0, 0, 0, 0, 0, -1, -1, -2, 1}[random.IntN(9)]))
			r.Now = want.RotatedAt + []int64{-minute, -1, 0, 1, second, 30 * second, 30*second + 1, 50 * minute, hour}[random.IntN(9)]
			next, outcome := r.Rotate(want)
			got := s.rotates(handles[random.IntN(2)], r, outcome)
			if outcome != serverauth.SessionAbsent && got != next {
				e.Fatalf("after %+v\n got %+v\nwant %+v", r, got, next)
			}
			if want = next; outcome == serverauth.SessionReused {
				s.gone(s.store, want.ID)
				there = false
			} else if random.IntN(20) == 0 {
				s.is(s.store, want)
				there = false
			}
		}
	}
}

func sessionEdges(e sessionEnv) {
	s := sessions(e)
	for n, test := range []struct {
		name    string
		counter int64 // beside the current one
		after   int64 // the rotation
		want    serverauth.RotationOutcome
	}{
		{"the current one, before its expiry", 0, hour - 1, serverauth.SessionRotated},
		{"the current one, at its expiry", 0, hour, serverauth.SessionAbsent},
		{"the previous one, at the end of the grace", -1, 30 * second, serverauth.SessionUnchanged},
		{"the previous one, after the grace", -1, 30*second + 1, serverauth.SessionReused},
		{"the previous one, at the expiry", -1, hour, serverauth.SessionAbsent},
		{"one before", -2, 0, serverauth.SessionReused},
		{"one that was never made", 1, 0, serverauth.SessionReused},
	} {
		row := s.create(s.wallet(n))
		row = s.rotates(s.store, s.rotation(row), serverauth.SessionRotated)
		row = s.rotates(s.store, s.rotation(row), serverauth.SessionRotated)
		r := s.rotation(row)
		r.Counter, r.Now = uint64(int64(row.Counter)+test.counter), row.RotatedAt+test.after
		s.rotates(s.store, r, test.want)
		if e.Failed() {
			e.Fatal(test.name)
		}
		switch test.want {
		case serverauth.SessionReused:
			s.gone(s.store, row.ID)
		case serverauth.SessionAbsent, serverauth.SessionUnchanged:
			s.is(s.store, row)
		}
	}
	row := s.wallet(100)
	row.EndsAt = row.StartedAt + minute
	s.create(row)
	e.clock.Advance(30 * 1e9)
	if next := s.rotates(s.store, s.rotation(row), serverauth.SessionRotated); next.ExpiresAt != row.EndsAt {
		e.Errorf("a token outlives its session by %d ms", next.ExpiresAt-row.EndsAt)
	}
}

func sessionCancelled(e sessionEnv) {
	s := sessions(e)
	ctx := ended()
	row := s.wallet(1)
	if _, err := s.store.Create(ctx, row); err != nil {
		refusedWhole(e, err)
		s.gone(s.store, row.ID)
		s.create(row)
	}
	if next, _, err := s.store.Rotate(ctx, s.rotation(row)); err == nil {
		row = next
	} else {
		refusedWhole(e, err)
	}
	if _, _, err := s.store.End(ctx, row.ID); err != nil {
		refusedWhole(e, err)
		if _, err := s.store.EndSubject(ctx, []string{row.Subject.ID}, s.ms()); err != nil {
			refusedWhole(e, err)
			s.is(s.store, row)
			s.create(s.wallet(1)) // nothing refuses it
		}
	}
	if _, err := s.store.Prune(ctx, s.ms(), 10); err != nil {
		refusedWhole(e, err)
	}
}

func sessionCrash(e sessionEnv) {
	s := sessions(e)
	row, ended, revoked := s.create(s.wallet(1)), s.create(s.wallet(2)), s.create(s.wallet(3))
	first := s.rotation(row)
	row = s.rotates(s.store, first, serverauth.SessionRotated)
	s.is(s.store, ended)
	_, err := s.store.EndSubject(background, []string{revoked.Subject.ID}, s.ms()+second)
	e.ok(err)
	s.store = e.crash()
	if again := s.rotates(s.store, first, serverauth.SessionUnchanged); again != row {
		e.Errorf("after the crash it is %+v, not %+v", again, row)
	}
	row = s.rotates(s.store, s.rotation(row), serverauth.SessionRotated)
	s.rotates(s.store, first, serverauth.SessionReused)
	s.gone(s.store, row.ID)
	s.gone(s.store, ended.ID)
	s.gone(s.store, revoked.ID)
	if cutOff, err := s.store.Create(background, revoked); err != nil || cutOff != s.ms()+second {
		e.Errorf("after the crash the cut-off is %d, %v", cutOff, err)
	}
}
