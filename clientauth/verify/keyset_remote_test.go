package verify_test

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

	"github.com/picoauth/picoauth/clientauth/jose"
	"github.com/picoauth/picoauth/clientauth/verify"
)

// remote is a key set with the server that it fetches from.
type remote struct {
	*verify.RemoteKeySet
	server *server
	clock  *clock
}

func newRemote(t testing.TB, handler http.HandlerFunc) *remote {
	t.Helper()
	r := &remote{server: newServer(t, handler), clock: newClock()}
	r.RemoteKeySet = r.set(t, verify.RemoteKeySetConfig{})
	return r
}

func (r *remote) set(t testing.TB, cfg verify.RemoteKeySetConfig) *verify.RemoteKeySet {
	t.Helper()
	cfg.Clock, cfg.Logger = r.clock.Now, quiet
	if cfg.URL == "" {
		cfg.URL = r.server.URL + "/jwks"
	}
	if cfg.Timeout == 0 {
		cfg.Timeout = time.Minute // the machine may be busy
	}
	set, err := verify.NewRemoteKeySet(cfg)
	if err != nil {
		t.Fatal(err)
	}
	return set
}

// ask looks s up and reports the error and how many requests that made.
func (r *remote) ask(s signer) (error, int64) {
	before := r.server.Requests.Load()
	key, err := r.Key(context.Background(), s.Key.ID, s.Alg)
	if err == nil && !key.Equal(s.Key) {
		err = errors.New("another key was found")
	}
	return err, r.server.Requests.Load() - before
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
	r.clock.Move(239 * time.Second)
	r.expect(t, "before 80 %", one, nil, 0)
	first := must(r.Key(context.Background(), one.Key.ID, one.Alg))
	r.clock.Move(time.Second)
	_ = must(r.Key(context.Background(), one.Key.ID, one.Alg))
	eventually(t, "a refresh in the background", func() bool { return r.server.Requests.Load() == 2 })
	eventually(t, "fresh keys", func() bool { return r.Refresh(context.Background()) == nil })
	if again := must(r.Key(context.Background(), one.Key.ID, one.Alg)); again != first {
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
		r.clock.Move(ttl*8/10 - time.Second)
		r.expect(t, header+" fresh", one, nil, 0)
		r.clock.Move(ttl)
		r.expect(t, header+" old", one, nil, 1)
	}
}

func TestStaleKeysAreUsedForAnHour(t *testing.T) {
	one := fresh(jose.EdDSA)
	r := newRemote(t, serveKeys([]signer{one}))
	r.expect(t, "first", one, nil, 1)
	r.server.Become(serveStatus(http.StatusBadGateway))
	r.clock.Move(5 * time.Minute)
	r.expect(t, "stale, the first waits", one, nil, 1)
	r.expect(t, "stale, the others do not", one, nil, 0)
	r.clock.Move(59*time.Minute + 59*time.Second)
	if err, _ := r.ask(one); err != nil {
		t.Errorf("within the hour: %v", err)
	}
	eventually(t, "a retry in the background", func() bool { return r.server.Requests.Load() == 3 })
	_ = r.Refresh(context.Background())
	r.clock.Move(time.Second)
	if err, _ := r.ask(one); !errors.Is(err, verify.ErrKeysUnavailable) || !errors.Is(err, verify.ErrUnavailable) {
		t.Errorf("after the hour: %v", err)
	}
	r.server.Become(serveKeys([]signer{one}))
	r.clock.Move(time.Second)
	r.expect(t, "the issuer is back", one, nil, 1)
}

func TestNoKeysYet(t *testing.T) {
	one := fresh(jose.EdDSA)
	r := newRemote(t, serveStatus(http.StatusInternalServerError))
	r.expect(t, "first", one, verify.ErrKeysUnavailable, 1)
	r.expect(t, "within the pause", one, verify.ErrKeysUnavailable, 0)
	r.clock.Move(time.Second)
	r.expect(t, "after the pause", one, verify.ErrKeysUnavailable, 1)
	r.server.Become(serveKeys([]signer{one}))
	r.clock.Move(time.Second)
	r.expect(t, "up", one, nil, 1)
}

