package serverauth

import (
	"fmt"
	"net/netip"
	"runtime"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
)

func (l *rateLimiter) buckets() (n int) {
	for i := range l.shards {
		n += len(l.shards[i].full)
	}
	return n
}

func TestTheNumberOfBucketsIsBounded(t *testing.T) {
	now := time.Unix(1_800_000_000, 0)
	l := newRateLimiter(120, func() time.Time { return now })
	var before, after runtime.MemStats
	runtime.GC()
	runtime.ReadMemStats(&before)
	address := netip.MustParseAddr("10.0.0.0")
	for range 300_000 {
		address = address.Next()
		l.allow(address.String(), "/challenge")
	}
	runtime.GC()
	runtime.ReadMemStats(&after)
	assert.LessOrEqual(t, l.buckets(), limiterCapacity+2*limiterShards)
	assert.Less(t, int64(after.HeapAlloc)-int64(before.HeapAlloc), int64(16<<20))

	refused := 0
	for range 200 {
		address = address.Next()
		if _, ok := l.allow(address.String(), "/challenge"); !ok {
			refused++
		}
	}
	assert.NotZero(t, refused, "who finds no room shares a bucket")
	now = now.Add(2 * time.Minute)
	for i := range 300 {
		_, ok := l.allow(fmt.Sprintf("192.0.2.%d", i%256), "/challenge")
		assert.True(t, ok, "the buckets that are full again make room")
	}
	assert.Less(t, l.buckets(), limiterCapacity)
}

func TestWhatIsNoAddressSharesABucket(t *testing.T) {
	l := newRateLimiter(1, time.Now)
	_, first := l.allow("", "/challenge")
	_, second := l.allow("@", "/challenge")
	assert.True(t, first)
	assert.False(t, second)
}
