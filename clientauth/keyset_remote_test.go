package clientauth_test

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"runtime"
	"strconv"
	"sync"
	"testing"
	"time"

	"github.com/picoauth/picoauth/app"
	"github.com/picoauth/picoauth/clientauth"
	"github.com/picoauth/picoauth/clientauth/jose"
)

// remote is a key set with the server that it fetches from.
type remote struct {
	*clientauth.RemoteKeySet
	server *server
	clock  *clock
}

func newRemote(t testing.TB, handler http.HandlerFunc) *remote {
	t.Helper()
	r := &remote{server: newServer(t, handler), clock: newClock()}
	r.RemoteKeySet = r.set(t, clientauth.RemoteKeySetConfig{})
	return r
}

func (r *remote) set(t testing.TB, cfg clientauth.RemoteKeySetConfig) *clientauth.RemoteKeySet {
	t.Helper()
	cfg.Clock, cfg.Logger = app.Clock(r.clock.now), quiet
	if cfg.URL == "" {
		cfg.URL = r.server.URL + "/jwks"
	}
	if cfg.Timeout == 0 {
		cfg.Timeout = time.Minute // the machine may be busy
	}
	set, err := clientauth.NewRemoteKeySet(cfg)
	if err != nil {
		t.Fatal(err)
	}
	return set
}

// ask looks s up and reports the error and how many requests that made.
func (r *remote) ask(s signer) (error, int64) {
	before := r.server.requests.Load()
	key, err := r.Key(context.Background(), s.key.ID, s.alg)
	if err == nil && !key.Equal(s.key) {
		err = errors.New("another key was found")
	}
	return err, r.server.requests.Load() - before
}

func (r *remote) expect(t *testing.T, when string, s signer, want error, requests int64) {
	t.Helper()
	if err, made := r.ask(s); !errors.Is(err, want) || made != requests {
		t.Errorf("%s: %v with %d requests, want %v with %d", when, err, made, want, requests)
	}
}

func TestKeysAreFetchedOnceAndCached(t *testing.T) {
	one := fresh(jose.EdDSA)
	r := newRemote(t, serveKeys([]signer{one}))
	r.expect(t, "first", one, nil, 1)
	for range 10 {
		r.expect(t, "cached", one, nil, 0)
	}
	r.clock.move(239 * time.Second)
	r.expect(t, "before 80 %", one, nil, 0)
	first := must(r.Key(context.Background(), one.key.ID, one.alg))
	r.clock.move(time.Second)
	_ = must(r.Key(context.Background(), one.key.ID, one.alg))
	eventually(t, "a refresh in the background", func() bool { return r.server.requests.Load() == 2 })
	eventually(t, "fresh keys", func() bool { return r.Refresh(context.Background()) == nil })
	if again := must(r.Key(context.Background(), one.key.ID, one.alg)); again != first {
		t.Error("an unchanged key came back under another pointer")
	}
}

func TestMaxAgeIsClamped(t *testing.T) {
	one := fresh(jose.EdDSA)
	for header, ttl := range map[string]time.Duration{
		"":                      5 * time.Minute,
		"public":                5 * time.Minute,
		"public, max-age=120":   2 * time.Minute,
		"MAX-AGE=\"120\"":       2 * time.Minute,
		"max-age=0":             time.Minute,
		"max-age=1":             time.Minute,
		"max-age=-7":            time.Minute,
		"max-age=soon":          time.Minute,
		"no-store":              time.Minute,
		"max-age=999999999":     24 * time.Hour,
		"max-age=9223372036854": 24 * time.Hour,
	} {
		r := newRemote(t, serveKeys([]signer{one}, "Cache-Control", header))
		r.expect(t, header, one, nil, 1)
		r.clock.move(ttl*8/10 - time.Second)
		r.expect(t, header+" fresh", one, nil, 0)
		r.clock.move(ttl)
		r.expect(t, header+" old", one, nil, 1)
	}
}

func TestStaleKeysAreUsedForAnHour(t *testing.T) {
	one := fresh(jose.EdDSA)
	r := newRemote(t, serveKeys([]signer{one}))
	r.expect(t, "first", one, nil, 1)
	r.server.become(serveStatus(http.StatusBadGateway))
	r.clock.move(5 * time.Minute)
	r.expect(t, "stale, the first waits", one, nil, 1)
	r.expect(t, "stale, the others do not", one, nil, 0)
	r.clock.move(59*time.Minute + 59*time.Second)
	if err, _ := r.ask(one); err != nil {
		t.Errorf("within the hour: %v", err)
	}
	eventually(t, "a retry in the background", func() bool { return r.server.requests.Load() == 3 })
	_ = r.Refresh(context.Background())
	r.clock.move(time.Second)
	if err, _ := r.ask(one); !errors.Is(err, clientauth.ErrKeysUnavailable) || !errors.Is(err, clientauth.ErrUnavailable) {
		t.Errorf("after the hour: %v", err)
	}
	r.server.become(serveKeys([]signer{one}))
	r.clock.move(time.Second)
	r.expect(t, "the issuer is back", one, nil, 1)
}

func TestNoKeysYet(t *testing.T) {
	one := fresh(jose.EdDSA)
	r := newRemote(t, serveStatus(http.StatusInternalServerError))
	r.expect(t, "first", one, clientauth.ErrKeysUnavailable, 1)
	r.expect(t, "within the pause", one, clientauth.ErrKeysUnavailable, 0)
	r.clock.move(time.Second)
	r.expect(t, "after the pause", one, clientauth.ErrKeysUnavailable, 1)
	r.server.become(serveKeys([]signer{one}))
	r.clock.move(time.Second)
	r.expect(t, "up", one, nil, 1)
}

