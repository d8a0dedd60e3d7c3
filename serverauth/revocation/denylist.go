package revocation

import (
	"context"
	"fmt"
	"log/slog"
	"sync"
	"sync/atomic"
	"time"

	"github.com/picoauth/picoauth/app"
	"github.com/picoauth/picoauth/clientauth"
	"github.com/picoauth/picoauth/serverauth/audit"
	"github.com/picoauth/picoauth/serverauth/internal/events"
	"github.com/picoauth/picoauth/serverauth/store"
)

const (
	denylistPoll   = time.Second
	denylistMaxAge = 15 * time.Second
	// Page is the number of entries that are read at once.
	Page = 1000
)

// Denylist is the copy of the RevocationStore in this process. A revocation by this process applies to the next request, one by
// another process within a second. If the store could not be read for 15 s, the denylist is unavailable and no token is accepted.
//
// If the store has lost commits (a standby took over without the last commits, or a copy was restored), it is read again
// completely; until then the denylist is unavailable. Entries that this process had read stay until they expire. Those that this
// process itself has added recently are added to the store again.
type Denylist struct {
	c      DenylistConfig
	index  *clientauth.RevocationIndex
	recent recentRevocations

	mu     sync.Mutex // one synchronisation at a time
	seq    int64
	lost   []store.Revocation        // to be added again
	synced atomic.Pointer[time.Time] // by the machine's own clock, which is monotonic; nil: never
}

// DenylistConfig configures a [Denylist].
type DenylistConfig struct {
	Store store.RevocationStore
	// Watch waits until another process may have added a revocation; nil: the store is only polled.
	Watch func(context.Context) error
	Log   *slog.Logger
	Clock app.Clock // nil: time.Now
}

// NewDenylist returns an empty denylist; Sync fills it.
func NewDenylist(c DenylistConfig) *Denylist {
	c.Clock = app.ClockOr(c.Clock)
	return &Denylist{c: c, index: clientauth.NewRevocationIndex()}
}

// Denied implements clientauth.Denylist.
func (d *Denylist) Denied(ctx context.Context, t clientauth.TokenRef) (bool, error) {
	if err := d.Ready(ctx); err != nil {
		return false, err
	}
	return d.index.Denied(ctx, t)
}

// Invalidate makes the denylist unavailable until the store has been read.
func (d *Denylist) Invalidate() { d.synced.Store(nil) }

// Listed reports whether a token is on this process's copy of the denylist, however old that is.
func (d *Denylist) Listed(t clientauth.TokenRef) bool {
	listed, _ := d.index.Denied(context.Background(), t) // never fails
	return listed
}

// Len returns the number of entries in this process.
func (d *Denylist) Len() int { return d.index.Len() }

// Age returns the time since the store was read; false if it was never read.
func (d *Denylist) Age() (time.Duration, bool) {
	if synced := d.synced.Load(); synced != nil {
		return time.Since(*synced), true
	}
	return 0, false
}

// Add adds items to the store and to this process's copy. It returns the stored items: for a token or session that was revoked
// before, the first one.
func (d *Denylist) Add(ctx context.Context, items []store.Revocation) ([]store.Revocation, error) {
	stored, err := d.c.Store.Add(ctx, items)
	if err != nil {
		return nil, fmt.Errorf("revocation store: %w", err)
	}
	d.recent.add(stored, d.c.Clock())
	d.index.Apply(stored...)
	return stored, nil
}

// Ready is the readiness check, which Denied uses too.
func (d *Denylist) Ready(context.Context) error {
	if age, synced := d.Age(); !synced || age > denylistMaxAge {
		return clientauth.ErrDenylistUnavailable
	}
	return nil
}

// Sync reads new entries from the store.
func (d *Denylist) Sync(ctx context.Context) error {
	d.mu.Lock()
	defer d.mu.Unlock()
	after, last := int64(0), false
	for !last {
		began := time.Now()
		page, err := d.c.Store.Since(ctx, d.seq, after, Page)
		if err != nil {
			return fmt.Errorf("revocation store: %w", err)
		}
		if page.Full {
			d.beginWhole(ctx, page, after)
		}
		d.index.Apply(page.Items...) // an entry is never removed before it expires
		d.lost = without(d.lost, page.Items)
		if after, last = page.Next, page.Next == 0; last {
			d.seq = page.Seq
			d.synced.Store(&began)
		}
	}
	d.index.Prune(d.c.Clock())
	d.restore(ctx)
	return nil
}

// beginWhole handles the first page of the whole list. The store returns the whole list at first, and after a long time without a
// reading, when unread entries may have been pruned. In all other cases the store has lost commits.
func (d *Denylist) beginWhole(ctx context.Context, page store.RevocationPage, after int64) {
	known := d.seq != 0 || after != 0
	if age, synced := d.Age(); !known || page.Seq >= d.seq && synced && age >= audit.Margin {
		return
	}
	d.Invalidate()
	d.lost = d.recent.list(d.c.Clock())
	d.c.Log.ErrorContext(ctx, events.StoreWentBack, "event", events.StoreWentBack, "store", "revocations",
		"known", d.index.Len(), "seq", d.seq, "stored_seq", page.Seq)
}

// Run synchronises until ctx ends: every second, and at once when Watch reports a change.
func (d *Denylist) Run(ctx context.Context) {
	told := make(chan struct{}, 1)
	var watching sync.WaitGroup
	defer watching.Wait()
	if d.c.Watch != nil {
		watching.Go(func() { d.listen(ctx, told) })
	}
	ticker := time.NewTicker(denylistPoll)
	defer ticker.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-ticker.C:
		case <-told:
		}
		if err := d.Sync(ctx); err != nil && ctx.Err() == nil {
			d.c.Log.WarnContext(ctx, "the denylist cannot be updated", "error", err)
		}
	}
}

// listen forwards the notifications of Watch. If Watch fails, polling continues.
func (d *Denylist) listen(ctx context.Context, told chan<- struct{}) {
	for ctx.Err() == nil {
		if err := d.c.Watch(ctx); err != nil {
			select {
			case <-ctx.Done():
			case <-time.After(denylistPoll):
			}
			continue
		}
		select {
		case told <- struct{}{}:
		default:
		}
	}
}
