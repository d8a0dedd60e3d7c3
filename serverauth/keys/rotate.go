package keys

import (
	"context"
	"fmt"
	"time"
)

// Rotate lets the next key take over. Where it has been published for [Config].PendingTime it signs at once, here and
// within seconds in the other processes; otherwise at the end of that time, which Rotate never shortens. The returned
// key's State tells which: active, or pending with the time in ActivatesAt. A second call before that time returns the
// same key. A new spare is published at once. It returns [ErrTooManyKeys] when too many retired keys are still
// published.
func (r *Ring) Rotate(ctx context.Context) (KeyInfo, error) {
	var id string
	err := r.change(ctx, func(b *book) error {
		if err := b.maintain(); err != nil {
			return err
		}
		if b.schedule().published() >= maxPublished {
			return ErrTooManyKeys
		}
		next, err := b.appointNext(b.now)
		if err != nil {
			return err
		}
		id = next.ID
		return b.maintain()
	})
	if err != nil {
		return KeyInfo{}, err
	}
	return r.info(id)
}

// Compromise takes a stolen key out of use, for ever: it is published no more here when Compromise returns, and within
// seconds in the other processes, so everything that it signed is refused. If it was signing, the spare that has been
// published the longest signs at once, however young. The record stays as a tombstone; a second call returns the same.
// It returns [ErrUnknownKey] for a key that is not in the ring.
//
// Resource servers hold the key in their cached sets for up to max-age and cache time: put its id on the denylist
// until KeyInfo.DenyUntil.
func (r *Ring) Compromise(ctx context.Context, kid string) (KeyInfo, error) {
	if err := r.change(ctx, func(b *book) error { return b.compromise(kid) }); err != nil {
		return KeyInfo{}, err
	}
	return r.info(kid)
}

func (b *book) compromise(kid string) error {
	if err := b.maintain(); err != nil {
		return err
	}
	s := b.schedule()
	stolen := s.find(kid)
	if stolen == nil {
		return fmt.Errorf("%w: %.64q", ErrUnknownKey, kid)
	}
	if !stolen.record.CompromisedAt.IsZero() {
		return nil
	}
	algorithm, wasNext := s.last().Algorithm, stolen.isAppointed()
	stolen.record.bury(b.now)
	if stolen == s.signer {
		if err := b.promote(algorithm); err != nil {
			return err
		}
	}
	if err := b.adopt(algorithm); err != nil {
		return err
	}
	if wasNext { // the rotation that was under way goes on
		if _, err := b.appointNext(b.now); err != nil {
			return err
		}
	}
	return b.maintain()
}

// bury makes a tombstone. A key whose time had not come leaves no place in the line.
func (r *Record) bury(now time.Time) {
	r.CompromisedAt, r.Private = now, nil
	if r.ActivatesAt.After(now) {
		r.ActivatesAt = time.Time{}
	}
}

// promote lets the key that was published first of those that have not signed sign at once.
func (b *book) promote(algorithm string) error {
	var chosen *Record
	for _, k := range b.schedule().standings {
		r := k.record
		waits := r.canSign() && (r.ActivatesAt.IsZero() || r.ActivatesAt.After(b.now))
		if waits && (chosen == nil || byAge(r, chosen) < 0) {
			chosen = r
		}
	}
	if chosen == nil {
		var err error
		if chosen, err = b.addKey(algorithm); err != nil {
			return err
		}
	}
	chosen.ActivatesAt = b.now
	return nil
}

func (s *schedule) published() (count int) {
	for i := range s.standings {
		if s.standings[i].state != StateRemoved {
			count++
		}
	}
	return count
}

func (s *schedule) find(kid string) *standing {
	for i := range s.standings {
		if s.standings[i].record.ID == kid {
			return &s.standings[i]
		}
	}
	return nil
}
