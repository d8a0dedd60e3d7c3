package revocation

import (
	"context"
	"slices"
	"sync"
	"time"

	"github.com/picoauth/picoauth/serverauth/store"
)

const (
	// recentLimit is the maximum number of its own revocations that a process remembers.
	recentLimit = 10_000
	// restoreBatch is the number of them that are added again at once.
	restoreBatch = 500
)

// recentRevocations are the last revocations that this process has added, until they expire. If the store loses them, they are
// added again.
type recentRevocations struct {
	mu    sync.Mutex
	items []store.Revocation
}

func (r *recentRevocations) add(items []store.Revocation, now time.Time) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.items = append(r.items, items...); len(r.items) > recentLimit {
		r.items = slices.DeleteFunc(r.items, expiredBy(now))
	}
	if over := len(r.items) - recentLimit; over > 0 {
		r.items = slices.Delete(r.items, 0, over+recentLimit/10) // more than needed, so that this is seldom done
	}
}

func (r *recentRevocations) list(now time.Time) []store.Revocation {
	r.mu.Lock()
	defer r.mu.Unlock()
	return slices.DeleteFunc(slices.Clone(r.items), expiredBy(now))
}

func expiredBy(now time.Time) func(store.Revocation) bool {
	return func(item store.Revocation) bool { return item.Exp != 0 && item.Exp < now.Unix() }
}

// without returns the lost items that are not among the found ones.
func without(lost, found []store.Revocation) []store.Revocation {
	if len(lost) == 0 || len(found) == 0 {
		return lost
	}
	there := make(map[store.Revocation]bool, len(found))
	for _, item := range found {
		there[item] = true
	}
	return slices.DeleteFunc(lost, func(item store.Revocation) bool { return there[item] })
}

// restore adds the items again that the store has lost. If it fails, it is tried again at the next synchronisation; until then, new
// processes and clients of GET /revoked-jtis do not get these items.
func (d *Denylist) restore(ctx context.Context) {
	for len(d.lost) > 0 {
		batch := d.lost[:min(len(d.lost), restoreBatch)]
		if _, err := d.c.Store.Add(ctx, batch); err != nil {
			d.c.Log.WarnContext(ctx, "revocations that the store lost cannot be added again", "left", len(d.lost), "error", err)
			return
		}
		d.c.Log.InfoContext(ctx, "revocations that the store lost were added again", "count", len(batch))
		d.lost = d.lost[len(batch):]
	}
}
