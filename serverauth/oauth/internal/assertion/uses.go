// Package assertion has what all JWTs need that stand for a credential at the token endpoint: each serves once.
package assertion

import (
	"context"
	"crypto/sha256"
	"sync/atomic"
	"time"

	"github.com/picoauth/picoauth/app"
	"github.com/picoauth/picoauth/serverauth/internal/mac"
	"github.com/picoauth/picoauth/serverauth/store"
)

// Uses knows which assertions were used, in all processes that share the store. It is safe for concurrent use.
type Uses struct {
	store  store.UsedStore
	skew   time.Duration
	clock  app.Clock
	latest atomic.Int64 // the highest time seen, Unix milliseconds
}

// NewUses returns what remembers each assertion until it has expired, by clocks that may differ by skew.
func NewUses(used store.UsedStore, skew time.Duration, clock app.Clock) *Uses {
	return &Uses{store: used, skew: skew, clock: clock}
}

// Now is the time to judge assertions by. It never falls: an assertion that was forgotten is never good again.
func (u *Uses) Now() time.Time {
	now := u.clock()
	for {
		last := u.latest.Load()
		if now.UnixMilli() <= last {
			return time.UnixMilli(last)
		}
		if u.latest.CompareAndSwap(last, now.UnixMilli()) {
			return now
		}
	}
}

// First reports whether an assertion that is known by these texts is used for the first time. An error says that it cannot be
// remembered now.
func (u *Uses) First(ctx context.Context, expires time.Time, known ...string) (bool, error) {
	return u.store.Use(ctx, sha256.Sum256(mac.Fields{}.Texts(known...)), nil, expires.Add(u.skew).UnixMilli())
}
