package serverauth

import (
	"cmp"
	"context"
	"hash/maphash"
	"slices"
	"sync"
)

// InMemoryMintStore is the MintStore of a single process. A mint of a wallet costs about 265 bytes until it is pruned.
//
// The rows are in segments, each with a sorted index of its own, so that appending costs little, pruning touches few
// rows, and Live looks into each segment instead of at each row. Nothing in a segment is a pointer that the garbage
// collector has to follow.
type InMemoryMintStore struct {
	seeds    [3]maphash.Seed
	mu       sync.RWMutex
	head     AuditHead
	segments []*mintSegment // ascending; only the last one is appended to
}

// What a mint is found by.
const (
	mintByID = iota
	mintBySession
	mintBySubject
)

// NewInMemoryMintStore returns an empty store.
func NewInMemoryMintStore() *InMemoryMintStore {
	s := &InMemoryMintStore{}
	for i := range s.seeds {
		s.seeds[i] = maphash.MakeSeed()
	}
	return s
}

// Head implements MintStore.
func (s *InMemoryMintStore) Head(context.Context) (AuditHead, error) {
	s.mu.RLock()
	defer s.mu.RUnlock()
	return s.head, nil
}

// Append implements MintStore.
func (s *InMemoryMintStore) Append(_ context.Context, after AuditHead, rows []AuditEntry) (AuditHead, bool, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.head != after {
		return s.head, false, nil
	}
	for _, row := range rows {
		s.segments = s.add(s.segments, row)
		s.head = row.Head()
	}
	return s.head, true, nil
}

// Latest implements MintStore.
func (s *InMemoryMintStore) Latest(_ context.Context, limit int) ([]AuditEntry, error) {
	s.mu.RLock()
	defer s.mu.RUnlock()
	var latest []AuditEntry
	for _, segment := range slices.Backward(s.segments) {
		for i := len(segment.rows) - 1; i >= 0 && len(latest) < limit; i-- {
			if row := segment.entry(i); row.Pruned == 0 {
				latest = append(latest, row)
			}
		}
	}
	return latest, nil
}

// Live implements MintStore.
func (s *InMemoryMintStore) Live(_ context.Context, jti, sid, sub string, now int64) ([]Mint, error) {
	s.mu.RLock()
	defer s.mu.RUnlock()
	wanted := s.keys(jti, sid, sub, "")
	var live []Mint
	for _, segment := range s.segments {
		for _, i := range segment.find(wanted) {
			m := segment.entry(i).Mint
			hit := jti != "" && m.ID == jti || sid != "" && m.SessionID == sid ||
				sub != "" && (m.Subject == sub || m.WalletID == sub)
			if hit && m.ExpiresAt > now {
				live = append(live, m)
			}
		}
	}
	return live, nil
}

// Walk implements MintStore.
func (s *InMemoryMintStore) Walk(_ context.Context, after int64, limit int) ([]AuditEntry, error) {
	s.mu.RLock()
	defer s.mu.RUnlock()
	var rows []AuditEntry
	for n := s.segmentOf(after + 1); n < len(s.segments) && len(rows) < limit; n++ {
		segment := s.segments[n]
		for i := segment.rowOf(after + 1); i < len(segment.rows) && len(rows) < limit; i++ {
			rows = append(rows, segment.entry(i))
		}
	}
	return rows, nil
}

// Prune implements MintStore.
func (s *InMemoryMintStore) Prune(_ context.Context, checkpoints []AuditEntry) (removed int, err error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	checkpoints = slices.DeleteFunc(slices.Clone(checkpoints), func(c AuditEntry) bool { return !s.fits(c) })
	if len(checkpoints) == 0 {
		return 0, nil
	}
	first := s.segmentOf(checkpoints[0].Seq - checkpoints[0].Pruned + 1)
	last := s.segmentOf(checkpoints[len(checkpoints)-1].Seq)
	if first > 0 && len(s.segments[first-1].rows) < segmentRows/2 {
		first-- // joins what earlier prunings have left over
	}
	var kept []*mintSegment
	for _, segment := range s.segments[first : last+1] {
		for i := range segment.rows {
			row := segment.entry(i)
			for len(checkpoints) > 0 && checkpoints[0].Seq < row.Seq {
				checkpoints = checkpoints[1:]
			}
			if len(checkpoints) == 0 || row.Seq <= checkpoints[0].Seq-checkpoints[0].Pruned {
				kept = s.add(kept, row)
				continue
			}
			if row.Pruned == 0 {
				removed++
			}
			if row.Seq == checkpoints[0].Seq {
				kept = s.add(kept, checkpoints[0])
			}
		}
	}
	kept[len(kept)-1].shrink()
	s.segments = slices.Replace(s.segments, first, last+1, kept...)
	return removed, nil
}

// fits tells whether the rows at both ends of what a checkpoint stands for are there.
func (s *InMemoryMintStore) fits(c AuditEntry) bool {
	before := c.Seq - c.Pruned
	_, there := s.find(before)
	end, found := s.find(c.Seq)
	return (there || before == 0) && found && end.mac == c.MAC
}

func (s *InMemoryMintStore) find(seq int64) (mintRow, bool) {
	if n := s.segmentOf(seq); n < len(s.segments) {
		segment := s.segments[n]
		if i := segment.rowOf(seq); segment.rows[i].seq == seq {
			return segment.rows[i], true
		}
	}
	return mintRow{}, false
}

// segmentOf returns the place of the first segment that has a row with this number or a higher one.
func (s *InMemoryMintStore) segmentOf(seq int64) int {
	n, _ := slices.BinarySearchFunc(s.segments, seq, func(segment *mintSegment, seq int64) int {
		return cmp.Compare(segment.rows[len(segment.rows)-1].seq, seq)
	})
	return n
}

// add appends a row to the last of the segments, or to a new one.
func (s *InMemoryMintStore) add(segments []*mintSegment, row AuditEntry) []*mintSegment {
	if len(segments) == 0 || segments[len(segments)-1].full() {
		segments = append(segments, &mintSegment{})
	}
	segment := segments[len(segments)-1]
	place := uint64(len(segment.rows))
	segment.text = appendRow(segment.text, row)
	segment.rows = append(segment.rows, mintRow{seq: row.Seq, mac: row.MAC, end: uint32(len(segment.text))})
	for _, key := range s.keys(row.Mint.ID, row.Mint.SessionID, row.Mint.Subject, row.Mint.WalletID) {
		if key != 0 {
			segment.index = append(segment.index, key|place)
		}
	}
	segment.sorted = false
	if segment.full() {
		segment.shrink()
	}
	return segments
}

// keys returns what stands for the values in an index, 0 for an empty one.
func (s *InMemoryMintStore) keys(jti, sid, sub, walletID string) (keys [4]uint64) {
	if walletID == sub {
		walletID = ""
	}
	for i, value := range [...]string{jti, sid, sub, walletID} {
		if value != "" {
			keys[i] = (maphash.String(s.seeds[min(i, mintBySubject)], value) | segmentRows) &^ segmentRowMask
		}
	}
	return keys
}
