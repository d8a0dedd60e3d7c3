package storetest

import (
	"strconv"
	"sync/atomic"
	"testing"
	"time"

	"github.com/picoauth/picoauth/serverauth/store"
)

// Benchmark measures what a sign-in, a refresh, a logout and a revocation ask of a backend's storage, one after the
// other and with 16 at once.
func Benchmark(b *testing.B, fresh Fresh[*store.Stores]) {
	b.Helper()
	for _, test := range []struct {
		name string
		// make returns a call that is measured, given how often it will be made.
		make func(b *testing.B, s *store.Stores, n int) func(i int) error
	}{
		{"spend", benchmarkSpend},
		{"create", benchmarkCreate},
		{"rotate", benchmarkRotate},
		{"end", benchmarkEnd},
		{"revoke", benchmarkRevoke},
	} {
		b.Run(test.name, func(b *testing.B) {
			store := fresh(b, time.Now).Open(b)
			call := test.make(b, store, b.N)
			b.ResetTimer()
			for i := range b.N {
				if err := call(i); err != nil {
					b.Fatal(err)
				}
			}
		})
		b.Run(test.name+" by 16", func(b *testing.B) {
			store := fresh(b, time.Now).Open(b)
			call := test.make(b, store, b.N)
			var next atomic.Int64
			b.ResetTimer()
			race(16, func(int) {
				for i := next.Add(1) - 1; i < int64(b.N); i = next.Add(1) - 1 {
					if err := call(int(i)); err != nil {
						b.Error(err)
						return
					}
				}
			})
		})
	}
}

func benchmarkSpend(b *testing.B, s *store.Stores, n int) func(int) error {
	nonces := make([]string, n)
	for i := range nonces {
		var err error
		if nonces[i], err = s.Challenges.Create(background, alice, time.Hour); err != nil {
			b.Fatal(err)
		}
	}
	return func(i int) error {
		won, err := s.Challenges.Validate(background, alice, nonces[i])
		if !won {
			b.Error("a live nonce is refused")
		}
		return err
	}
}

func benchmarkSession(i int) store.Session {
	now := time.Now().UnixMilli()
	return store.Session{
		ID: "session-0123456789-" + strconv.Itoa(i),
		Subject: store.Subject{
			ID: alice + strconv.Itoa(i), Kind: store.KindWallet, Algorithm: "eip191", WalletID: "wallet-01234567890123456789012345-" + strconv.Itoa(i),
			Account: "eip155:1:" + alice,
		},
		Counter: 1, StartedAt: now, RotatedAt: now, ExpiresAt: now + day, EndsAt: now + 30*day,
	}
}

func benchmarkCreate(_ *testing.B, s *store.Stores, _ int) func(int) error {
	return func(i int) error {
		_, err := s.Sessions.Create(background, benchmarkSession(i))
		return err
	}
}

// withSessions makes n sessions.
func withSessions(b *testing.B, s *store.Stores, n int) {
	b.Helper()
	forEach(n, func(i int) {
		if _, err := s.Sessions.Create(background, benchmarkSession(i)); err != nil {
			b.Error(err)
		}
	})
}

func benchmarkRotate(b *testing.B, s *store.Stores, n int) func(int) error {
	withSessions(b, s, n)
	return func(i int) error {
		row := benchmarkSession(i)
		r := store.Rotation{SessionID: row.ID, Counter: row.Counter, Now: row.RotatedAt, TTL: day, Grace: minute}
		_, outcome, err := s.Sessions.Rotate(background, r)
		if outcome != store.SessionRotated {
			b.Errorf("outcome %d", outcome)
		}
		return err
	}
}

func benchmarkEnd(b *testing.B, s *store.Stores, n int) func(int) error {
	withSessions(b, s, n)
	return func(i int) error {
		_, _, err := s.Sessions.End(background, benchmarkSession(i).ID)
		return err
	}
}

func benchmarkItem(i int) store.Revocation {
	now := time.Now().Unix()
	return store.Revocation{JTI: "jti-01234567890123456789-" + strconv.Itoa(i), RevokedAt: now, Reason: "stolen", RevokedBy: "operator", Exp: now + 3600}
}

func benchmarkRevoke(_ *testing.B, s *store.Stores, _ int) func(int) error {
	return func(i int) error {
		_, err := s.Revocations.Add(background, []store.Revocation{benchmarkItem(i)})
		return err
	}
}
