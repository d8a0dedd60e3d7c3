package serverauth

import (
	"context"
	"fmt"
	"log/slog"
	"sync"
	"sync/atomic"
	"time"

	"github.com/picoauth/picoauth/app"
	"github.com/picoauth/picoauth/clientauth"
)

const (
	denylistPoll   = time.Second
	denylistMaxAge = 15 * time.Second
)

// Denylist is the issuer's own view of its RevocationStore, in process: what this process revokes is there for the
// very next request, what others revoke within a second. When the store cannot be read for 15 s it says so instead
// of letting tokens pass.
type Denylist struct {
	store RevocationStore
	index *clientauth.RevocationIndex
	now   app.Clock
	log   *slog.Logger
	watch func(context.Context) error // returns when others may have revoked; nil: they are only polled

	mu     sync.Mutex // one synchronisation at a time
	seq    int64
	synced atomic.Pointer[time.Time] // by the machine's own clock, which is monotonic; nil: never
}

// NewDenylist returns an empty denylist; Sync fills it.
func NewDenylist(store RevocationStore, log *slog.Logger, clock ...app.Clock) *Denylist {
	return &Denylist{store: store, index: clientauth.NewRevocationIndex(), now: clockOr(clock...), log: log}
}

// Denied implements clientauth.Denylist.
func (d *Denylist) Denied(ctx context.Context, t clientauth.TokenRef) (bool, error) {
	if age, synced := d.age(); !synced || age > denylistMaxAge {
		return false, clientauth.ErrDenylistUnavailable
	}
	return d.index.Denied(ctx, t)
}

// age is how long ago the store was read; false if it never was.
func (d *Denylist) age() (time.Duration, bool) {
	if synced := d.synced.Load(); synced != nil {
		return time.Since(*synced), true
	}
	return 0, false
}

// Add commits items to the store and applies them here.
func (d *Denylist) Add(ctx context.Context, items []Revocation) ([]Revocation, error) {
	stored, err := d.store.Add(ctx, items)
	if err != nil {
		return nil, fmt.Errorf("revocation store: %w", err)
	}
	d.mu.Lock() // a synchronisation that read before the commit must not put back what it read afterwards
	defer d.mu.Unlock()
	d.index.Apply(stored...)
	return stored, nil
}

// Sync reads from the store what is new.
func (d *Denylist) Sync(ctx context.Context) error {
	d.mu.Lock()
	defer d.mu.Unlock()
	began := time.Now()
	page, err := d.store.Since(ctx, d.seq)
	if err != nil {
		return fmt.Errorf("revocation store: %w", err)
	}
	if page.Full && d.seq != 0 { // as after a restart of a Redis without persistence
		d.log.ErrorContext(ctx, eventDenylistReset, "event", eventDenylistReset, "known", d.index.Len(), "stored", len(page.Items))
	}
	d.index.Apply(page.Items...) // nothing is ever taken off before it expires
	d.seq = page.Seq
	d.index.Prune(d.now())
	d.synced.Store(&began)
	return nil
}

// Run synchronises until ctx ends: every second, and at once when the store says that others have revoked.
func (d *Denylist) Run(ctx context.Context) {
	told := make(chan struct{}, 1)
	var watching sync.WaitGroup
	defer watching.Wait()
	if d.watch != nil {
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
			d.log.WarnContext(ctx, "denylist is not up to date", "error", err)
		}
	}
}

// listen passes on what the store tells. While it cannot tell, polling goes on.
func (d *Denylist) listen(ctx context.Context, told chan<- struct{}) {
	for ctx.Err() == nil {
		if err := d.watch(ctx); err != nil {
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
