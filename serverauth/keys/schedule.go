package keys

import (
	"cmp"
	"slices"
	"time"
)

// State is what a key is used for at an instant.
type State string

// States, in the order of a key's life.
const (
	StatePending State = "pending" // published, does not sign yet
	StateActive  State = "active"  // signs
	StateRetired State = "retired" // published, signs no more
	StateRemoved State = "removed" // not published: nothing that it signed is valid
)

// standing is a key's place at an instant.
type standing struct {
	record    *Record
	state     State
	retiresAt time.Time // when its successor signs; zero while it has none
	removedAt time.Time // when it is published no more; zero while that is unknown
}

// schedule is every key's place at an instant.
type schedule struct {
	standings   []standing // one a key, in the order of the records
	signer      *standing  // nil when no key can sign
	from, until time.Time  // the schedule is the same from here to before there; zero: no bound
}

// scheduleAt derives the schedule from the records and the time alone. The line is the keys that have a time from
// which they sign, in its order; each retires when the next one's time comes, also when that one was compromised
// later.
func (c *Config) scheduleAt(records []*Record, now time.Time) *schedule {
	s := &schedule{}
	for _, r := range records {
		if r.Kind == KindKey {
			s.standings = append(s.standings, standing{record: r})
		}
	}
	line := s.line()
	for i, k := range line {
		if i+1 < len(line) {
			k.retiresAt = line[i+1].record.ActivatesAt
			k.removedAt = k.retiresAt.Add(c.holdTime(k.record.TokenLifetime))
		}
	}
	s.signer = s.chooseSigner(line, now)
	for i := range s.standings {
		k := &s.standings[i]
		k.state = k.stateAt(now, k == s.signer)
		s.bound(now, k.record.ActivatesAt)
		s.bound(now, k.removedAt)
	}
	return s
}

// line returns the keys with a time from which they sign, the first to sign first.
func (s *schedule) line() []*standing {
	var line []*standing
	for i := range s.standings {
		if !s.standings[i].record.ActivatesAt.IsZero() {
			line = append(line, &s.standings[i])
		}
	}
	slices.SortFunc(line, func(a, b *standing) int {
		return cmp.Or(a.record.ActivatesAt.Compare(b.record.ActivatesAt), byAge(a.record, b.record))
	})
	return line
}

// chooseSigner takes the last key in the line whose time has come. Where that one cannot sign (it was compromised, or
// its private part is gone because the clock was set back), it takes the next in the line, then the oldest spare, then
// an earlier key: whatever the records and the clock, a key signs as long as there is one that can.
func (s *schedule) chooseSigner(line []*standing, now time.Time) *standing {
	turn := 0
	for i, k := range line {
		if !k.record.ActivatesAt.After(now) {
			turn = i
		}
	}
	for _, k := range line[min(turn, len(line)):] {
		if k.record.canSign() {
			return k
		}
	}
	var spare *standing
	for i := range s.standings {
		k := &s.standings[i]
		if k.isSpare() && (spare == nil || byAge(k.record, spare.record) < 0) {
			spare = k
		}
	}
	if spare != nil {
		return spare
	}
	for _, k := range slices.Backward(line) {
		if k.record.canSign() {
			return k
		}
	}
	return nil
}

// isSpare reports whether the key can sign and has no time yet from which it does.
func (k *standing) isSpare() bool { return k.record.canSign() && k.record.ActivatesAt.IsZero() }

// isAppointed reports whether the key waits for its time to sign.
func (k *standing) isAppointed() bool {
	return k.state == StatePending && k.record.canSign() && !k.record.ActivatesAt.IsZero()
}

func (k *standing) stateAt(now time.Time, signs bool) State {
	switch r := k.record; {
	case !r.CompromisedAt.IsZero():
		return StateRemoved
	case signs:
		return StateActive
	case r.ActivatesAt.IsZero() || r.ActivatesAt.After(now):
		return StatePending
	case k.removedAt.IsZero() || now.Before(k.removedAt):
		return StateRetired
	}
	return StateRemoved
}

// bound narrows the time for which the schedule holds by an instant at which it changes.
func (s *schedule) bound(now, change time.Time) {
	switch {
	case change.IsZero():
	case change.After(now):
		if s.until.IsZero() || change.Before(s.until) {
			s.until = change
		}
	case change.After(s.from):
		s.from = change
	}
}

// holds reports whether the schedule is still, or again, the right one.
func (s *schedule) holds(now time.Time) bool {
	return !now.Before(s.from) && (s.until.IsZero() || now.Before(s.until))
}

// byAge orders the older key first.
func byAge(a, b *Record) int {
	return cmp.Or(a.CreatedAt.Compare(b.CreatedAt), cmp.Compare(a.ID, b.ID))
}
