package storetest

import (
	"math/rand/v2"
	"strings"
	"testing"

	"github.com/picoauth/picoauth/serverauth/store"
)

type sessionEnv = env[store.SessionStore]

// Sessions is what every SessionStore must do.
func Sessions(t *testing.T, fresh Fresh[store.SessionStore]) {
	t.Helper()
	run(t, fresh, []test[store.SessionStore]{
		{"a session is kept as it is", sessionIsKept},
		{"an absent session", sessionAbsent},
		{"rotations follow the rule", sessionFollowsRule},
		{"a rotation binds to a key", sessionBound},
		{"expiry and grace on the edge", sessionEdges},
		{"grace by the storage's own clock", sessionOwnClock},
		{"a storage that went back", sessionWentBack},
		{"a lost commit", sessionsLostCommit},
		{"a forged session", sessionsForged},
		{"a forged life", sessionsForgedLife},
		{"a forged key", sessionsForgedKey},
		{"a forged owner", sessionsForgedOwner},
		{"lists", sessionsListed},
		{"lists while sessions come and go", sessionsListedMeanwhile},
		{"one of a hundred rotates", sessionRotationRace},
		{"a reused token ends the session once", sessionReuseRace},
		{"one of a hundred ends it", sessionEndRace},
		{"rotate against end", sessionRotateAgainstEnd},
		{"end of a subject", subjectEnds},
		{"the latest cut-off counts", subjectCutOffs},
		{"a mark", sessionMark},
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
	store store.SessionStore
}

func sessions(e sessionEnv) sessionSuite { return sessionSuite{e, e.open()} }

// wallet is a session of the n-th wallet, which begins now and has all its fields.
func (s sessionSuite) wallet(n int) store.Session {
	return store.Session{
		ID: numbered("session", n),
		Subject: store.Subject{
			ID: numbered("subject", n), Kind: store.KindWallet, Algorithm: "eip191", WalletID: numbered("wallet", n),
			Account: numbered("eip155:1:0x", n), Address: numbered("0x", n), WalletKind: store.WalletContract,
		},
		Counter: 1, StartedAt: s.ms(), RotatedAt: s.ms(), ExpiresAt: s.ms() + hour, EndsAt: s.ms() + day,
		ClientID: numbered("client", n), RequestID: numbered("request", n), Client: "2001:db8::1", UserAgent: "curl/8.5.0",
		Proof: store.WalletProof{Message: "a\nb\x00ä", Signature: "\x00\xff"}, CheckedAt: s.ms(),
		KeyThumbprint: numbered("key", n),
		MAC:           [32]byte{byte(n), 0, 0xff},
	}
}

// rule is what a rotation must make of a row. Of one by the storage's own clock it is not known when it was.
func (s sessionSuite) rule(r store.Rotation, row store.Session) (store.Session, store.RotationOutcome) {
	if s.OwnClock {
		r.StoreNow = row.RotatedAt
	}
	return r.Rotate(row)
}

// same tells whether a row is as it must be.
func (s sessionSuite) same(got, want store.Session) bool {
	if s.OwnClock && want.Counter > 1 {
		want.RotatedAt = got.RotatedAt
	}
	return got == want
}

// create adds a session, which nothing must refuse.
func (s sessionSuite) create(row store.Session) store.Session {
	s.Helper()
	cutOff, err := s.store.Create(background, row)
	s.ok(err)
	if cutOff != 0 {
		s.Fatalf("the session %s is refused as of %d", row.ID, cutOff)
	}
	return row
}

// rotation asks for the next refresh token of a row as it is.
func (s sessionSuite) rotation(row store.Session) store.Rotation {
	return store.Rotation{SessionID: row.ID, Counter: row.Counter, Now: s.ms(), TTL: hour, Grace: 30 * second}
}

// rotates fails unless the rotation has the outcome, and returns the session.
func (s sessionSuite) rotates(store store.SessionStore, r store.Rotation, want store.RotationOutcome) store.Session {
	s.Helper()
	row, got, err := store.Rotate(background, r)
	s.ok(err)
	if got != want {
		s.Errorf("the rotation of %s from %d has the outcome %d, not %d", r.SessionID, r.Counter, got, want)
	}
	return row
}

// is fails unless the session is kept as row. It removes it.
func (s sessionSuite) is(store store.SessionStore, row store.Session) {
	s.Helper()
	found, there, err := store.End(background, row.ID)
	s.ok(err)
	if !there || !s.same(found, row) {
		s.Errorf("there: %v\n got %+v\nwant %+v", there, found, row)
	}
}

// finds fails unless the session is kept as row.
func (s sessionSuite) finds(store store.SessionStore, row store.Session) {
	s.Helper()
	found, there, err := store.Find(background, row.ID)
	s.ok(err)
	if !there || found != row {
		s.Errorf("there: %v\n got %+v\nwant %+v", there, found, row)
	}
}

// gone fails if there is such a session.
func (s sessionSuite) gone(store store.SessionStore, id string) {
	s.Helper()
	if row, there, err := store.Find(background, id); err != nil || there {
		s.Errorf("the session %s is found: %+v, %v", id, row, err)
	}
	if row, there, err := store.End(background, id); err != nil || there {
		s.Errorf("the session %s is there: %+v, %v", id, row, err)
	}
}

func sessionIsKept(e sessionEnv) {
	s := sessions(e)
	plain, admin, odd := s.wallet(1), s.wallet(2), s.wallet(3)
	plain.Counter = 0
	plain.Subject.WalletID, plain.Subject.Account = "", ""
	plain.ClientID, plain.RequestID, plain.Client, plain.UserAgent, plain.KeyThumbprint, plain.MAC = "", "", "", "", "", [32]byte{}
	plain.Subject.Address, plain.Subject.WalletKind, plain.Proof, plain.CheckedAt = "", "", store.WalletProof{}, 0
	admin.Subject = store.Subject{ID: "admin@pico.local", Kind: store.KindAdmin}
	admin.Credential = "0123456789abcdef"
	odd.Subject.ID = "'; DROP TABLE x; -- \"\\ ñ 💙 %s $1 \x00 {tag}"
	odd.Counter = 1 << 53
	odd.Proof = store.WalletProof{Message: strings.Repeat("\x00", 16<<10), Signature: strings.Repeat("\xff", 16<<10)}
	for _, row := range []store.Session{plain, admin, odd, s.wallet(4)} {
		s.create(row)
		for range 2 { // finding changes nothing
			s.finds(e.open(), row)
		}
		s.is(e.open(), row)
		s.gone(s.store, row.ID)
	}
}

func sessionAbsent(e sessionEnv) {
	s := sessions(e)
	row := s.wallet(1)
	for range 2 { // asking makes nothing
		s.rotates(s.store, s.rotation(row), store.SessionAbsent)
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
	handles := [2]store.SessionStore{s.store, e.open()}
	random := rand.New(rand.NewPCG(1, 2))
	for n := range 40 {
		want := s.create(s.wallet(n))
		for there := true; there; {
			r := s.rotation(want)
			r.Counter = uint64(max(0, int64(want.Counter)+[]int64{0, 0, 0, 0, 0, -1, -1, -2, 1}[random.IntN(9)]))
			if random.IntN(4) == 0 {
				r.KeyThumbprint, r.MAC = numbered("key", random.IntN(100)), [32]byte{byte(random.IntN(256)), ' ', 0xff}
			}
			r.Now = want.RotatedAt + []int64{-minute, -1, 0, 1, second, 30 * second, 30*second + 1, 50 * minute, hour}[random.IntN(9)]
			r.CheckedAt = []int64{0, 0, r.Now}[random.IntN(3)]
			next, outcome := s.rule(r, want)
			got := s.rotates(handles[random.IntN(2)], r, outcome)
			if outcome == store.SessionAbsent {
				got = next
			}
			if !s.same(got, next) {
				e.Fatalf("after %+v\n got %+v\nwant %+v", r, got, next)
			}
			if want = got; outcome == store.SessionReused {
				s.gone(s.store, want.ID)
				there = false
			} else if random.IntN(20) == 0 {
				s.is(s.store, want)
				there = false
			}
		}
	}
}

// sessionBound: a session without a key gets one by a rotation, and by nothing else that is asked of it.
func sessionBound(e sessionEnv) {
	s := sessions(e)
	row := s.wallet(1)
	row.KeyThumbprint = ""
	s.create(row)
	unbound := s.rotation(row)
	bind := unbound
	bind.KeyThumbprint, bind.MAC = numbered("key", 2), [32]byte{2, ' ', '\n', 0xff}
	row = s.rotates(s.store, bind, store.SessionRotated)
	if row.KeyThumbprint != bind.KeyThumbprint || row.MAC != bind.MAC {
		e.Errorf("bound: %+v", row)
	}
	s.finds(e.open(), row)
	bind.KeyThumbprint, bind.MAC = numbered("key", 3), [32]byte{3}
	for _, again := range []store.Rotation{unbound, bind} { // within the grace
		if got := s.rotates(e.open(), again, store.SessionUnchanged); got != row {
			e.Errorf("unchanged: %+v", got)
		}
	}
	row = s.rotates(s.store, s.rotation(row), store.SessionRotated)
	s.is(e.open(), row)
	bind.SessionID = numbered("session", 9)
	s.rotates(s.store, bind, store.SessionAbsent)
	s.gone(s.store, bind.SessionID)
}

func sessionEdges(e sessionEnv) {
	s := sessions(e)
	for n, test := range []struct {
		name    string
		counter int64 // beside the current one
		after   int64 // the rotation
		want    store.RotationOutcome
	}{
		{"the current one, before its expiry", 0, hour - 1, store.SessionRotated},
		{"the current one, at its expiry", 0, hour, store.SessionAbsent},
		{"the previous one, at the end of the grace", -1, 30 * second, store.SessionUnchanged},
		{"the previous one, after the grace", -1, 30*second + 1, store.SessionReused},
		{"the previous one, at the expiry", -1, hour, store.SessionAbsent},
		{"one before", -2, 0, store.SessionReused},
		{"one that the storage has lost", 1, 0, store.SessionAhead},
		{"one that the storage has lost, at the expiry", 1, hour, store.SessionAbsent},
	} {
		if s.OwnClock && test.counter == -1 && test.want == store.SessionReused {
			test.want = store.SessionUnchanged
		}
		row := s.create(s.wallet(n))
		row = s.rotates(s.store, s.rotation(row), store.SessionRotated)
		row = s.rotates(s.store, s.rotation(row), store.SessionRotated)
		r := s.rotation(row)
		r.Counter, r.Now = uint64(int64(row.Counter)+test.counter), s.ms()+test.after
		next := s.rotates(s.store, r, test.want)
		if e.Failed() {
			e.Fatal(test.name)
		}
		switch test.want {
		case store.SessionReused:
			s.gone(s.store, row.ID)
		case store.SessionAbsent, store.SessionUnchanged:
			s.is(s.store, row)
		default:
			s.is(s.store, next)
		}
	}
	row := s.wallet(100)
	row.EndsAt = row.StartedAt + minute
	s.create(row)
	e.clock.Advance(30 * 1e9)
	if next := s.rotates(s.store, s.rotation(row), store.SessionRotated); next.ExpiresAt != row.EndsAt {
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
	row = s.rotates(s.store, first, store.SessionRotated)
	s.is(s.store, ended)
	_, err := s.store.EndSubject(background, []string{revoked.Subject.ID}, s.ms()+second)
	e.ok(err)
	s.store = e.crash()
	if again := s.rotates(s.store, first, store.SessionUnchanged); again != row {
		e.Errorf("after the crash it is %+v, not %+v", again, row)
	}
	row = s.rotates(s.store, s.rotation(row), store.SessionRotated)
	s.rotates(s.store, first, store.SessionReused)
	s.gone(s.store, row.ID)
	s.gone(s.store, ended.ID)
	s.gone(s.store, revoked.ID)
	if cutOff, err := s.store.Create(background, revoked); err != nil || cutOff != s.ms()+second {
		e.Errorf("after the crash the cut-off is %d, %v", cutOff, err)
	}
}