func TestUnknownKeyIDs(t *testing.T) {
	one, two := fresh(jose.EdDSA), fresh(jose.EdDSA)
	r := newRemote(t, serveKeys([]signer{one}))
	r.expect(t, "first", one, nil, 1)
	r.server.become(serveKeys([]signer{one, two}))
	r.expect(t, "a rotation", two, nil, 1)
	stranger := fresh(jose.EdDSA)
	r.expect(t, "within the pause", stranger, clientauth.ErrUnknownKey, 0)
	r.clock.move(30 * time.Second)
	r.expect(t, "after the pause", stranger, clientauth.ErrUnknownKey, 1)
	r.clock.move(30 * time.Second)
	r.expect(t, "looked for already", stranger, clientauth.ErrUnknownKey, 0)
	r.expect(t, "another one", fresh(jose.EdDSA), clientauth.ErrUnknownKey, 1)
	r.clock.move(31 * time.Second)
	r.expect(t, "the memory is over", stranger, clientauth.ErrUnknownKey, 1)

	known := one
	known.alg = jose.ES256
	r.clock.move(30 * time.Second)
	r.expect(t, "a known kid with another algorithm", known, clientauth.ErrUnknownKey, 0)
	r.expect(t, "no kid, two keys", signer{alg: jose.EdDSA}, clientauth.ErrUnknownKey, 0)
}

func TestAKnownKidWithABadSignatureNeverFetches(t *testing.T) {
	one, thief := fresh(jose.EdDSA), fresh(jose.EdDSA)
	r := newRemote(t, serveKeys([]signer{one}))
	cfg := trusting(r.clock, one)
	cfg.Issuers[0].Keys = r
	v := newValidator(t, cfg)
	_ = must(v.Validate(context.Background(), one.token(claims(nil))))
	for range 20 {
		r.clock.move(10 * time.Second)
		if _, err := v.Validate(context.Background(), thief.sign(one.header(nil), claims(nil))); !errors.Is(err, clientauth.ErrInvalidSignature) {
			t.Fatal(err)
		}
	}
	if n := r.server.requests.Load(); n != 1 {
		t.Errorf("%d requests", n)
	}
}

func TestAFloodOfUnknownKeyIDs(t *testing.T) {
	one := fresh(jose.EdDSA)
	r := newRemote(t, serveKeys([]signer{one}, "Cache-Control", "max-age=86400"))
	r.expect(t, "first", one, nil, 1)
	n, before, goroutines := 20_000, inUse(), runtime.NumGoroutine()
	if long() {
		n = 1_000_000
	}
	var group sync.WaitGroup
	for worker := range 4 {
		group.Go(func() {
			for i := range n / 4 {
				kid := fmt.Sprintf("%d-%d", worker, i)
				if _, err := r.Key(context.Background(), kid, jose.EdDSA); !errors.Is(err, clientauth.ErrUnknownKey) {
					t.Errorf("%v", err)
					return
				}
			}
		})
	}
	group.Wait()
	if made := r.server.requests.Load(); made > 2 {
		t.Errorf("%d requests within one pause", made)
	}
	for i := range 100 {
		r.clock.move(30 * time.Second)
		_, _ = r.Key(context.Background(), "slow-"+strconv.Itoa(i), jose.EdDSA)
	}
	if grown := int64(inUse()) - int64(before); grown > 2<<20 {
		t.Errorf("memory grew by %d bytes", grown)
	}
	eventually(t, "the goroutines ended", func() bool { return runtime.NumGoroutine() <= goroutines+1 })
}

func TestOneFetchIsShared(t *testing.T) {
	one, two := fresh(jose.EdDSA), fresh(jose.EdDSA)
	release := make(chan struct{})
	r := newRemote(t, func(w http.ResponseWriter, q *http.Request) {
		<-release
		serveKeys([]signer{one, two})(w, q)
	})
	ask := func(s signer) {
		var group sync.WaitGroup
		for range 50 {
			group.Go(func() {
				if err, _ := r.ask(s); err != nil {
					t.Error(err)
				}
			})
		}
		eventually(t, "a request", func() bool { return r.server.requests.Load() > 0 })
		close(release)
		group.Wait()
		if n := r.server.requests.Load(); n != 1 {
			t.Errorf("%d requests", n)
		}
	}
	ask(one)
	release = make(chan struct{})
	r.server.requests.Store(0)
	r.server.become(func(w http.ResponseWriter, q *http.Request) {
		<-release
		serveKeys([]signer{one, two, three()})(w, q)
	})
	ask(three())
}

var three = sync.OnceValue(func() signer { return fresh(jose.EdDSA) })

func TestACancelledRequestStopsWaitingAndTheFetchGoesOn(t *testing.T) {
	one := fresh(jose.EdDSA)
	release := make(chan struct{})
	r := newRemote(t, func(w http.ResponseWriter, q *http.Request) {
		<-release
		serveKeys([]signer{one})(w, q)
	})
	ctx, cancel := context.WithCancel(context.Background())
	cancel()
	if _, err := r.Key(ctx, one.key.ID, one.alg); !errors.Is(err, clientauth.ErrKeysUnavailable) || !errors.Is(err, context.Canceled) {
		t.Errorf("%v", err)
	}
	close(release)
	if err, _ := r.ask(one); err != nil {
		t.Error(err)
	}
	if n := r.server.requests.Load(); n != 1 {
		t.Errorf("%d requests", n)
	}
}
