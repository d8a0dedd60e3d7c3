package audit

import (
	"context"
	"fmt"
	"time"
)

// maxIdlePages is the number of pages after which a Prune that finds little to remove stops; the next one continues there.
const maxIdlePages = 20

// Prune removes the mints and gaps that expired more than 600 s ago and are not among the newest (Config.Keep), in batches of
// up to 1000, and returns their number. Authenticated checkpoints replace them; mints that are still valid stay between them.
// An entry with a wrong MAC is never removed, so that Verify reports it.
func (r *Recorder) Prune(ctx context.Context) (removed int, err error) {
	r.pruning.Lock()
	defer r.pruning.Unlock()
	head, err := r.config.Store.Head(ctx)
	if err != nil {
		return 0, fmt.Errorf("mint store: %w", err)
	}
	p := pruner{recorder: r, oldest: head.Seq - int64(r.config.Keep), now: r.config.Clock().Unix()}
	for p.idle < maxIdlePages {
		more, err := p.page(ctx)
		if err != nil {
			return p.removed, fmt.Errorf("mint store: %w", err)
		}
		if !more {
			r.cursor = Head{}
			break
		}
	}
	return p.removed, nil
}

// pruner is the state of one call of Prune.
type pruner struct {
	recorder *Recorder
	oldest   int64 // entries after this number are kept
	now      int64
	removed  int
	idle     int
}

// page prunes the rows after the cursor and moves the cursor. more is false if no later row can be pruned, or if another
// process has pruned in the meantime; the next Prune then begins at the first row.
func (p *pruner) page(ctx context.Context) (more bool, err error) {
	r := p.recorder
	if r.cursor.Seq >= p.oldest {
		return false, nil
	}
	rows, err := r.config.Store.Walk(ctx, r.cursor.Seq, auditPage)
	if err != nil || len(rows) == 0 || p.young(rows[0]) {
		return false, err
	}
	plan := prunePlan{walk: walk{seal: newSealer(r.config.Key()), at: r.cursor}}
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

// Margin is the minimum time for which a mint, or an entry of the denylist, is kept after the expiry of its token: longer than
// the leeway of any client.
const Margin = 600 * time.Second

// keepExpired is Margin in seconds.
const keepExpired = int64(Margin / time.Second)

func (p *pruner) expired(row Entry) bool {
	return row.Seq <= p.oldest && row.Mint.ExpiresAt+keepExpired < p.now
}

// young reports whether neither this row nor a later one can be old enough to be pruned.
func (p *pruner) young(row Entry) bool {
	least := int64(p.recorder.config.MinTTL / time.Second)
	return row.Pruned == 0 && row.Lost == 0 && row.Mint.IssuedAt+least+keepExpired > p.now
}

// prunePlan finds the runs of rows in a page that can be removed, and makes a checkpoint for each.
type prunePlan struct {
	walk        walk
	from        *Head // the row before the run; nil: there is no run
	useful      bool  // the run is not a single checkpoint
	checkpoints []Entry
	next        Head // where to read on: a run at the end of a page may continue
}

// row adds a row. A checkpoint becomes part of an adjacent run; a row with a wrong MAC stays in any case.
func (p *prunePlan) row(row Entry, expired bool) (overlaps bool) {
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

// close ends the current run, if there is one, with the row at to.
func (p *prunePlan) close(to Head) {
	if p.from != nil && p.useful {
		p.checkpoints = append(p.checkpoints, Entry{
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
