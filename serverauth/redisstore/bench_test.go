package redisstore_test

import (
	"crypto/sha256"
	"encoding/binary"
	"fmt"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/redis/go-redis/v9"

	"github.com/picoauth/picoauth/app"
	"github.com/picoauth/picoauth/serverauth/audit"
	"github.com/picoauth/picoauth/serverauth/redisstore"
	"github.com/picoauth/picoauth/serverauth/store"
	"github.com/picoauth/picoauth/testutil/services"
	"github.com/picoauth/picoauth/testutil/storetest"
)

// One operation after the other, with a server that writes each to a file and does not wait for the disk: what is
// measured is the way and the scripts.
func Benchmark(b *testing.B) {
	server := services.Redis(b, "appendfsync=no")
	now := time.Now().UnixMilli()
	row := func(i int) store.Session {
		row := session(fmt.Sprintf("sid-%018d", i), now)
		row.Subject.ID, row.Subject.WalletID = fmt.Sprintf("0x%040d", i), fmt.Sprintf("%043d", i)
		return row
	}
	for _, bench := range []struct {
		name    string
		prepare func(b *testing.B, s *store.Stores) (operation func(i int) error)
	}{
		{"challenge/create", func(b *testing.B, s *store.Stores) func(int) error {
			return func(int) error { _, err := s.Challenges.Create(b.Context(), "address", time.Minute); return err }
		}},
		{"challenge/spend", func(b *testing.B, s *store.Stores) func(int) error {
			nonces := make([]string, b.N)
			for i := range nonces {
				nonces[i], _ = s.Challenges.Create(b.Context(), "address", time.Minute)
			}
			return func(i int) error { _, err := s.Challenges.Validate(b.Context(), "address", nonces[i]); return err }
		}},
		{"session/create", func(b *testing.B, s *store.Stores) func(int) error {
			return func(i int) error { _, err := s.Sessions.Create(b.Context(), row(i)); return err }
		}},
		{"session/rotate", func(b *testing.B, s *store.Stores) func(int) error {
			createAll(b, s.Sessions, b.N, row)
			return func(i int) error {
				_, _, err := s.Sessions.Rotate(b.Context(), store.Rotation{SessionID: row(i).ID, Counter: 1, Now: now, TTL: 1e9})
				return err
			}
		}},
		{"session/end", func(b *testing.B, s *store.Stores) func(int) error {
			createAll(b, s.Sessions, b.N, row)
			return func(i int) error { _, _, err := s.Sessions.End(b.Context(), row(i).ID); return err }
		}},
		{"session/end-subject", func(b *testing.B, s *store.Stores) func(int) error {
			createAll(b, s.Sessions, b.N, row)
			return func(i int) error {
				_, err := s.Sessions.EndSubject(b.Context(), []string{row(i).Subject.ID}, now)
				return err
			}
		}},
		{"revocation/add", func(b *testing.B, s *store.Stores) func(int) error {
			return func(i int) error {
				_, err := s.Revocations.Add(b.Context(), []store.Revocation{{SID: row(i).ID, Exp: now, Reason: "logout"}})
				return err
			}
		}},
		{"revocation/nothing-new", func(b *testing.B, s *store.Stores) func(int) error {
			page, err := s.Revocations.Since(b.Context(), 0, 0, 5000)
			if err != nil {
				b.Fatal(err)
			}
			return func(int) error { _, err := s.Revocations.Since(b.Context(), page.Seq, 0, 5000); return err }
		}},
		{"mint/append-100", func(b *testing.B, s *store.Stores) func(int) error {
			var head audit.Head
			return func(int) error {
				rows := mintRows(head.Seq, 100)
				after := head
				head = rows[99].Head()
				_, _, err := s.Mints.Append(b.Context(), after, rows)
				return err
			}
		}},
		{"mint/live", func(b *testing.B, s *store.Stores) func(int) error {
			return func(i int) error { _, err := s.Mints.Live(b.Context(), "", row(i).ID, "", 0); return err }
		}},
		{"keys/load", func(b *testing.B, s *store.Stores) func(int) error {
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
func mintRows(after int64, n int) []audit.Entry {
	now := time.Now().Unix()
	rows := make([]audit.Entry, n)
	for i := range rows {
		seq := after + 1 + int64(i)
		rows[i] = audit.Entry{
			Seq: seq, MAC: sha256.Sum256(binary.BigEndian.AppendUint64(nil, uint64(seq))), Mint: audit.Mint{
				ID: fmt.Sprintf("jti-%018d", seq), Subject: fmt.Sprintf("0x%040d", seq), Role: "wallet", IssuedAt: now, ExpiresAt: now + 900,
				Kind: store.KindWallet, SessionID: fmt.Sprintf("sid-%018d", seq), WalletID: fmt.Sprintf("%043d", seq),
			},
		}
	}
	return rows
}

// BenchmarkGrowth has a server that writes nothing to a file, and is asked for its memory.
func BenchmarkGrowth(b *testing.B) {
	storetest.BenchmarkGrowth(b, func(tb testing.TB, clock app.Clock) storetest.Storage[*store.Stores] {
		server := services.Redis(tb, "appendonly=no")
		admin := client(tb, server.URL())
		return storetest.Storage[*store.Stores]{
			Open: func(tb testing.TB) *store.Stores {
				return open(tb, redisstore.New(), with(config(tb, server.URL()), clock))
			},
			Used: func(tb testing.TB) int64 { return usedMemory(tb, admin) },
		}
	})
}

func usedMemory(t testing.TB, admin *redis.Client) int64 {
	t.Helper()
	for line := range strings.Lines(admin.Info(t.Context(), "memory").Val()) {
		if text, found := strings.CutPrefix(line, "used_memory:"); found {
			n, err := strconv.ParseInt(strings.TrimSpace(text), 10, 64)
			if err != nil {
				t.Fatal(err)
			}
			return n
		}
	}
	t.Fatal("Redis does not say how much memory it uses")
	return 0
}
