package serverauth

import (
	"context"
	"fmt"
	"time"
)

// maxIdlePages bounds what one Prune reads without finding much to remove; the next one goes on from there.
const maxIdlePages = 20

// Prune removes from the audit the mints that have expired 600 s ago and are not among the newest (AuditConfig.Keep),
// in batches of up to 1000, and returns how many. Sealed checkpoints take their place; mints that are still alive stay
// between them. An entry that does not verify is never removed: Verify reports it.
func (r *AuditRecorder) Prune(ctx context.Context) (removed int, err error) {
	r.pruning.Lock()
	defer r.pruning.Unlock()
	head, err := r.config.Store.Head(ctx)
	if err != nil {
		return 0, fmt.Errorf("mint store: %w", err)
	}
	p := auditPruner{recorder: r, oldest: head.Seq - int64(r.config.Keep), now: r.config.Clock().Unix()}
	for p.idle < maxIdlePages {
		more, err := p.page(ctx)
		if err != nil {
			return p.removed, fmt.Errorf("mint store: %w", err)
		}
		if !more {
			r.cursor = AuditHead{}
			break
		}
	}
	return p.removed, nil
}

// auditPruner is one Prune.
type auditPruner struct {
	recorder *AuditRecorder
	oldest   int64 // what comes after it is kept
	now      int64
	removed  int
	idle     int
}

// page prunes the rows after the cursor and moves it. more is false if there is nothing behind them to prune.
func (p *auditPruner) page(ctx context.Context) (more bool, err error) {
	r := p.recorder
	if r.cursor.Seq >= p.oldest {
		return false, nil
	}
	rows, err := r.config.Store.Walk(ctx, r.cursor.Seq, auditPage)
	if err != nil || len(rows) == 0 || p.young(rows[0]) {
		return false, err
	}
	plan := prunePlan{walk: auditWalk{seal: newAuditSealer(r.config.Key), at: r.cursor}}
	for _, row := range rows {
		if overlaps := plan.row(row, p.expired(row)); overlaps {
			return false, nil // another process has pruned beyond the cursor
		}
	}
	plan.end()
	removed := 0
	if len(plan.checkpoints) > 0 {
		removed, err = r.config.Store.Prune(ctx, plan.checkpoints)
		if err != nil || removed == 0 {
			return false, err
		}
	}
	p.removed += removed
	if removed < auditPage/2 {
		p.idle++
	}
	r.cursor = plan.next
	return len(rows) == auditPage, nil
}

// auditExpiry is how long after its token's expiry, in seconds, a mint can be pruned.
const auditExpiry = int64(revocationMargin / time.Second)

func (p *auditPruner) expired(row AuditEntry) bool {
	return row.Seq <= p.oldest && row.Mint.ExpiresAt+auditExpiry < p.now
}

// young tells that neither this row nor one that was appended after it can have expired.
func (p *auditPruner) young(row AuditEntry) bool {
	least := int64(p.recorder.config.MinTTL / time.Second)
	return row.Pruned == 0 && row.Lost == 0 && row.Mint.IssuedAt+least+auditExpiry > p.now
}

// prunePlan finds in a page the runs of rows that can go, and seals a checkpoint for each.
type prunePlan struct {
	walk        auditWalk
	from        *AuditHead // the row before the run; nil: there is no run
	useful      bool       // the run is not a single checkpoint
	checkpoints []AuditEntry
	next        AuditHead // where to read on: a run at the end of a page may continue
}

// row adds a row. A checkpoint joins the run that it meets; a row that does not verify stays, whatever it says.
func (p *prunePlan) row(row AuditEntry, expired bool) (overlaps bool) {
	before := p.walk.at
	_, overlaps, ok := p.walk.next(row)
	switch {
	case overlaps:
		return true
	case !ok, row.Pruned == 0 && !expired:
		p.close(before)
	case p.from == nil:
		p.from, p.useful = &before, row.Pruned == 0
	default:
		p.useful = true
	}
	return false
}

// close ends the run, if there is one, with the row at to.
func (p *prunePlan) close(to AuditHead) {
	if p.from != nil && p.useful {
		p.checkpoints = append(p.checkpoints, AuditEntry{
			Seq: to.Seq, MAC: to.MAC, Pruned: to.Seq - p.from.Seq, Seal: p.walk.seal.checkpoint(*p.from, to),
		})
	}
	p.from = nil
}

func (p *prunePlan) end() {
	p.next = p.walk.at
	if p.from != nil {
		p.next = *p.from
	}
	p.close(p.walk.at)
}
