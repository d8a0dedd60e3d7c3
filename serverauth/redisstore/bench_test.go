package redisstore_test

import (
	"crypto/sha256"
	"encoding/binary"
	"fmt"
	"os"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/redis/go-redis/v9"

	"github.com/picoauth/picoauth/serverauth"
	"github.com/picoauth/picoauth/serverauth/redisstore"
	"github.com/picoauth/picoauth/testutil/services"
)

// One operation after the other, with a server that writes each to a file and does not wait for the disk: what is
// measured is the way and the scripts.
func Benchmark(b *testing.B) {
	server := services.Redis(b, "appendfsync=no")
	now := time.Now().UnixMilli()
	row := func(i int) serverauth.Session {
		row := session(fmt.Sprintf("sid-%018d", i), now)
		row.Subject.ID, row.Subject.WalletID = fmt.Sprintf("0x%040d", i), fmt.Sprintf("%043d", i)
		return row
	}
	for _, bench := range []struct {
		name    string
		prepare func(b *testing.B, s *serverauth.Stores) (operation func(i int) error)
	}{
		{"challenge/create", func(b *testing.B, s *serverauth.Stores) func(int) error {
			return func(int) error { _, err := s.Challenges.Create(b.Context(), "address", time.Minute); return err }
		}},
		{"challenge/spend", func(b *testing.B, s *serverauth.Stores) func(int) error {
			nonces := make([]string, b.N)
			for i := range nonces {
				nonces[i], _ = s.Challenges.Create(b.Context(), "address", time.Minute)
			}
			return func(i int) error { _, err := s.Challenges.Validate(b.Context(), "address", nonces[i]); return err }
		}},
		{"session/create", func(b *testing.B, s *serverauth.Stores) func(int) error {
			return func(i int) error { _, err := s.Sessions.Create(b.Context(), row(i)); return err }
		}},
		{"session/rotate", func(b *testing.B, s *serverauth.Stores) func(int) error {
			createAll(b, s.Sessions, b.N, row)
			return func(i int) error {
				_, _, err := s.Sessions.Rotate(b.Context(), serverauth.Rotation{SessionID: row(i).ID, Counter: 1, Now: now, TTL: 1e9})
				return err
			}
		}},
		{"session/end", func(b *testing.B, s *serverauth.Stores) func(int) error {
			createAll(b, s.Sessions, b.N, row)
			return func(i int) error { _, _, err := s.Sessions.End(b.Context(), row(i).ID); return err }
		}},
		{"session/end-subject", func(b *testing.B, s *serverauth.Stores) func(int) error {
			createAll(b, s.Sessions, b.N, row)
			return func(i int) error {
				_, err := s.Sessions.EndSubject(b.Context(), []string{row(i).Subject.ID}, now)
				return err
			}
		}},
		{"revocation/add", func(b *testing.B, s *serverauth.Stores) func(int) error {
			return func(i int) error {
				_, err := s.Revocations.Add(b.Context(), []serverauth.Revocation{{SID: row(i).ID, Exp: now, Reason: "logout"}})
				return err
			}
		}},
		{"revocation/nothing-new", func(b *testing.B, s *serverauth.Stores) func(int) error {
			page, err := s.Revocations.Since(b.Context(), 0)
			if err != nil {
				b.Fatal(err)
			}
			return func(int) error { _, err := s.Revocations.Since(b.Context(), page.Seq); return err }
		}},
		{"mint/append-100", func(b *testing.B, s *serverauth.Stores) func(int) error {
			var head serverauth.AuditHead
			return func(int) error {
				rows := mintRows(head.Seq, 100)
				after := head
				head = rows[99].Head()
				_, _, err := s.Mints.Append(b.Context(), after, rows)
				return err
			}
		}},
		{"mint/live", func(b *testing.B, s *serverauth.Stores) func(int) error {
			return func(i int) error { _, err := s.Mints.Live(b.Context(), "", row(i).ID, "", 0); return err }
		}},
		{"keys/load", func(b *testing.B, s *serverauth.Stores) func(int) error {
			return func(int) error { _, err := s.Keys.Load(b.Context()); return err }
		}},
	} {
		b.Run(bench.name, func(b *testing.B) {
			stores := open(b, redisstore.New(), config(b, server.NewDatabase(b)))
			operation := bench.prepare(b, stores)
			b.ReportAllocs()
			b.ResetTimer()
			for i := range b.N {
				if err := operation(i); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}

// mintRows returns n mints that follow a number.
func mintRows(after int64, n int) []serverauth.AuditEntry {
	now := time.Now().Unix()
	rows := make([]serverauth.AuditEntry, n)
	for i := range rows {
		seq := after + 1 + int64(i)
		rows[i] = serverauth.AuditEntry{
			Seq: seq, MAC: sha256.Sum256(binary.BigEndian.AppendUint64(nil, uint64(seq))), Mint: serverauth.Mint{
				ID: fmt.Sprintf("jti-%018d", seq), Subject: fmt.Sprintf("0x%040d", seq), Role: "wallet", IssuedAt: now, ExpiresAt: now + 900,
				Kind: serverauth.KindWallet, SessionID: fmt.Sprintf("sid-%018d", seq), WalletID: fmt.Sprintf("%043d", seq),
			},
		}
	}
	return rows
}

// TestGrowth prints what ten thousand and a million sessions and revocations cost.
func TestGrowth(t *testing.T) {
	sizes := []int{10_000}
	if os.Getenv("PICOAUTH_LONG") == "1" {
		sizes = append(sizes, 1_000_000)
	}
	for _, n := range sizes {
		server := services.Redis(t, "appendonly=no")
		stores, admin := open(t, redisstore.New(), config(t, server.URL())), client(t, server.URL())
		memory := func() int { return usedMemory(t, admin) }
		now := time.Now().UnixMilli()

		empty := memory()
		createAll(t, stores.Sessions, n, func(i int) serverauth.Session {
			row := session(fmt.Sprintf("sid-%018d", i), now)
			row.Subject.ID, row.Subject.WalletID = fmt.Sprintf("0x%040d", i), fmt.Sprintf("%043d", i)
			return row
		})
		sessions := memory()
		rotations := measure(t, 1000, func(i int) error {
			r := serverauth.Rotation{SessionID: fmt.Sprintf("sid-%018d", i*(n/1000)), Counter: 1, Now: now, TTL: 1e9}
			_, outcome, err := stores.Sessions.Rotate(t.Context(), r)
			if outcome != serverauth.SessionRotated {
				t.Errorf("outcome %d", outcome)
			}
			return err
		})
		const batch = 1000
		forEach(t, n/batch, func(i int) error {
			items := make([]serverauth.Revocation, batch)
			for k := range items {
				items[k] = serverauth.Revocation{
					JTI: fmt.Sprintf("jti-%018d", i*batch+k), RevokedAt: now / 1000, Reason: "logout", Exp: now/1000 + 3600,
				}
			}
			_, err := stores.Revocations.Add(t.Context(), items)
			return err
		})
		revocations := memory()
		began := time.Now()
		page, err := stores.Revocations.Since(t.Context(), 0)
		if err != nil || len(page.Items) != n {
			t.Fatalf("%d items, %v", len(page.Items), err)
		}
		all := time.Since(began)
		news := measure(t, 1000, func(i int) error {
			_, err := stores.Revocations.Add(t.Context(), []serverauth.Revocation{{SID: fmt.Sprint(i), Exp: now/1000 + 7200}})
			if err == nil {
				page, err = stores.Revocations.Since(t.Context(), page.Seq)
			}
			return err
		})
		began = time.Now()
		for removed := batch; removed == batch; {
			if removed, err = stores.Revocations.Prune(t.Context(), now/1000+3601, batch); err != nil {
				t.Fatal(err)
			}
		}
		t.Logf("%d: a session %d bytes, a rotation %s; a revocation %d bytes, all of them %s, add and see one %s, prune all %s",
			n, (sessions-empty)/n, rotations, (revocations-sessions)/n, all, news, time.Since(began))
	}
}

// measure returns how long one of n calls takes.
func measure(t *testing.T, n int, call func(i int) error) time.Duration {
	t.Helper()
	began := time.Now()
	for i := range n {
		if err := call(i); err != nil {
			t.Fatal(err)
		}
	}
	return time.Since(began) / time.Duration(n)
}

func usedMemory(t *testing.T, admin *redis.Client) int {
	t.Helper()
	for line := range strings.Lines(admin.Info(t.Context(), "memory").Val()) {
		if text, found := strings.CutPrefix(line, "used_memory:"); found {
			n, err := strconv.Atoi(strings.TrimSpace(text))
			if err != nil {
				t.Fatal(err)
			}
			return n
		}
	}
	t.Fatal("Redis does not say how much memory it uses")
	return 0
}
