package serverauth

import (
	"hash/maphash"
	"net/netip"
	"sync"
	"time"

	"github.com/picoauth/picoauth/app"
)

const (
	limiterShards   = 64
	limiterCapacity = 1 << 16 // buckets in all, about 60 bytes each
)

// rateLimiter has one token bucket for each client and endpoint, which holds the minute's amount and refills evenly
// (the generic cell rate algorithm: a bucket is the one instant at which it will be full). Their number is bounded:
// when a shard is full of buckets in use, clients that are not in it share one bucket an endpoint.
type rateLimiter struct {
	now    app.Clock
	period time.Duration // of one request
	burst  time.Duration
	seed   maphash.Seed
	shards [limiterShards]limiterShard
}

type limiterShard struct {
	mu     sync.Mutex
	full   map[limiterKey]int64 // Unix nanoseconds
	pruned int64
}

type limiterKey struct {
	client   netip.Addr
	endpoint string
}

// newRateLimiter returns a limiter of perMinute requests; 0 limits nothing.
func newRateLimiter(perMinute int, now app.Clock) *rateLimiter {
	if perMinute == 0 {
		return nil
	}
	l := &rateLimiter{now: now, period: time.Minute / time.Duration(perMinute), burst: time.Minute, seed: maphash.MakeSeed()}
	for i := range l.shards {
		l.shards[i].full = make(map[limiterKey]int64)
	}
	return l
}

// allow takes one request from the client's bucket, or says after how long to come again.
func (l *rateLimiter) allow(client, endpoint string) (retryAfter time.Duration, ok bool) {
	return l.ask(client, endpoint, true)
}

// peek says what allow would, and takes nothing.
func (l *rateLimiter) peek(client, endpoint string) (retryAfter time.Duration, ok bool) {
	return l.ask(client, endpoint, false)
}

func (l *rateLimiter) ask(client, endpoint string, take bool) (retryAfter time.Duration, ok bool) {
	if l == nil {
		return 0, true
	}
	k := limiterKey{client: clientNetwork(client), endpoint: endpoint}
	now := l.now().UnixNano()
	shard := &l.shards[maphash.Comparable(l.seed, k)%limiterShards]
	shard.mu.Lock()
	defer shard.mu.Unlock()
	if !shard.holds(k, now) {
		k.client = netip.Addr{}
	}
	full := min(max(shard.full[k], now), now+int64(l.burst)) + int64(l.period) // a clock that was set back locks nobody out for longer
	if late := full - now - int64(l.burst); late > 0 {
		return time.Duration(late), false
	}
	if take {
		shard.full[k] = full
	}
	return 0, true
}

// holds reports whether there is a bucket of this key, or room for one.
func (s *limiterShard) holds(k limiterKey, now int64) bool {
	_, known := s.full[k]
	return known || len(s.full) < limiterCapacity/limiterShards || s.prune(now)
}

// prune drops the buckets that are full again, at most once a second, and reports whether there is room.
func (s *limiterShard) prune(now int64) bool {
	if now-s.pruned >= int64(time.Second) {
		s.pruned = now
		for k, full := range s.full {
			if full <= now {
				delete(s.full, k)
			}
		}
	}
	return len(s.full) < limiterCapacity/limiterShards
}

// clientNetwork is what one client counts as: an IPv4 address, or the /64 of an IPv6 address. What is no address
// shares one bucket.
func clientNetwork(client string) netip.Addr {
	addr, err := netip.ParseAddr(client)
	if err != nil {
		return netip.Addr{}
	}
	addr = addr.Unmap().WithZone("")
	if addr.Is4() {
		return addr
	}
	prefix, err := addr.Prefix(64)
	if err != nil {
		return netip.Addr{}
	}
	return prefix.Addr()
}
