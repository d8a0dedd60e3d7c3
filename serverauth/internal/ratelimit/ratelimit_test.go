package ratelimit

import (
	"fmt"
	"net/netip"
	"runtime"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
)

func (l *Limiter) buckets() (n int) {
	for i := range l.shards {
		n += len(l.shards[i].full)
	}
	return n
}

func challengeKey(client string) Key {
	return Key{Client: Network(client), Endpoint: "/challenge"}
}

func TestTheNumberOfBucketsIsBounded(t *testing.T) {
	now := time.Unix(1_800_000_000, 0)
	l := New(120, func() time.Time { return now })
	var before, after runtime.MemStats
	runtime.GC()
	runtime.ReadMemStats(&before)
	address := netip.MustParseAddr("10.0.0.0")
	for range 300_000 {
		address = address.Next()
		l.Allow(challengeKey(address.String()))
	}
	runtime.GC()
	runtime.ReadMemStats(&after)
	assert.LessOrEqual(t, l.buckets(), capacity+2*shards)
	assert.Less(t, int64(after.HeapAlloc)-int64(before.HeapAlloc), int64(16<<20))

	refused := 0
	for range 200 {
		address = address.Next()
		if _, ok := l.Allow(challengeKey(address.String())); !ok {
			refused++
		}
	}
	assert.NotZero(t, refused, "who finds no room shares a bucket")
	now = now.Add(2 * time.Minute)
	for i := range 300 {
		_, ok := l.Allow(challengeKey(fmt.Sprintf("192.0.2.%d", i%256)))
		assert.True(t, ok, "the buckets that are full again make room")
	}
	assert.Less(t, l.buckets(), capacity)
}

func TestWhatIsNoAddressSharesABucket(t *testing.T) {
	l := New(1, time.Now)
	_, first := l.Allow(challengeKey(""))
	_, second := l.Allow(challengeKey("@"))
	assert.True(t, first)
	assert.False(t, second)
}

// TestASiteHasRoomForSixteenClients spreads a flood over the /64s of one /48.
func TestASiteHasRoomForSixteenClients(t *testing.T) {
	now := time.Unix(1_800_000_000, 0)
	l := New(10, func() time.Time { return now })
	passed := func(client string, n int) (count int) {
		for range n {
			if _, ok := l.Allow(challengeKey(client)); ok {
				count++
			}
		}
		return count
	}
	all := 0
	for network := range 100 {
		all += passed(fmt.Sprintf("2001:db8:1:%x::1", network), 3)
	}
	assert.Equal(t, 160, all, "of one /48")
	assert.Equal(t, 10, passed("2001:db8:2::1", 20), "another /48")
	now = now.Add(6 * time.Second)
	for network := range 100 {
		all += passed(fmt.Sprintf("2001:db8:1:%x::1", 200+network), 1)
	}
	assert.Equal(t, 160+16, all, "the site gets sixteen back in that time")
	assert.Equal(t, 10, passed("192.0.2.1", 20))
}

func TestARefusalByTheSiteTakesNothingOfTheClient(t *testing.T) {
	now := time.Unix(1_800_000_000, 0)
	l := New(10, func() time.Time { return now })
	for network := range 16 {
		for range 10 {
			_, ok := l.Allow(challengeKey(fmt.Sprintf("2001:db8:1:%x::1", network)))
			assert.True(t, ok)
		}
	}
	for range 100 {
		retryAfter, ok := l.Allow(challengeKey("2001:db8:1:ff::1"))
		assert.False(t, ok)
		assert.LessOrEqual(t, retryAfter, time.Second)
	}
	now = now.Add(4 * time.Second) // of the site's ten places, none of the others' has come back
	passed := 0
	for range 20 {
		if _, ok := l.Allow(challengeKey("2001:db8:1:ff::1")); ok {
			passed++
		}
	}
	assert.Equal(t, 10, passed, "the client's own bucket is full still")
}

func TestWhatIsGivenBackCanBeTakenAgain(t *testing.T) {
	l := New(3, func() time.Time { return time.Unix(1_800_000_000, 0) })
	for _, key := range []Key{challengeKey("192.0.2.1"), challengeKey("2001:db8::1"), challengeKey(""), {Holder: "sid", Endpoint: "/refresh"}} {
		for range 100 {
			_, ok := l.Allow(key)
			assert.True(t, ok)
			l.GiveBack(key)
		}
		for range 3 {
			_, ok := l.Allow(key)
			assert.True(t, ok)
		}
		_, ok := l.Allow(key)
		assert.False(t, ok)
	}
	New(0, time.Now).GiveBack(challengeKey("192.0.2.1"))
}

func TestIsEmpty(t *testing.T) {
	now := time.Unix(1_800_000_000, 0)
	l := New(2, func() time.Time { return now })
	key := challengeKey("192.0.2.1")
	for range 2 {
		_, empty := l.IsEmpty(key)
		assert.False(t, empty)
		l.Allow(key)
	}
	after, empty := l.IsEmpty(key)
	assert.True(t, empty)
	assert.Equal(t, 30*time.Second, after)
	now = now.Add(after)
	_, empty = l.IsEmpty(key)
	assert.False(t, empty)
	_, empty = New(0, time.Now).IsEmpty(key)
	assert.False(t, empty)
}

func BenchmarkLimiter(b *testing.B) {
	for _, client := range []string{"192.0.2.1", "2001:db8::1"} {
		b.Run(client, func(b *testing.B) {
			l := New(1_000_000, time.Now)
			b.ReportAllocs()
			for b.Loop() {
				l.Allow(challengeKey(client))
			}
		})
	}
}
