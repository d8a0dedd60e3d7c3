package storetest

import (
	"math/rand/v2"
	"strconv"
	"testing"
	"time"

	"github.com/picoauth/picoauth/serverauth/store"
)

// BenchmarkGrowth measures how the cost of a storage grows with what is in it: a refresh, the news of the denylist and
// the whole of it, with ten thousand sessions and as many revocations, and with PICOAUTH_LONG=1 with a hundred thousand
// and a million. bytes/each is what one of them takes.
func BenchmarkGrowth(b *testing.B, fresh Fresh[*store.Stores]) {
	sizes := []int{10_000}
	if long() {
		sizes = append(sizes, 100_000, 1_000_000)
	}
	for _, size := range sizes {
		b.Run(strconv.Itoa(size), func(b *testing.B) {
			storage := fresh(b, time.Now)
			s := storage.Open(b)
			eachSession := storage.each(b, size, func() { withSessions(b, s, size) })
			refreshed := make([]uint64, size)
			b.Run("refresh", func(b *testing.B) {
				for b.Loop() {
					refreshAny(b, s, refreshed)
				}
				b.ReportMetric(eachSession, "bytes/each")
			})
			eachRevocation := storage.each(b, size, func() { withRevocations(b, s, size) })
			b.Run("news", func(b *testing.B) { benchmarkNews(b, s) })
			b.Run("denylist", func(b *testing.B) {
				for b.Loop() {
					page, err := readRevocations(background, s.Revocations, 0)
					if err != nil || len(page.Items) < size {
						b.Fatalf("%d items, %v", len(page.Items), err)
					}
				}
				b.ReportMetric(eachRevocation, "bytes/each")
			})
		})
	}
}

// each returns how many bytes each of so many things takes that fill puts there.
func (s Storage[Store]) each(b *testing.B, number int, fill func()) float64 {
	b.Helper()
	if s.Used == nil {
		fill()
		return 0
	}
	before := s.Used(b)
	fill()
	return float64(s.Used(b)-before) / float64(number)
}

// refreshAny refreshes one of the sessions that withSessions made, any.
func refreshAny(b *testing.B, s *store.Stores, refreshed []uint64) {
	i := rand.IntN(len(refreshed))
	row := benchmarkSession(i)
	_, outcome, err := s.Sessions.Rotate(background, store.Rotation{
		SessionID: row.ID, Counter: row.Counter + refreshed[i], Now: time.Now().UnixMilli(), TTL: day, Grace: minute,
	})
	if err != nil || outcome != store.SessionRotated {
		b.Fatalf("outcome %d, %v", outcome, err)
	}
	refreshed[i]++
}

func withRevocations(b *testing.B, s *store.Stores, size int) {
	b.Helper()
	const batch = 500
	for n := 0; n < size; n += batch {
		items := make([]store.Revocation, batch)
		for i := range items {
			items[i] = benchmarkItem(n + i)
		}
		if _, err := s.Revocations.Add(background, items); err != nil {
			b.Fatal(err)
		}
	}
}

// benchmarkNews reads the one item that was added last.
func benchmarkNews(b *testing.B, s *store.Stores) {
	before, err := s.Revocations.Since(background, 1<<62, 0, 1)
	if err != nil {
		b.Fatal(err)
	}
	if _, err := s.Revocations.Add(background, []store.Revocation{benchmarkItem(rand.Int())}); err != nil {
		b.Fatal(err)
	}
	for b.Loop() {
		page, err := s.Revocations.Since(background, before.Seq, 0, 1000)
		if err != nil || len(page.Items) != 1 {
			b.Fatalf("%d items, %v", len(page.Items), err)
		}
	}
}
