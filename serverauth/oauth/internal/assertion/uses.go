// Package assertion makes sure that JWTs that serve as credentials at the token endpoint are used only once.
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

// Uses records which assertions were used, in all processes that share the store. It is safe for concurrent use.
type Uses struct {
	store  store.UsedStore
	skew   time.Duration
	clock  app.Clock
	latest atomic.Int64 // the highest time seen, Unix milliseconds
}

// NewUses returns a Uses. It keeps each use until the assertion has expired. skew is by how much clocks may differ.
func NewUses(used store.UsedStore, skew time.Duration, clock app.Clock) *Uses {
	return &Uses{store: used, skew: skew, clock: clock}
}

// Now returns the time for validating assertions. It never goes back, so that an expired assertion stays expired.
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

// First reports whether an assertion with this identification is used for the first time. An error means that its use cannot be
// stored now.
func (u *Uses) First(ctx context.Context, expires time.Time, known ...string) (bool, error) {
	return u.store.Use(ctx, sha256.Sum256(mac.Fields{}.Texts(known...)), nil, expires.Add(u.skew).UnixMilli())
}
