package verify_test

import (
	"context"
	"errors"
	"runtime"
	"strconv"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/picoauth/picoauth/clientauth/jose"
	"github.com/picoauth/picoauth/clientauth/verify"
)

// spyKeys returns another, equal key every time, so that what a cache hit does can be told from a verification.
type spyKeys struct {
	keys atomic.Pointer[verify.KeyMap]
}

func (k *spyKeys) Key(ctx context.Context, kid, alg string) (*jose.Key, error) {
	key, err := k.keys.Load().Key(ctx, kid, alg)
	if err != nil {
		return nil, err
	}
	own := *key
	return &own, nil
}

func TestACachedTokenIsStillChecked(t *testing.T) {
	c := newClock()
	s := fresh(jose.EdDSA)
	keys := &spyKeys{}
	keys.keys.Store(keysOf(s))
	cfg := trusting(c, s)
	cfg.Issuers[0].Keys = keys
	v := newValidator(t, cfg)
	token := s.Token(claims(nil))
	first := must(v.Validate(context.Background(), token))
	if second := must(v.Validate(context.Background(), token)); second != first {
		t.Error("it was verified again")
	}
	keys.keys.Store(keysOf(fresh(jose.EdDSA)))
	if _, err := v.Validate(context.Background(), token); !errors.Is(err, verify.ErrUnknownKey) {
		t.Errorf("after its key was removed: %v", err)
	}
	impostor := fresh(jose.EdDSA)
	impostor.Key.ID = s.Key.ID
	keys.keys.Store(keysOf(impostor))
	if _, err := v.Validate(context.Background(), token); !errors.Is(err, verify.ErrInvalidSignature) {
		t.Errorf("after its kid got another key: %v", err)
	}
	keys.keys.Store(keysOf(s))
	_ = must(v.Validate(context.Background(), token))
	c.Move(15*time.Minute + 29*time.Second)
	_ = must(v.Validate(context.Background(), token))
	c.Move(time.Second)
	if _, err := v.Validate(context.Background(), token); !errors.Is(err, verify.ErrTokenExpired) {
		t.Errorf("after it expired: %v", err)
	}
	c.Move(-2 * time.Hour)
	if _, err := v.Validate(context.Background(), token); !errors.Is(err, verify.ErrTokenNotYetValid) {
		t.Errorf("when the clock went back: %v", err)
	}
}

func TestTheCacheIsKeyedByTheWholeToken(t *testing.T) {
	s := signers()[jose.EdDSA]
	v := newValidator(t, trusting(newClock(), s))
	good := s.Token(claims(nil))
	_ = must(v.Validate(context.Background(), good))
	for i := range len(good) {
		if good[i] == '.' {
			continue
		}
		changed := []byte(good)
		if changed[i]++; changed[i] == '.' {
			changed[i]++
		}
		if caller, err := v.Validate(context.Background(), string(changed)); err == nil {
			t.Fatalf("accepted with byte %d changed: %+v", i, caller)
		}
	}
	if _, err := v.Validate(context.Background(), good[:len(good)-1]); err == nil {
		t.Error("accepted truncated")
	}
}

func TestRefusedTokensAreNotCached(t *testing.T) {
	c := newClock()
	s := signers()[jose.EdDSA]
	v := newValidator(t, trusting(c, s))
	early := s.Token(claims(object{"nbf": c.In(time.Minute)}))
	if _, err := v.Validate(context.Background(), early); !errors.Is(err, verify.ErrTokenNotYetValid) {
		t.Fatal(err)
	}
	c.Move(time.Minute)
	if _, err := v.Validate(context.Background(), early); err != nil {
		t.Error(err)
	}
}

func TestCacheOff(t *testing.T) {
	s := signers()[jose.EdDSA]
	cfg := trusting(newClock(), s)
	cfg.CacheSize = 0
	v := newValidator(t, cfg)
	token := s.Token(claims(nil))
	if first, second := must(v.Validate(context.Background(), token)), must(v.Validate(context.Background(), token)); first == second {
		t.Error("it was cached")
	}
}

func TestTheRecentlyUsedStaysInASmallCache(t *testing.T) {
	c := newClock()
	s := signers()[jose.EdDSA]
	cfg := trusting(c, s)
	cfg.CacheSize = 8
	v := newValidator(t, cfg)
	hot := s.Token(claims(nil))
	first := must(v.Validate(context.Background(), hot))
	for i := range 100 {
		c.Move(time.Second)
		_ = must(v.Validate(context.Background(), s.Token(claims(object{"jti": strconv.Itoa(i)}))))
		if must(v.Validate(context.Background(), hot)) != first {
			t.Fatalf("the hot token was evicted by the %dth other", i)
		}
	}
}

func TestConcurrentValidation(t *testing.T) {
	c := newClock()
	s := signers()[jose.EdDSA]
	cfg := trusting(c, s)
	cfg.CacheSize = 16
	v := newValidator(t, cfg)
	tokens := make([]string, 32)
	for i := range tokens {
		tokens[i] = s.Token(claims(object{"sub": strconv.Itoa(i)}))
	}
	var group sync.WaitGroup
	for range 8 {
		group.Go(func() {
			for i := range 400 {
				caller, err := v.Validate(context.Background(), tokens[i%len(tokens)])
				if err != nil || caller.Subject != strconv.Itoa(i%len(tokens)) {
					t.Errorf("%v, %v", caller, err)
					return
				}
			}
		})
	}
	group.Wait()
}

// A million with PICOAUTH_LONG=1.
func TestMemoryAndGoroutinesStayFlat(t *testing.T) {
	c := newClock()
	s := signers()[jose.EdDSA]
	v := newValidator(t, trusting(c, s))
	validate := func(from, n int) {
		for i := range n {
			_ = must(v.Validate(context.Background(), s.Token(claims(object{"jti": strconv.Itoa(from + i)}))))
			_, _ = v.Validate(context.Background(), s.Sign(s.Header(object{"kid": strconv.Itoa(from + i)}), claims(nil)))
		}
	}
	total := 2000
	if long() {
		total = 1_000_000
	}
	validate(0, 1500)
	memory, goroutines := inUse(), runtime.NumGoroutine()
	validate(1500, total)
	if grown := int64(inUse()) - int64(memory); grown > 1<<20 {
		t.Errorf("memory grew by %d bytes", grown)
	}
	if now := runtime.NumGoroutine(); now > goroutines {
		t.Errorf("%d goroutines, %d before", now, goroutines)
	}
}
