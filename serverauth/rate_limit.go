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
	if l == nil {
		return 0, true
	}
	k := limiterKey{client: clientNetwork(client), endpoint: endpoint}
	shard := &l.shards[maphash.Comparable(l.seed, k)%limiterShards]
	return shard.take(k, l.now().UnixNano(), int64(l.period), int64(l.burst))
}

func (s *limiterShard) take(k limiterKey, now, period, burst int64) (time.Duration, bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if _, known := s.full[k]; !known && len(s.full) >= limiterCapacity/limiterShards && !s.prune(now) {
		k.client = netip.Addr{}
	}
	full := max(s.full[k], now) + period
	if full > now+burst {
		return time.Duration(full - now - burst), false
	}
	s.full[k] = full
	return 0, true
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
