package keys

import (
	"context"
	"fmt"
	"time"
)

// Rotate makes the next key sign. If that key has been published for [Config.PendingTime], it signs at once, and within seconds in
// the other processes; otherwise at the end of that time. The State of the returned key is active, or pending with the time in
// ActivatesAt. A second call before that time returns the same key. A new spare is published at once. Rotate returns
// [ErrTooManyKeys] if too many retired keys are still published.
func (r *Ring) Rotate(ctx context.Context) (KeyInfo, error) {
	var id string
	err := r.change(ctx, func(b *keySet) error {
		if err := b.maintain(); err != nil {
			return err
		}
		if b.schedule().published() >= maxPublished {
			return ErrTooManyKeys
		}
		next, err := b.activateNext(b.now)
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

// Compromise removes a stolen key for ever. When it returns, this process does not publish the key any more; the other processes
// stop within seconds. Whoever reads the key set after that refuses every token that the key signed. If the key was active, the
// spare that has been published longest signs at once, even if it is new. The record becomes a tombstone; a second call returns the
// same. It returns [ErrUnknownKey] for a key that is not in the ring.
//
// Resource servers may have the key in their caches for up to max-age plus cache time: add its id to the denylist until
// KeyInfo.DenyUntil.
func (r *Ring) Compromise(ctx context.Context, kid string) (KeyInfo, error) {
	if err := r.change(ctx, func(b *keySet) error { return b.compromise(kid) }); err != nil {
		return KeyInfo{}, err
	}
	return r.info(kid)
}

func (b *keySet) compromise(kid string) error {
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
	algorithm, wasNext := s.last().Algorithm, stolen.isWaiting()
	stolen.record.markCompromised(b.now)
	if stolen == s.signer {
		if err := b.promote(algorithm); err != nil {
			return err
		}
	}
	if err := b.switchAlgorithm(algorithm); err != nil {
		return err
	}
	if wasNext { // the rotation that was under way goes on
		if _, err := b.activateNext(b.now); err != nil {
			return err
		}
	}
	return b.maintain()
}

// markCompromised turns the record into a tombstone. If its activation time was in the future, the time is removed.
func (r *Record) markCompromised(now time.Time) {
	r.CompromisedAt, r.Private = now, nil
	if r.ActivatesAt.After(now) {
		r.ActivatesAt = time.Time{}
	}
}

// promote makes a key sign at once: of those that have not signed yet, the one that was published first.
func (b *keySet) promote(algorithm string) error {
	oldest := b.schedule().first(byAge, func(k *keyStatus) bool {
		r := k.record
		return r.canSign() && (r.ActivatesAt.IsZero() || r.ActivatesAt.After(b.now))
	})
	if oldest != nil {
		oldest.record.ActivatesAt = b.now
		return nil
	}
	added, err := b.addKey(algorithm)
	if err == nil {
		added.ActivatesAt = b.now
	}
	return err
}

func (s *schedule) published() (count int) {
	for _, k := range s.statuses {
		if k.state != StateRemoved {
			count++
		}
	}
	return count
}

func (s *schedule) find(kid string) *keyStatus {
	return s.first(unsorted, func(k *keyStatus) bool { return k.record.ID == kid })
}