func TestUnknownKeyIDs(t *testing.T) {
	one, two := fresh(jose.EdDSA), fresh(jose.EdDSA)
	r := newRemote(t, serveKeys([]signer{one}))
	r.expect(t, "first", one, nil, 1)
	r.server.Become(serveKeys([]signer{one, two}))
	r.expect(t, "a rotation", two, nil, 1)
	stranger := fresh(jose.EdDSA)
	r.expect(t, "within the pause", stranger, verify.ErrUnknownKey, 0)
	r.clock.Move(30 * time.Second)
	r.expect(t, "after the pause", stranger, verify.ErrUnknownKey, 1)
	r.clock.Move(30 * time.Second)
	r.expect(t, "looked for already", stranger, verify.ErrUnknownKey, 0)
	r.expect(t, "another one", fresh(jose.EdDSA), verify.ErrUnknownKey, 1)
	r.clock.Move(31 * time.Second)
	r.expect(t, "the memory is over", stranger, verify.ErrUnknownKey, 1)

	known := one
	known.Alg = jose.ES256
	r.clock.Move(30 * time.Second)
	r.expect(t, "a known kid with another algorithm", known, verify.ErrUnknownKey, 1)
	r.expect(t, "again, within the pause", known, verify.ErrUnknownKey, 0)
	r.expect(t, "no kid, two keys", signer{Alg: jose.EdDSA}, verify.ErrUnknownKey, 0)
}

// validator trusts the issuer of the set for the algorithms of all.
func (r *remote) validator(t testing.TB, all ...signer) *verify.TokenValidator {
	t.Helper()
	cfg := trusting(r.clock, all...)
	cfg.Issuers[0].Keys = r
	return newValidator(t, cfg)
}

func TestAKeyReplacedUnderItsKidCounts(t *testing.T) {
	for name, header := range map[string]object{"with a kid": nil, "without one": {"kid": nil}} {
		old, next := fresh(jose.EdDSA), fresh(jose.EdDSA)
		next.Key.ID = old.Key.ID
		r := newRemote(t, serveKeys([]signer{old}, "Cache-Control", "max-age=86400"))
		v := r.validator(t, old)
		expect := func(when string, s signer, want error, requests int64) {
			t.Helper()
			r.server.Requests.Store(0)
			_, err := v.Validate(context.Background(), s.Sign(s.Header(header), claims(object{"exp": r.clock.Unix() + 900})))
			if made := r.server.Requests.Load(); !errors.Is(err, want) || made != requests {
				t.Errorf("%s, %s: %v with %d requests, want %v with %d", name, when, err, made, want, requests)
			}
		}
		expect("first", old, nil, 1)
		r.server.Become(serveKeys([]signer{next}, "Cache-Control", "max-age=86400"))
		expect("replaced, not noticed", old, nil, 0)
		expect("the new key's first token", next, nil, 1)
		expect("the new key", next, nil, 0)
		expect("a token of the old key", old, verify.ErrInvalidSignature, 0)
		r.clock.Move(29 * time.Second)
		expect("within the pause", old, verify.ErrInvalidSignature, 0)
		r.clock.Move(time.Second)
		expect("after the pause", old, verify.ErrInvalidSignature, 1)
		r.server.Become(serveKeys([]signer{old}))
		expect("replaced again, within the pause", old, verify.ErrInvalidSignature, 0)
		r.clock.Move(30 * time.Second)
		expect("replaced again", old, nil, 1)
	}
}

