package serverauth

import (
	"context"
	"errors"
	"fmt"
	"strings"
)

// AuditFaultKind says what is wrong with a part of the mint audit.
type AuditFaultKind string

const (
	// AuditRemoved: entries are missing, and no checkpoint stands for them.
	AuditRemoved AuditFaultKind = "removed"
	// AuditAltered: an entry is not what was sealed at its place: it was changed, or moved there from another.
	AuditAltered AuditFaultKind = "altered"
	// AuditTruncated: a head that was known is not part of the audit any more: the end was cut off, whatever has been
	// appended since.
	AuditTruncated AuditFaultKind = "truncated"
)

// AuditFault is a part of the mint audit, by its first and last sequence number, and what is wrong with it.
type AuditFault struct {
	Kind        AuditFaultKind
	First, Last int64
}

// String is for people.
func (f AuditFault) String() string {
	if f.First == f.Last {
		return fmt.Sprintf("entry %d %s", f.First, f.Kind)
	}
	return fmt.Sprintf("entries %d to %d %s", f.First, f.Last, f.Kind)
}

// AuditError is returned for a mint audit that was tampered with.
type AuditError struct {
	Faults []AuditFault // in ascending order, at most 100
}

// Error names the first faults.
func (e *AuditError) Error() string {
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

// AuditReport is what a verification has seen.
type AuditReport struct {
	Head   AuditHead // of the last row
	Mints  int64     // that are in the store
	Lost   int64     // that never reached it, as its gaps say
	Pruned int64     // entries that checkpoints stand for
}

const (
	auditPage      = 1000 // rows that are read at once
	maxAuditFaults = 100
	// maxVerifyRestarts is how often a verification begins again because another process has pruned where it was.
	maxVerifyRestarts = 3
)

// Verify reads the whole audit and checks that nothing was removed, changed, moved or cut off. An *AuditError says
// what was; any other error is the store's.
//
// A cut at the end leaves a chain that is right in itself. It is found against the heads that are known: the store's,
// the last one of this recorder, and those that the caller has kept, from the log (event audit_head) or from GET
// /mints. A kept head inside a pruned part can no longer be compared.
func (r *AuditRecorder) Verify(ctx context.Context, known ...AuditHead) (AuditReport, error) {
	heads, err := r.knownHeads(ctx, known)
	if err != nil {
		return AuditReport{}, err
	}
	for try := 0; ; try++ {
		v := auditVerification{walk: auditWalk{seal: newAuditSealer(r.config.Key)}, heads: heads, retry: try < maxVerifyRestarts}
		for seq := range heads {
			v.last = max(v.last, seq)
		}
		switch err := v.run(ctx, r.config.Store); {
		case errors.Is(err, errPrunedMeanwhile):
		case err != nil:
			return AuditReport{}, err
		case len(v.faults) > 0:
			return v.report, &AuditError{Faults: v.faults}
		default:
			return v.report, nil
		}
	}
}

// knownHeads returns the seals by their numbers. The heads of this recorder and of the store are taken before the
// walk, which therefore has to meet them.
func (r *AuditRecorder) knownHeads(ctx context.Context, known []AuditHead) (map[int64][]AuditMAC, error) {
	r.mu.Lock()
	last, cut := r.head, r.cut
	r.mu.Unlock()
	stored, err := r.config.Store.Head(ctx)
	if err != nil {
		return nil, fmt.Errorf("mint store: %w", err)
	}
	heads := make(map[int64][]AuditMAC)
	for _, head := range append([]AuditHead{stored}, known...) {
		heads[head.Seq] = append(heads[head.Seq], head.MAC)
	}
	for _, head := range []*AuditHead{last, cut} {
		if head != nil {
			heads[head.Seq] = append(heads[head.Seq], head.MAC)
		}
	}
	delete(heads, 0)
	return heads, nil
}

type auditVerification struct {
	walk   auditWalk
	heads  map[int64][]AuditMAC
	last   int64 // of the heads
	retry  bool
	report AuditReport
	faults []AuditFault
}

var errPrunedMeanwhile = errors.New("serverauth: the audit was pruned while it was verified")

func (v *auditVerification) run(ctx context.Context, store MintStore) error {
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
		case len(rows) == 0, len(rows) < auditPage && at >= v.last: // others may append as fast as this reads
			v.end()
			return nil
		case at <= before:
			return errors.New("mint store: rows do not ascend")
		}
	}
}

func (v *auditVerification) row(row AuditEntry) error {
	fault, overlaps, ok := v.walk.next(row)
	if overlaps && v.retry {
		return errPrunedMeanwhile
	}
	if !ok {
		v.fault(fault)
	}
	for _, mac := range v.heads[row.Seq] {
		if mac != row.MAC {
			v.fault(AuditFault{AuditTruncated, row.Seq, row.Seq})
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

func (v *auditVerification) end() {
	v.report.Head = v.walk.at
	if v.last > v.walk.at.Seq {
		v.fault(AuditFault{AuditTruncated, v.walk.at.Seq + 1, v.last})
	}
}

func (v *auditVerification) fault(fault AuditFault) {
	if len(v.faults) < maxAuditFaults {
		v.faults = append(v.faults, fault)
	}
}
