// Package ratelimit counts requests by who sends them.
package ratelimit

import (
	"hash/maphash"
	"net/netip"
	"sync"
	"time"

	"github.com/picoauth/picoauth/app"
)

const (
	shards   = 64
	capacity = 1 << 16 // buckets in all, about 100 bytes each
	// clientsPerSite is how many IPv6 clients, each a /64, the /48 around them may be.
	clientsPerSite = 16
)

// Key names a bucket: whose requests it counts, and at which endpoint.
type Key struct {
	Client   netip.Addr // an IPv4 address, or the first of a network; zero: what has no address, or found no room
	Site     bool       // the network is a /48, not a /64
	Holder   string     // a session, or a word for the fleet secret, that it was proved to hold; or the OAuth client that it says it is
	Endpoint string
}

// siteOf returns the key of the /48 around an IPv6 client.
func (k Key) siteOf() (site Key, ok bool) {
	if !k.Client.Is6() || k.Holder != "" {
		return Key{}, false
	}
	prefix, err := k.Client.Prefix(48)
	return Key{Client: prefix.Addr(), Site: true, Endpoint: k.Endpoint}, err == nil
}

// Network is what one client counts as: an IPv4 address, or the /64 of an IPv6 address.
func Network(client string) netip.Addr {
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

// Limiter has one token bucket for each key, which holds the minute's amount and refills evenly (the generic cell
// rate algorithm: a bucket is the one instant at which it will be full). Their number is bounded: when a shard is full
// of buckets in use, keys that are not in it share one bucket an endpoint.
type Limiter struct {
	now    app.Clock
	period time.Duration // of one request
	burst  time.Duration
	seed   maphash.Seed
	shards [shards]shard
}

type shard struct {
	mu     sync.Mutex
	full   map[Key]int64 // Unix nanoseconds
	pruned int64
}

// New returns a limiter of perMinute requests; 0 limits nothing.
func New(perMinute int, now app.Clock) *Limiter {
	if perMinute == 0 {
		return nil
	}
	l := &Limiter{now: now, period: time.Minute / time.Duration(perMinute), burst: time.Minute, seed: maphash.MakeSeed()}
	for i := range l.shards {
		l.shards[i].full = make(map[Key]int64)
	}
	return l
}

// Allow takes one request from the bucket, and of an IPv6 client also from that of its /48, or says after how long to
// come again. What it refuses takes nothing.
func (l *Limiter) Allow(k Key) (retryAfter time.Duration, ok bool) {
	if l == nil {
		return 0, true
	}
	if retryAfter, ok = l.take(k); !ok {
		return retryAfter, false
	}
	if site, hasSite := k.siteOf(); hasSite {
		if retryAfter, ok = l.take(site); !ok {
			l.put(k)
		}
	}
	return retryAfter, ok
}

// GiveBack undoes an Allow.
func (l *Limiter) GiveBack(k Key) {
	if l == nil {
		return
	}
	l.put(k)
	if site, hasSite := k.siteOf(); hasSite {
		l.put(site)
	}
}

// Now is the time by the limiter's clock.
func (l *Limiter) Now() time.Time { return l.now() }

// IsEmpty tells whether Allow would refuse for what this very key has used up, and after how long no more. It takes nothing,
// and what is used up by those for whom there was no room does not count.
func (l *Limiter) IsEmpty(k Key) (retryAfter time.Duration, empty bool) {
	if l == nil {
		return 0, false
	}
	now := l.now().UnixNano()
	shard := l.shard(k)
	shard.mu.Lock()
	defer shard.mu.Unlock()
	late := min(shard.full[k], now+int64(l.burst)) + int64(l.cost(k)) - now - int64(l.burst)
	return time.Duration(late), late > 0
}

func (l *Limiter) take(k Key) (retryAfter time.Duration, ok bool) {
	now := l.now().UnixNano()
	shard := l.shard(k)
	shard.mu.Lock()
	defer shard.mu.Unlock()
	if !shard.holds(k, now) {
		k = k.shared()
	}
	full := min(max(shard.full[k], now), now+int64(l.burst)) + int64(l.cost(k)) // a clock that was set back locks nobody out for longer
	if late := full - now - int64(l.burst); late > 0 {
		return time.Duration(late), false
	}
	shard.full[k] = full
	return 0, true
}

func (l *Limiter) put(k Key) {
	shard := l.shard(k)
	shard.mu.Lock()
	defer shard.mu.Unlock()
	if _, known := shard.full[k]; !known {
		k = k.shared()
	}
	if full, known := shard.full[k]; known {
		shard.full[k] = full - int64(l.cost(k))
	}
}

func (l *Limiter) shard(k Key) *shard {
	return &l.shards[maphash.Comparable(l.seed, k)%shards]
}

func (l *Limiter) cost(k Key) time.Duration {
	if k.Site {
		return l.period / clientsPerSite
	}
	return l.period
}

// shared is the key of those for whom there is no room.
func (k Key) shared() Key { return Key{Site: k.Site, Endpoint: k.Endpoint} }

// holds reports whether there is a bucket of this key, or room for one.
func (s *shard) holds(k Key, now int64) bool {
	_, known := s.full[k]
	return known || len(s.full) < capacity/shards || s.prune(now)
}

// prune drops the buckets that are full again, at most once a second, and reports whether there is room.
func (s *shard) prune(now int64) bool {
	if now-s.pruned >= int64(time.Second) {
		s.pruned = now
		for k, full := range s.full {
			if full <= now {
				delete(s.full, k)
			}
		}
	}
	return len(s.full) < capacity/shards
}
