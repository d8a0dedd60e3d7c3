package keys

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"sync/atomic"
	"time"

	"github.com/picoauth/picoauth/serverauth/internal/every"
)

// Ring is the key ring of an issuer: it signs with the active key and publishes all keys in use. Signing, publishing and looking up
// a key use an immutable view without a lock, so they do not wait for the store or for the generation of keys. A Ring is safe for
// concurrent use.
type Ring struct {
	cfg   Config
	store Store
	view  atomic.Pointer[view]

	// busy is a lock: it contains one value, and who takes it may use the store and the following fields.
	busy   chan struct{}
	known  []Record        // what the store held when it was read or written last
	stock  []Record        // keys that were made and are in no store yet
	stolen map[string]bool // key ids seen with a tombstone; they stay compromised even if a backup is restored
	failed failure         // of the last attempt to catch up
}

// failure is an error and its time by the monotonic clock of the process.
type failure struct {
	err error
	at  time.Time
}

// Open reads the store, adds missing keys (a first key, which signs at once, and a spare), switches to the algorithm of the
// configuration, and returns a ring that is ready to use. [Ring.Run] keeps it up to date.
func Open(ctx context.Context, store Store, cfg Config) (*Ring, error) {
	if err := cfg.Validate(); err != nil {
		return nil, err
	}
	r := &Ring{cfg: cfg.settled(), store: store, busy: make(chan struct{}, 1), stolen: map[string]bool{}}
	r.busy <- struct{}{}
	r.view.Store(&view{schedule: &schedule{}})
	if err := r.change(ctx, (*keySet).start); err != nil {
		return nil, err
	}
	return r, nil
}

// Run keeps the ring up to date until the context ends: it calls [Ring.Tick] every second. It logs an error once, until it changes.
func (r *Ring) Run(ctx context.Context) {
	var last string
	r.tickAndLog(ctx, &last)
	every.Interval(ctx, reloadEvery, func() { r.tickAndLog(ctx, &last) })
}

func (r *Ring) tickAndLog(ctx context.Context, last *string) {
	limited, cancel := context.WithTimeout(ctx, maxLag/2)
	defer cancel()
	err := r.Tick(limited)
	switch {
	case ctx.Err() != nil:
	case err != nil && err.Error() != *last:
		*last = err.Error()
		if errors.Is(err, ErrStoreEmptied) {
			r.cfg.Logger.Error(storeWentBack, "event", storeWentBack, "store", "keys", "error", err)
			return
		}
		r.cfg.Logger.Error("keys: the key ring cannot be updated", "error", err)
	case err == nil && *last != "":
		*last = ""
		r.cfg.Logger.Info("keys: the key ring is up to date again")
	}
}

// Tick does one step of maintenance: it reads the changes of other processes, begins a rotation that is due, adds a spare, and
// removes expired keys.
func (r *Ring) Tick(ctx context.Context) error { return r.change(ctx, r.upkeep) }

// Ready is a readiness check: it returns nil if the ring has read its store in the last 5 s, so that it applies a removal in time,
// else [ErrUnavailable].
func (r *Ring) Ready(context.Context) error {
	v := r.view.Load()
	if age := r.cfg.Clock.Now().Sub(v.readAt); age > 5*reloadEvery {
		return fmt.Errorf("%w: it was last read %s ago", ErrUnavailable, age.Truncate(time.Second))
	}
	return nil
}

// change reads the store and, if edit changes anything, applies it in the store. In between it generates the keys that the edit
// needs, without blocking the ring or the store.
func (r *Ring) change(ctx context.Context, edit edit) error {
	missing, changes, err := r.try(ctx, edit)
	if err != nil || !changes {
		return err
	}
	began := time.Now()
	made, err := generateAll(missing)
	if err != nil {
		return err
	}
	if len(made) > 0 {
		r.cfg.Logger.Info("keys: generated new keys", "algorithms", missing, "milliseconds", time.Since(began).Milliseconds())
	}
	if err := r.acquire(ctx); err != nil {
		return err
	}
	defer r.release()
	r.stock = append(r.stock, made...)
	return r.update(ctx, edit)
}

// try reads the store and runs the edit without writing its result. It returns whether the edit would change something, and the
// algorithms of the keys that have to be generated for it.
func (r *Ring) try(ctx context.Context, edit edit) (missing []string, changes bool, err error) {
	if err := r.acquire(ctx); err != nil {
		return nil, false, err
	}
	defer r.release()
	records, err := r.load(ctx)
	if err != nil {
		return nil, false, err
	}
	after, err := r.edited(records, edit, func(algorithm string) (Record, error) {
		missing = append(missing, algorithm)
		return Record{ID: fmt.Sprintf("missing %d", len(missing)), Kind: KindKey, Algorithm: algorithm, Private: []byte{0}}, nil
	})
	return missing, err == nil && !sameRecords(records, after), err
}

// edited returns the records after the edit. New keys are those of the stock, then those that more makes.
func (r *Ring) edited(before []Record, edit edit, more func(algorithm string) (Record, error)) ([]Record, error) {
	stock := slices.Clone(r.stock)
	b := newKeySet(&r.cfg, r.now(), before, func(algorithm string) (Record, error) {
		i := slices.IndexFunc(stock, func(r Record) bool { return r.Algorithm == algorithm })
		if i < 0 {
			return more(algorithm)
		}
		made := stock[i]
		stock = slices.Delete(stock, i, i+1)
		return made, nil
	})
	r.applyTombstones(b)
	if err := edit(b); err != nil {
		return nil, err
	}
	return b.result(), nil
}

// update runs the edit in the store's Update and uses the result.
func (r *Ring) update(ctx context.Context, edit edit) error {
	var after []Record
	err := r.store.Update(ctx, func(before []Record) (_ []Record, err error) {
		if err = r.checkNotEmptied(before); err == nil {
			after, err = r.edited(before, edit, generate)
		}
		return after, err
	})
	if err != nil {
		return err
	}
	r.stock = slices.DeleteFunc(r.stock, func(spare Record) bool {
		return slices.ContainsFunc(after, func(used Record) bool { return used.ID == spare.ID })
	})
	return r.takeOver(after)
}

// now returns the time in the precision of records.
func (r *Ring) now() time.Time { return r.cfg.Clock.Now().UTC().Truncate(time.Millisecond) }

func (r *Ring) acquire(ctx context.Context) error {
	select {
	case <-r.busy:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}

func (r *Ring) release() { r.busy <- struct{}{} }
