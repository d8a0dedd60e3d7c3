package keys

import (
	"slices"
	"time"
)

// book is the records of a store while they are edited. Every change of a ring is an edit: a function of the records
// and the time, run first on what was last read, to learn which keys it needs, and then in the store's Update.
type book struct {
	cfg      *Config
	now      time.Time
	records  []*Record
	generate func(algorithm string) (Record, error)
}

type edit func(*book) error

func newBook(cfg *Config, now time.Time, records []Record, generate func(string) (Record, error)) *book {
	b := &book{cfg: cfg, now: now, generate: generate, records: make([]*Record, 0, len(records)+2)}
	for _, r := range records { // an edit replaces fields and never writes into their bytes
		b.records = append(b.records, &r)
	}
	return b
}

// result returns the records. Any part of the changes, written alone, leaves a ring that signs and goes on.
func (b *book) result() []Record {
	after := make([]Record, len(b.records))
	for i, r := range b.records {
		after[i] = *r
	}
	return after
}

func (b *book) schedule() *schedule { return b.cfg.scheduleAt(b.records, b.now) }

// addKey makes a key that is published from now on.
func (b *book) addKey(algorithm string) (*Record, error) {
	r, err := b.generate(algorithm)
	if err != nil {
		return nil, err
	}
	r.CreatedAt, r.TokenLifetime = b.now, b.cfg.TokenLifetime
	b.records = append(b.records, &r)
	return &r, nil
}

func (b *book) delete(unwanted func(*Record) bool) {
	b.records = slices.DeleteFunc(b.records, unwanted)
}

// readyAt is when every client holds a set with the key.
func (b *book) readyAt(r *Record) time.Time { return r.CreatedAt.Add(b.cfg.PendingTime()) }

// appoint lets a key sign from at, or as soon as it is ready where that is later. A time that it has is only moved to
// an earlier one.
func (b *book) appoint(r *Record, at time.Time) {
	at = latest(b.now, at, b.readyAt(r))
	if r.ActivatesAt.IsZero() || at.Before(r.ActivatesAt) {
		r.ActivatesAt = at
	}
}

// last is the key that signs after all others that have a time. Its algorithm is the one that the ring keeps to.
func (s *schedule) last() *Record {
	last := s.signer.record
	for i := range s.standings {
		if r := s.standings[i].record; r.canSign() && r.ActivatesAt.After(last.ActivatesAt) {
			last = r
		}
	}
	return last
}

// next is the key that has the next time to sign, or nil.
func (s *schedule) next() *Record {
	var next *Record
	for i := range s.standings {
		k := &s.standings[i]
		if k.isAppointed() && (next == nil || k.record.ActivatesAt.Before(next.ActivatesAt)) {
			next = k.record
		}
	}
	return next
}

// spare is the oldest key of an algorithm that stands ready without a time, or nil.
func (s *schedule) spare(algorithm string) *Record {
	var spare *Record
	for i := range s.standings {
		k := &s.standings[i]
		if k.isSpare() && k != s.signer && k.record.Algorithm == algorithm && (spare == nil || byAge(k.record, spare) < 0) {
			spare = k.record
		}
	}
	return spare
}

// appointed is the key of an algorithm that waits for its time to sign, or nil.
func (s *schedule) appointed(algorithm string) *Record {
	for i := range s.standings {
		if k := &s.standings[i]; k.isAppointed() && k.record.Algorithm == algorithm {
			return k.record
		}
	}
	return nil
}

// spareOrNew returns the spare of an algorithm, and makes one where there is none.
func (b *book) spareOrNew(algorithm string) (*Record, error) {
	if spare := b.schedule().spare(algorithm); spare != nil {
		return spare, nil
	}
	return b.addKey(algorithm)
}

func latest(times ...time.Time) time.Time { return slices.MaxFunc(times, time.Time.Compare) }
