package audit

import (
	"context"
	"errors"
	"fmt"
	"strings"
)

// FaultKind is the kind of a fault in the mint audit.
type FaultKind string

const (
	// AuditRemoved means that entries are missing without a checkpoint that replaces them.
	AuditRemoved FaultKind = "removed"
	// AuditAltered means that an entry has a wrong MAC: it was changed, or moved from another position.
	AuditAltered FaultKind = "altered"
	// AuditTruncated means that a known head is no longer part of the audit: the end was cut off, even if entries were appended
	// since then.
	AuditTruncated FaultKind = "truncated"
)

// Fault is a fault in a part of the mint audit, given by its first and last sequence number.
type Fault struct {
	Kind        FaultKind
	First, Last int64
}

// String describes the fault for people.
func (f Fault) String() string {
	if f.First == f.Last {
		return fmt.Sprintf("entry %d %s", f.First, f.Kind)
	}
	return fmt.Sprintf("entries %d to %d %s", f.First, f.Last, f.Kind)
}

// Error is the error for a mint audit that was tampered with.
type Error struct {
	Faults []Fault // in ascending order, at most 100
}

// Error names the first faults.
func (e *Error) Error() string {
	const most = 5
	texts := make([]string, 0, most+1)
	for i, fault := range e.Faults {
		if i == most {
			texts = append(texts, "…")
			break
		}
		texts = append(texts, fault.String())
	}
	return "serverauth: the mint audit is broken: " + strings.Join(texts, ", ")
}

// Report is the result of a verification.
type Report struct {
	Head   Head  // of the last row
	Mints  int64 // that are in the store
	Lost   int64 // that were not stored, as the gaps say
	Pruned int64 // entries that checkpoints replace
}

const (
	auditPage      = 1000 // rows that are read with one call
	maxAuditFaults = 100
	// maxVerifyRestarts is how often a verification begins again if another process has pruned the rows that it reads.
	maxVerifyRestarts = 3
)

// Verify reads the whole audit and checks that no entry was removed, changed or moved, and that the end was not cut off. An
// *Error lists the faults; any other error is one of the store.
//
// If the end was cut off, the remaining chain is valid in itself. Verify detects that with known heads: that of the store, the
// last one of this recorder, and those that the caller has kept, from the log (event audit_head) or from GET /mints. A kept
// head inside a pruned part cannot be compared any more.
func (r *Recorder) Verify(ctx context.Context, known ...Head) (Report, error) {
	heads, err := r.knownHeads(ctx, known)
	if err != nil {
		return Report{}, err
	}
	for try := 0; ; try++ {
		v := verification{walk: walk{seal: newSealer(r.config.Key())}, heads: heads, retry: try < maxVerifyRestarts}
		for seq := range heads {
			v.last = max(v.last, seq)
		}
		switch err := v.run(ctx, r.config.Store); {
		case errors.Is(err, errPrunedMeanwhile):
		case err != nil:
			return Report{}, err
		case len(v.faults) > 0:
			return v.report, &Error{Faults: v.faults}
		default:
			return v.report, nil
		}
	}
}

// knownHeads returns the MACs of known heads by their numbers. It reads the heads of this recorder and of the store before the
// audit is read, so the audit has to contain them.
func (r *Recorder) knownHeads(ctx context.Context, known []Head) (map[int64][]MAC, error) {
	r.mu.Lock()
	last, cut := r.head, r.cut
	r.mu.Unlock()
	stored, err := r.config.Store.Head(ctx)
	if err != nil {
		return nil, fmt.Errorf("mint store: %w", err)
	}
	heads := make(map[int64][]MAC)
	for _, head := range append([]Head{stored}, known...) {
		heads[head.Seq] = append(heads[head.Seq], head.MAC)
	}
	for _, head := range []*Head{last, cut} {
		if head != nil {
			heads[head.Seq] = append(heads[head.Seq], head.MAC)
		}
	}
	delete(heads, 0)
	return heads, nil
}

type verification struct {
	walk   walk
	heads  map[int64][]MAC
	last   int64 // the highest number of the heads
	retry  bool
	report Report
	faults []Fault
}

var errPrunedMeanwhile = errors.New("serverauth: the audit was pruned while it was verified")

func (v *verification) run(ctx context.Context, store Store) error {
	for {
		rows, err := store.Walk(ctx, v.walk.at.Seq, auditPage)
		if err != nil {
			return fmt.Errorf("mint store: %w", err)
		}
		before := v.walk.at.Seq
		for _, row := range rows {
			if err := v.row(row); err != nil {
				return err
			}
		}
		switch at := v.walk.at.Seq; {
		case len(rows) == 0, len(rows) < auditPage && at >= v.last: // other processes may append as fast as this reads
			v.end()
			return nil
		case at <= before:
			return errors.New("mint store: the rows are not in ascending order")
		}
	}
}

func (v *verification) row(row Entry) error {
	fault, overlaps, ok := v.walk.next(row)
	if overlaps && v.retry {
		return errPrunedMeanwhile
	}
	if !ok {
		v.fault(fault)
	}
	for _, mac := range v.heads[row.Seq] {
		if mac != row.MAC {
			v.fault(Fault{AuditTruncated, row.Seq, row.Seq})
		}
	}
	switch {
	case row.Pruned > 0:
		v.report.Pruned += row.Pruned
	case row.Lost > 0:
		v.report.Lost += row.Lost
	default:
		v.report.Mints++
	}
	return nil
}

func (v *verification) end() {
	v.report.Head = v.walk.at
	if v.last > v.walk.at.Seq {
		v.fault(Fault{AuditTruncated, v.walk.at.Seq + 1, v.last})
	}
}

func (v *verification) fault(fault Fault) {
	if len(v.faults) < maxAuditFaults {
		v.faults = append(v.faults, fault)
	}
}
