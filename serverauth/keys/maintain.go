package keys

import "time"

// maintain ensures that there is an active key and a spare, begins a rotation that is due, and removes what is not needed any more.
// If nothing is to be done, it changes nothing.
func (b *keySet) maintain() error {
	b.resetFutureTimes()
	if err := b.ensureSigner(); err != nil {
		return err
	}
	b.extendLifetimes()
	if err := b.rotateWhenDue(); err != nil {
		return err
	}
	if _, err := b.orSpare(nil, b.schedule().last().Algorithm); err != nil {
		return err
	}
	b.removeUnused()
	return nil
}

// start is the edit of a starting process: it switches the ring to the configured algorithm. Running processes keep the algorithm
// of the ring, so that two with different settings do not rotate against each other during an upgrade.
func (b *keySet) start() error {
	if err := b.maintain(); err != nil {
		return err
	}
	if err := b.switchAlgorithm(b.cfg.Algorithm); err != nil {
		return err
	}
	return b.maintain()
}

// switchAlgorithm ensures that the key with the latest activation time is of the algorithm. If it is not, a key of the algorithm
// that is waiting already, the spare of the algorithm, or a new key will sign after it; the previous key retires as usual.
func (b *keySet) switchAlgorithm(algorithm string) error {
	s := b.schedule()
	last := s.last()
	if last.Algorithm == algorithm {
		return nil
	}
	key, err := b.orSpare(s.waiting(algorithm), algorithm)
	if err != nil {
		return err
	}
	key.ActivatesAt = latest(b.now, b.readyAt(key), last.ActivatesAt.Add(time.Millisecond))
	return nil
}

// resetFutureTimes sets creation times that are more than the skew in the future to now: the clock was set back, so the age of such
// a key is unknown.
func (b *keySet) resetFutureTimes() {
	for _, r := range b.records {
		if r.Kind == KindKey && r.CreatedAt.After(b.now.Add(b.cfg.Skew)) {
			r.CreatedAt = b.now
		}
	}
}

// ensureSigner adds the first key of an empty store, which signs at once because no client has a key set yet. A spare that had to
// begin to sign gets its activation time.
func (b *keySet) ensureSigner() error {
	signer := b.schedule().signer
	if signer == nil {
		key, err := b.addKey(b.cfg.Algorithm)
		if err != nil {
			return err
		}
		key.ActivatesAt = b.now
		return nil
	}
	if signer.record.ActivatesAt.IsZero() {
		signer.record.ActivatesAt = b.now
	}
	return nil
}

// extendLifetimes records a longer token lifetime before any token with that lifetime is signed.
func (b *keySet) extendLifetimes() {
	for _, k := range b.schedule().statuses {
		if k.record.canSign() && (k.state == StateActive || k.state == StatePending) {
			k.record.TokenLifetime = max(k.record.TokenLifetime, b.cfg.TokenLifetime)
		}
	}
}

// rotateWhenDue sets the activation time of the spare as soon as a new spare has to be published, so that the new one is ready at
// the next rotation.
func (b *keySet) rotateWhenDue() error {
	if b.cfg.RotateEvery == 0 {
		return nil
	}
	s := b.schedule()
	due := s.signer.record.ActivatesAt.Add(b.cfg.RotateEvery)
	if due.Add(-b.cfg.PendingTime()).After(b.now) {
		return nil
	}
	_, err := b.activateNext(due)
	return err
}

// activateNext makes the next key sign from the time at, and returns it: the one that has an activation time already, else the
// spare or a new key.
func (b *keySet) activateNext(at time.Time) (*Record, error) {
	s := b.schedule()
	next, err := b.orSpare(s.next(), s.last().Algorithm)
	if err != nil {
		return nil, err
	}
	b.activateAt(next, at)
	return next, nil
}

// removeUnused deletes private parts of retired keys, records of keys that were removed long ago, and spares of a previous
// algorithm once one of the current algorithm is ready.
func (b *keySet) removeUnused() {
	s := b.schedule()
	algorithm := s.last().Algorithm
	spare := s.spare(algorithm)
	unwanted := map[*Record]bool{}
	for _, k := range s.statuses {
		switch {
		case !k.record.CompromisedAt.IsZero():
		case k.state == StateRemoved && !b.now.Before(k.removedAt.Add(keepRemoved)):
			unwanted[k.record] = true
		case k.state == StateRetired || k.state == StateRemoved:
			k.record.Private = nil
		case k.isSpare() && k != s.signer && k.record.Algorithm != algorithm:
			unwanted[k.record] = spare != nil && !b.now.Before(b.readyAt(spare.record))
		}
	}
	b.delete(func(r *Record) bool { return unwanted[r] })
}
