package keys

import (
	"cmp"
	"slices"
	"time"
)

// keySet are the records of a store while they are changed. Every change of a ring is an edit: a function of the records and the
// time. It runs first on the records that were read last, to find out which keys have to be generated, and then in the store's
// Update.
type keySet struct {
	cfg      *Config
	now      time.Time
	records  []*Record
	generate func(algorithm string) (Record, error)
}

type edit func(*keySet) error

func newKeySet(cfg *Config, now time.Time, records []Record, generate func(string) (Record, error)) *keySet {
	b := &keySet{cfg: cfg, now: now, generate: generate, records: make([]*Record, 0, len(records)+2)}
	for _, r := range records { // an edit replaces fields and never writes into their bytes
		b.records = append(b.records, &r)
	}
	return b
}

// result returns the records. Any part of the changes, if only that is written, leaves a valid key set.
func (b *keySet) result() []Record {
	after := make([]Record, len(b.records))
	for i, r := range b.records {
		after[i] = *r
	}
	return after
}

func (b *keySet) schedule() *schedule { return b.cfg.scheduleAt(b.records, b.now) }

// addKey adds a new key, which is published from now on.
func (b *keySet) addKey(algorithm string) (*Record, error) {
	r, err := b.generate(algorithm)
	if err != nil {
		return nil, err
	}
	r.CreatedAt, r.TokenLifetime = b.now, b.cfg.TokenLifetime
	b.records = append(b.records, &r)
	return &r, nil
}

func (b *keySet) delete(unwanted func(*Record) bool) {
	b.records = slices.DeleteFunc(b.records, unwanted)
}

// readyAt returns the time from which on every client has a key set with the key.
func (b *keySet) readyAt(r *Record) time.Time { return r.CreatedAt.Add(b.cfg.PendingTime()) }

// activateAt makes a key sign from the time at, or from the time when it is ready if that is later. If the key has an activation
// time already, it can only become earlier.
func (b *keySet) activateAt(r *Record, at time.Time) {
	at = latest(b.now, at, b.readyAt(r))
	if r.ActivatesAt.IsZero() || at.Before(r.ActivatesAt) {
		r.ActivatesAt = at
	}
}

// last returns the key with the latest activation time. Its algorithm is that of the ring.
func (s *schedule) last() *Record {
	last := s.signer.record
	for _, k := range s.statuses {
		if r := k.record; r.canSign() && r.ActivatesAt.After(last.ActivatesAt) {
			last = r
		}
	}
	return last
}

// next returns the key with the next activation time, or nil.
func (s *schedule) next() *keyStatus { return s.first(byActivation, (*keyStatus).isWaiting) }

// spare returns the oldest key of an algorithm that can sign and has no activation time, or nil.
func (s *schedule) spare(algorithm string) *keyStatus {
	return s.first(byAge, func(k *keyStatus) bool { return k.isSpare() && k != s.signer && k.record.Algorithm == algorithm })
}

// waiting returns the key of an algorithm whose activation time is in the future, or nil.
func (s *schedule) waiting(algorithm string) *keyStatus {
	return s.first(unsorted, func(k *keyStatus) bool { return k.isWaiting() && k.record.Algorithm == algorithm })
}

// orSpare returns the record of a key. Without a key that is the spare of an algorithm, or a new one if there is none.
func (b *keySet) orSpare(k *keyStatus, algorithm string) (*Record, error) {
	if k = cmp.Or(k, b.schedule().spare(algorithm)); k == nil {
		return b.addKey(algorithm)
	}
	return k.record, nil
}

func latest(times ...time.Time) time.Time { return slices.MaxFunc(times, time.Time.Compare) }
