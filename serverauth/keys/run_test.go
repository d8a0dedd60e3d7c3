package keys_test

import (
	"context"
	"errors"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/picoauth/picoauth/serverauth/keys"
)

// running opens a ring on the test's own time and keeps it up to date until the test ends.
func running(t *testing.T, store keys.Store, cfg keys.Config) *keys.Ring {
	t.Helper()
	ring := open(t, store, cfg)
	ctx, cancel := context.WithCancel(t.Context())
	done := make(chan struct{})
	go func() { defer close(done); ring.Run(ctx) }()
	t.Cleanup(func() { cancel(); <-done })
	return ring
}

func TestRunObeysTheOthersWithinFiveSeconds(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		store := keys.NewMemoryStore()
		a, b := running(t, store, config(nil)), running(t, store, config(nil))
		stolen := signerID(t, a)
		time.Sleep(pending)
		if _, err := a.Compromise(t.Context(), stolen); err != nil {
			t.Fatal(err)
		}
		time.Sleep(2 * time.Second)
		if publishes(b, stolen) || signerID(t, b) != signerID(t, a) {
			t.Fatalf("%v", b.List())
		}
	})
}

func TestRunRotates(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		cfg := config(nil)
		cfg.RotateEvery = 2 * time.Hour
		store := keys.NewMemoryStore()
		a, b := running(t, store, cfg), running(t, store, cfg)
		first := signerID(t, a)
		time.Sleep(cfg.RotateEvery)
		if second := signerID(t, a); second == first || signerID(t, b) != second || !publishes(b, first) {
			t.Fatalf("%v", a.List())
		}
		if len(a.List()) != 3 {
			t.Fatalf("both rotated: %v", a.List())
		}
	})
}

func TestRunLogsATroubleOnce(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var log logBook
		cfg := config(nil)
		cfg.Logger = log.logger()
		store := &flakyStore{Store: keys.NewMemoryStore()}
		ring := running(t, store, cfg)
		store.set(errors.New("no route to host"))
		time.Sleep(10 * time.Second)
		if err := ring.Ready(t.Context()); !errors.Is(err, keys.ErrUnavailable) {
			t.Fatalf("got %v", err)
		}
		store.set(nil)
		time.Sleep(10 * time.Second)
		if err := ring.Ready(t.Context()); err != nil {
			t.Fatal(err)
		}
		if n := strings.Count(log.String(), "no route to host"); n != 1 || !strings.Contains(log.String(), "up to date again") {
			t.Fatalf("logged %d times: %s", n, log.String())
		}
	})
}