func TestAKeyOfAnotherAlgorithmUnderTheSameKidCounts(t *testing.T) {
	old, next := fresh(jose.EdDSA), fresh(jose.ES256)
	next.Key.ID = old.Key.ID
	r := newRemote(t, serveKeys([]signer{old}))
	v := r.validator(t, old, next)
	_ = must(v.Validate(context.Background(), old.Token(claims(nil))))
	r.server.Become(serveKeys([]signer{next}))
	if _, err := v.Validate(context.Background(), next.Token(claims(nil))); err != nil {
		t.Error(err)
	}
	if n := r.server.Requests.Load(); n != 2 {
		t.Errorf("%d requests", n)
	}
}

func TestAFloodOfBadSignaturesFetchesOnceInThePause(t *testing.T) {
	one, thief := fresh(jose.EdDSA), fresh(jose.EdDSA)
	r := newRemote(t, serveKeys([]signer{one}, "Cache-Control", "max-age=86400"))
	v := r.validator(t, one)
	_ = must(v.Validate(context.Background(), one.Token(claims(nil))))
	var group sync.WaitGroup
	for worker := range 4 {
		group.Go(func() {
			for i := range 500 {
				token := thief.Sign(one.Header(nil), claims(object{"jti": strconv.Itoa(worker*500 + i)}))
				if _, err := v.Validate(context.Background(), token); !errors.Is(err, verify.ErrInvalidSignature) {
					t.Error(err)
				}
			}
		})
	}
	group.Wait()
	if n := r.server.Requests.Load(); n != 2 {
		t.Errorf("%d requests, want the first and one", n)
	}
	r.server.Become(serveStatus(http.StatusBadGateway))
	for range 60 {
		r.clock.Move(10 * time.Second)
		_, _ = v.Validate(context.Background(), thief.Sign(one.Header(nil), claims(object{"exp": r.clock.Unix() + 900})))
	}
	if n := r.server.Requests.Load(); n != 22 {
		t.Errorf("%d requests in ten minutes of an issuer that is down, want 20 more", n)
	}
	if _, err := v.Validate(context.Background(), one.Token(claims(object{"exp": r.clock.Unix() + 900}))); err != nil {
		t.Errorf("the key that there is: %v", err)
	}
}

func TestANewKidCountsWithinAMinute(t *testing.T) {
	one, two := fresh(jose.EdDSA), fresh(jose.EdDSA)
	r := newRemote(t, serveKeys([]signer{one}, "Cache-Control", "max-age=86400"))
	r.expect(t, "first", one, nil, 1)
	r.expect(t, "asked for before it is published", two, verify.ErrUnknownKey, 1)
	r.server.Become(serveKeys([]signer{one, two}, "Cache-Control", "max-age=86400"))
	for second := 1; second <= 60; second++ { // others ask for what is nowhere, all the time
		r.clock.Move(time.Second)
		_, _ = r.Key(context.Background(), "nowhere-"+strconv.Itoa(second), jose.EdDSA)
	}
	r.expect(t, "a minute later", two, nil, 0)
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
				if _, err := r.Key(context.Background(), kid, jose.EdDSA); !errors.Is(err, verify.ErrUnknownKey) {
					t.Errorf("%v", err)
					return
				}
			}
		})
	}
	group.Wait()
	if made := r.server.Requests.Load(); made > 2 {
		t.Errorf("%d requests within one pause", made)
	}
	for i := range 100 {
		r.clock.Move(30 * time.Second)
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
		eventually(t, "a request", func() bool { return r.server.Requests.Load() > 0 })
		close(release)
		group.Wait()
		if n := r.server.Requests.Load(); n != 1 {
			t.Errorf("%d requests", n)
		}
	}
	ask(one)
	release = make(chan struct{})
	r.server.Requests.Store(0)
	r.server.Become(func(w http.ResponseWriter, q *http.Request) {
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
	if _, err := r.Key(ctx, one.Key.ID, one.Alg); !errors.Is(err, verify.ErrKeysUnavailable) || !errors.Is(err, context.Canceled) {
		t.Errorf("%v", err)
	}
	close(release)
	if err, _ := r.ask(one); err != nil {
		t.Error(err)
	}
	if n := r.server.Requests.Load(); n != 1 {
		t.Errorf("%d requests", n)
	}
}
