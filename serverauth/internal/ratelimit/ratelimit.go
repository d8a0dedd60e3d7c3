// Package ratelimit limits the requests of each client.
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
	capacity = 1 << 16 // maximum number of buckets, besides shared ones; about 100 bytes each
	// clientsPerSite is the limit of an IPv6 /48, as a multiple of the limit of one client, which is a /64.
	clientsPerSite = 16
)

// Key is the key of a bucket: the client whose requests it counts, and the endpoint.
type Key struct {
	Client   netip.Addr // an IPv4 address, or the first one of an IPv6 network; zero: no address, or the shared bucket
	Site     bool       // the network is a /48, not a /64
	Holder   string     // a proved session, a claimed OAuth client_id, a host, or a fixed name; empty: none
	Endpoint string
}

// siteOf returns the key of the /48 that contains an IPv6 client; false for other keys.
func (k Key) siteOf() (site Key, ok bool) {
	if !k.Client.Is6() || k.Holder != "" {
		return Key{}, false
	}
	return Key{Client: netip.PrefixFrom(k.Client, 48).Masked().Addr(), Site: true, Endpoint: k.Endpoint}, true
}

// Network returns the network that counts as one client: an IPv4 address, or the first address of an IPv6 /64. It is the zero Addr
// for a text that is not an IP address.
func Network(client string) netip.Addr {
	addr, err := netip.ParseAddr(client)
	if err != nil {
		return netip.Addr{}
	}
	addr = addr.Unmap().WithZone("")
	if addr.Is4() {
		return addr
	}
	return netip.PrefixFrom(addr, 64).Masked().Addr()
}

// Limiter has one token bucket for each key, which holds the requests of one minute and refills evenly (the generic cell rate
// algorithm: a bucket is stored as the time at which it will be full). The number of buckets is limited: if a shard is full of
// buckets in use, its other keys share one bucket per endpoint.
type Limiter struct {
	now    app.Clock
	period time.Duration // in which a bucket refills by one request
	burst  time.Duration
	seed   maphash.Seed
	shards [shards]shard
}

type shard struct {
	mu     sync.Mutex
	full   map[Key]int64 // Unix nanoseconds
	pruned int64
}

// New returns a limiter of perMinute requests per minute; for 0 it returns nil, which limits nothing.
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

// Allow takes one request from the bucket of a key, and for an IPv6 client also from that of its /48. If one is empty, it takes
// nothing and returns the time until the next request is allowed.
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

// GiveBack returns the request that a successful Allow took.
func (l *Limiter) GiveBack(k Key) {
	if l == nil {
		return
	}
	l.put(k)
	if site, hasSite := k.siteOf(); hasSite {
		l.put(site)
	}
}

// Now returns the time of the limiter's clock.
func (l *Limiter) Now() time.Time { return l.now() }

// IsEmpty reports whether the bucket of this key alone is empty, and for how long. It takes nothing. It does not look at the
// shared bucket or that of the /48.
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
	full := min(max(shard.full[k], now), now+int64(l.burst)) + int64(l.cost(k)) // full in a minute, even if the clock was set back
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

// shared returns the key of the bucket that keys share if their shard is full.
func (k Key) shared() Key { return Key{Site: k.Site, Endpoint: k.Endpoint} }

// holds reports whether the shard has a bucket of the key, or room for one.
func (s *shard) holds(k Key, now int64) bool {
	_, known := s.full[k]
	return known || len(s.full) < capacity/shards || s.prune(now)
}

// prune removes the buckets that are full again, at most once per second, and reports whether there is room.
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
