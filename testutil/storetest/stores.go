package storetest

import (
	"context"
	"testing"
	"time"

	"github.com/picoauth/picoauth/serverauth/store"
)

// stores is what a backend's Stores must do beside the stores.
func stores(t *testing.T, fresh Fresh[*store.Stores]) {
	t.Helper()
	run(t, fresh, []test[*store.Stores]{
		{"several open an empty storage at once", storesOpenTogether},
		{"ready", storesReady},
		{"watch", storesWatch},
	})
}

func storesOpenTogether(e env[*store.Stores]) {
	race(8, func(int) {
		s := e.Open(e.T)
		if s.Revocations == nil {
			return
		}
		if _, err := readRevocations(background, s.Revocations, 0); err != nil {
			e.Error(err)
		}
	})
}

func storesReady(e env[*store.Stores]) {
	s := e.open()
	if s.Ready == nil {
		return // it is always ready
	}
	e.ok(s.Ready(background))
	if err := s.Ready(ended()); err != nil {
		refusedWhole(e, err)
	}
	e.ok(s.Ready(background))
}

// storesWatch: whoever watches is told of what another process revokes, and is let go when the context ends.
func storesWatch(e env[*store.Stores]) {
	s, other := e.open(), e.open()
	if s.Watch == nil || s.Revocations == nil {
		return // it cannot tell, and is polled
	}
	const patience = 10 * time.Second
	ctx, cancel := context.WithTimeout(background, patience)
	defer cancel()
	seq := int64(0)
	for n := range 5 {
		item := store.Revocation{JTI: numbered("jti", n), RevokedAt: e.seconds(), Exp: e.seconds() + 60}
		if n > 0 { // the first one is there before anybody watches
			go func() {
				if _, err := other.Revocations.Add(background, []store.Revocation{item}); err != nil {
					e.Error(err)
				}
			}()
		} else if _, err := other.Revocations.Add(background, []store.Revocation{item}); err != nil {
			e.Error(err)
		}
		for found := false; !found; {
			e.ok(s.Watch(ctx))
			page, err := readRevocations(ctx, s.Revocations, seq)
			e.ok(err)
			seq, found = page.Seq, len(page.Items) > 0 && page.Items[len(page.Items)-1] == item
		}
	}
	waiting, stop := context.WithTimeout(background, 20*time.Millisecond)
	defer stop()
	for waiting.Err() == nil {
		_ = s.Watch(waiting) // it may have something left to tell
	}
}
