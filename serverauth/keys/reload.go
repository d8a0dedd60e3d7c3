package keys

import (
	"context"
	"fmt"
	"slices"
	"time"
)

// catchUpTime is the maximum time that a request waits for the store if the records of the ring are too old.
const catchUpTime = 2 * time.Second

// load reads the store and uses the records. The caller must hold busy.
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

// checkNotEmptied returns an error for a store that lost all keys while the ring runs.
func (r *Ring) checkNotEmptied(records []Record) error {
	if len(r.view.Load().materials) == 0 {
		return nil
	}
	if slices.ContainsFunc(records, func(record Record) bool { return record.Kind == KindKey }) {
		return nil
	}
	return ErrStoreEmptied
}

// takeOver makes the records, which were just read, those of the ring. The caller must hold busy.
func (r *Ring) takeOver(records []Record) error {
	now := r.cfg.Clock.Now()
	r.noticeLoss(records)
	b := newKeySet(&r.cfg, r.now(), records, nil)
	for _, record := range b.records {
		if !record.CompromisedAt.IsZero() {
			r.stolen[record.ID] = true
		}
	}
	r.applyTombstones(b)
	old := r.view.Load()
	records = b.result()
	if sameRecords(old.records, records) {
		same := *old
		same.readAt = now
		r.view.Store(&same)
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

// applyTombstones marks all keys as compromised that this process has seen as such, whatever the store contains now.
func (r *Ring) applyTombstones(b *keySet) {
	for _, record := range b.records {
		if r.stolen[record.ID] && record.CompromisedAt.IsZero() {
			record.markCompromised(b.now)
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

// current returns the current view, if the store was read recently enough for signing and publishing.
func (r *Ring) current() (*view, time.Time, error) { return r.recent(maxLag) }

// recent returns the current view. If the store was not read within the given age, it is read again; if that fails, the error is
// [ErrUnavailable].
func (r *Ring) recent(age time.Duration) (*view, time.Time, error) {
	now := r.cfg.Clock.Now()
	if now.Sub(r.view.Load().readAt) > age {
		if err := r.catchUp(age); err != nil {
			return nil, now, fmt.Errorf("%w: %w", ErrUnavailable, err)
		}
	}
	return r.viewAt(now), now, nil
}

// viewAt returns the view for the time now. If the state of a key has changed since the view was made, it makes a new view of the
// same records, so that a change takes effect at its time and not at the next reading of the store. Several callers may do this
// concurrently with the same result.
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

// catchUp reads the store for a caller that needs recent records, after the process was suspended or the clock was changed. All
// callers share one attempt. After a failure there is no other attempt for a second.
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
