package keys

import "time"

// maintain brings the records to where the configuration wants them: a key that signs, a spare behind it, a rotation
// that is due, and nothing kept that has no use. On records that are in order it changes nothing.
func (b *book) maintain() error {
	b.mendTimes()
	if err := b.ensureSigner(); err != nil {
		return err
	}
	b.extendLifetimes()
	if err := b.rotateWhenDue(); err != nil {
		return err
	}
	if _, err := b.spareOrNew(b.schedule().last().Algorithm); err != nil {
		return err
	}
	b.tidy()
	return nil
}

// start is what a starting process does: the algorithm of its configuration becomes the ring's. Running processes keep
// to the ring's, so that two with different settings do not rotate against each other during an upgrade.
func (b *book) start() error {
	if err := b.maintain(); err != nil {
		return err
	}
	if err := b.adopt(b.cfg.Algorithm); err != nil {
		return err
	}
	return b.maintain()
}

// adopt makes sure that the last key to sign is of the algorithm. Where it is not, one that waits already, the spare
// of that algorithm, or a new key signs after it; what signed before retires in the usual way.
func (b *book) adopt(algorithm string) error {
	s := b.schedule()
	last := s.last()
	if last.Algorithm == algorithm {
		return nil
	}
	key := s.appointed(algorithm)
	if key == nil {
		var err error
		if key, err = b.spareOrNew(algorithm); err != nil {
			return err
		}
	}
	key.ActivatesAt = latest(b.now, b.readyAt(key), last.ActivatesAt.Add(time.Millisecond))
	return nil
}

// mendTimes treats a key from the future as made now: the clock was set back, and the key's age means nothing.
func (b *book) mendTimes() {
	for _, r := range b.records {
		if r.Kind == KindKey && r.CreatedAt.After(b.now.Add(b.cfg.Skew)) {
			r.CreatedAt = b.now
		}
	}
}

// ensureSigner makes the first key of an empty store, which signs at once since no client holds a set without it, and
// gives a spare that had to step in its time.
func (b *book) ensureSigner() error {
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

// extendLifetimes records a longer token life before any token of that life is signed.
func (b *book) extendLifetimes() {
	for _, k := range b.schedule().standings {
		if k.record.canSign() && (k.state == StateActive || k.state == StatePending) {
			k.record.TokenLifetime = max(k.record.TokenLifetime, b.cfg.TokenLifetime)
		}
	}
}

// rotateWhenDue gives the spare its time as soon as a new spare has to be published, so that this one is ready when
// the rotation comes.
func (b *book) rotateWhenDue() error {
	if b.cfg.RotateEvery == 0 {
		return nil
	}
	s := b.schedule()
	due := s.signer.record.ActivatesAt.Add(b.cfg.RotateEvery)
	if due.Add(-b.cfg.PendingTime()).After(b.now) {
		return nil
	}
	_, err := b.appointNext(due)
	return err
}

// appointNext lets the next key sign from at, and returns it: the one that has a time already, else the spare.
func (b *book) appointNext(at time.Time) (*Record, error) {
	s := b.schedule()
	next := s.next()
	if next == nil {
		var err error
		if next, err = b.spareOrNew(s.last().Algorithm); err != nil {
			return nil, err
		}
	}
	b.appoint(next, at)
	return next, nil
}

// tidy destroys what has no use: private parts of retired keys, records of keys removed long ago, and spares of an
// algorithm that the ring has left, once one of its own is ready.
func (b *book) tidy() {
	s := b.schedule()
	algorithm := s.last().Algorithm
	spare := s.spare(algorithm)
	unwanted := map[*Record]bool{}
	for i := range s.standings {
		k := &s.standings[i]
		switch {
		case !k.record.CompromisedAt.IsZero():
		case k.state == StateRemoved && !b.now.Before(k.removedAt.Add(keepRemoved)):
			unwanted[k.record] = true
		case k.state == StateRetired || k.state == StateRemoved:
			k.record.Private = nil
		case k.isSpare() && k != s.signer && k.record.Algorithm != algorithm:
			unwanted[k.record] = spare != nil && !b.now.Before(b.readyAt(spare))
		}
	}
	b.delete(func(r *Record) bool { return unwanted[r] })
}
