package keys

import (
	"cmp"
	"slices"
	"time"
)

// State is the state of a key at a time.
type State string

// States, in the order of a key's lifetime.
const (
	StatePending State = "pending" // published, does not sign yet
	StateActive  State = "active"  // signs
	StateRetired State = "retired" // published, does not sign any more
	StateRemoved State = "removed" // not published: nothing that it signed is valid
)

// keyStatus is the status of a key at a time.
type keyStatus struct {
	record    *Record
	state     State
	retiresAt time.Time // when its successor signs; zero while it has none
	removedAt time.Time // when it is no longer published; zero while that is unknown
}

// schedule is the status of all keys at a time.
type schedule struct {
	statuses    []*keyStatus // one per key, in the order of the records
	signer      *keyStatus   // nil when no key can sign
	from, until time.Time    // the schedule is the same from here to before there; zero: no bound
}

// scheduleAt derives the schedule from the records and the time alone. The timeline are the keys with an activation time, in its
// order; each key retires at the activation time of the next one, also if that one was compromised later.
func (c *Config) scheduleAt(records []*Record, now time.Time) *schedule {
	s := &schedule{}
	for _, r := range records {
		if r.Kind == KindKey {
			s.statuses = append(s.statuses, &keyStatus{record: r})
		}
	}
	timeline := s.timeline()
	for i, k := range timeline {
		if i+1 < len(timeline) {
			k.retiresAt = timeline[i+1].record.ActivatesAt
			k.removedAt = k.retiresAt.Add(c.holdTime(k.record.TokenLifetime))
		}
	}
	s.signer = s.chooseSigner(timeline, now)
	for _, k := range s.statuses {
		k.state = k.stateAt(now, k == s.signer)
		s.bound(now, k.record.ActivatesAt)
		s.bound(now, k.removedAt)
	}
	return s
}

// timeline returns the keys with an activation time, the earliest first.
func (s *schedule) timeline() []*keyStatus {
	timeline := slices.DeleteFunc(slices.Clone(s.statuses), func(k *keyStatus) bool { return k.record.ActivatesAt.IsZero() })
	slices.SortFunc(timeline, func(a, b *keyStatus) int {
		return cmp.Or(byActivation(a.record, b.record), byAge(a.record, b.record))
	})
	return timeline
}

// chooseSigner returns the last key in the timeline whose activation time has passed. If that key cannot sign (it was compromised,
// or its private part was deleted and then the clock was set back), it returns the next key in the timeline, else the oldest spare,
// else an earlier key. So there is a signing key as long as any key can sign.
func (s *schedule) chooseSigner(timeline []*keyStatus, now time.Time) *keyStatus {
	turn := 0
	for i, k := range timeline {
		if !k.record.ActivatesAt.After(now) {
			turn = i
		}
	}
	for _, k := range timeline[min(turn, len(timeline)):] {
		if k.record.canSign() {
			return k
		}
	}
	if spare := s.first(byAge, (*keyStatus).isSpare); spare != nil {
		return spare
	}
	for _, k := range slices.Backward(timeline) {
		if k.record.canSign() {
			return k
		}
	}
	return nil
}

// isSpare reports whether the key can sign and has no activation time.
func (k *keyStatus) isSpare() bool { return k.record.canSign() && k.record.ActivatesAt.IsZero() }

// isWaiting reports whether the key can sign and its activation time is in the future.
func (k *keyStatus) isWaiting() bool {
	return k.state == StatePending && k.record.canSign() && !k.record.ActivatesAt.IsZero()
}

func (k *keyStatus) stateAt(now time.Time, signs bool) State {
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

// bound limits the validity of the schedule by the time of a change.
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

// holds reports whether the schedule is valid at the time now.
func (s *schedule) holds(now time.Time) bool {
	return !now.Before(s.from) && (s.until.IsZero() || now.Before(s.until))
}

// first returns the first of the keys that match, in an order, or nil. Of equal ones it is the first in the order of the records.
func (s *schedule) first(order func(a, b *Record) int, matches func(*keyStatus) bool) (first *keyStatus) {
	for _, k := range s.statuses {
		if matches(k) && (first == nil || order(k.record, first.record) < 0) {
			first = k
		}
	}
	return first
}

// byAge compares keys by age, the older first.
func byAge(a, b *Record) int {
	return cmp.Or(a.CreatedAt.Compare(b.CreatedAt), cmp.Compare(a.ID, b.ID))
}

// byActivation compares keys by their activation times, the earlier first.
func byActivation(a, b *Record) int { return a.ActivatesAt.Compare(b.ActivatesAt) }

// unsorted leaves keys in the order of the records.
func unsorted(_, _ *Record) int { return 0 }
