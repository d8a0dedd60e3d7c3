package keys

import (
	"context"
	"fmt"
	"time"
)

// catchUpTime is the longest that a request waits for the store when the ring has fallen behind.
const catchUpTime = 2 * time.Second

// load reads the store and takes over what it finds. The caller holds busy.
func (r *Ring) load(ctx context.Context) ([]Record, error) {
	records, err := r.store.Load(ctx)
	if err != nil {
		return nil, err
	}
	if err := r.checkNotEmptied(records); err != nil {
		return nil, err
	}
	return records, r.takeOver(records)
}

// checkNotEmptied refuses a store that lost every key while the ring runs.
func (r *Ring) checkNotEmptied(records []Record) error {
	if len(r.view.Load().materials) == 0 {
		return nil
	}
	for _, record := range records {
		if record.Kind == KindKey {
			return nil
		}
	}
	return ErrStoreEmptied
}

// takeOver makes records the ring's own, as read now. The caller holds busy.
func (r *Ring) takeOver(records []Record) error {
	now := r.cfg.Clock.Now()
	b := newBook(&r.cfg, r.now(), records, nil)
	for _, record := range b.records {
		if !record.CompromisedAt.IsZero() {
			r.stolen[record.ID] = true
		}
	}
	r.applyTombstones(b)
	old := r.view.Load()
	records = b.result()
	if sameRecords(old.records, records) {
		r.view.Store(old.readAgain(now))
		return nil
	}
	next, err := newView(&r.cfg, records, old, now)
	if err != nil {
		return err
	}
	r.view.Store(next)
	r.logSigner(old, next)
	return nil
}

// applyTombstones keeps keys dead that were reported stolen, whatever the store says now.
func (r *Ring) applyTombstones(b *book) {
	for _, record := range b.records {
		if r.stolen[record.ID] && record.CompromisedAt.IsZero() {
			record.bury(b.now)
		}
	}
}

func (r *Ring) logSigner(old, next *view) {
	if old.signing == nil || next.signing == nil || old.signing.KeyID == next.signing.KeyID {
		return
	}
	r.cfg.Logger.Info("signing_key_changed", "event", "signing_key_changed", "kid", next.signing.KeyID, "alg", next.signing.Algorithm,
		"before", old.signing.KeyID)
}

// current returns the view for now, from a reading of the store that is young enough to sign and publish by.
func (r *Ring) current() (*view, time.Time, error) { return r.recent(maxLag) }

// recent returns the view for now if the store was read within the last age, reads it again if not, and returns
// [ErrUnavailable] if that fails.
func (r *Ring) recent(age time.Duration) (*view, time.Time, error) {
	now := r.cfg.Clock.Now()
	if now.Sub(r.view.Load().readAt) > age {
		if err := r.catchUp(age); err != nil {
			return nil, now, fmt.Errorf("%w: %w", ErrUnavailable, err)
		}
	}
	return r.viewAt(now), now, nil
}

// viewAt returns the view for now. Where the time has come for a change it prepares one of the same records, so that a
// state changes at its very instant and not at the next reading; several callers may do so at once, and one of the
// equal results stays.
func (r *Ring) viewAt(now time.Time) *view {
	v := r.view.Load()
	if v.holds(now) {
		return v
	}
	next := v.at(&r.cfg, now)
	if r.view.CompareAndSwap(v, next) {
		r.logSigner(v, next)
	}
	return next
}

// catchUp reads the store for a caller that cannot go on without: the process was suspended, or the clock was moved.
// All callers share one attempt, and after a failure there is no other for a second.
func (r *Ring) catchUp(age time.Duration) error {
	ctx, cancel := context.WithTimeout(context.Background(), catchUpTime)
	defer cancel()
	if err := r.acquire(ctx); err != nil {
		return err
	}
	defer r.release()
	if r.cfg.Clock.Now().Sub(r.view.Load().readAt) <= age {
		return nil
	}
	if r.failed.err != nil && time.Since(r.failed.at) < reloadEvery {
		return r.failed.err
	}
	_, err := r.load(ctx)
	r.failed = failure{err, time.Now()}
	return err
}
