package storetest

import (
	"slices"
	"sync/atomic"

	"github.com/picoauth/picoauth/serverauth/audit"
)

// prunes fails unless as many mints and gaps are gone.
func (s mintSuite) prunes(store audit.Store, want int, checkpoints ...audit.Entry) {
	s.Helper()
	removed, err := store.Prune(background, checkpoints)
	s.ok(err)
	if removed != want {
		s.Errorf("removed %d, not %d", removed, want)
	}
}

func mintsPruned(e mintEnv) {
	s := mints(e)
	other := e.open()
	r := append(s.rows(0, 9), s.gap(10, 3), s.row(11), s.row(12))
	s.append(r...)
	cut := checkpoint
	s.prunes(s.store, 0)
	s.prunes(s.store, 4, cut(r[2], 2), cut(r[6], 2)) // 2–3 and 6–7
	s.holds(other, []audit.Entry{r[0], cut(r[2], 2), r[3], r[4], cut(r[6], 2), r[7], r[8], r[9], r[10], r[11]})
	s.prunes(other, 0, cut(r[2], 2), cut(r[6], 2)) // once more
	s.prunes(other, 1, cut(r[0], 1))               // from the beginning
	s.prunes(s.store, 2, cut(r[4], 5))             // takes two checkpoints and two mints
	s.holds(other, []audit.Entry{cut(r[4], 5), cut(r[6], 2), r[7], r[8], r[9], r[10], r[11]})
	s.prunes(other, 3, cut(r[9], 10)) // with the gap, up to a mint that stays
	s.prunes(other, 2, cut(r[10], 1), cut(r[11], 1))
	s.holds(s.store, []audit.Entry{cut(r[9], 10), cut(r[10], 1), cut(r[11], 1)})
	s.append(s.row(13)) // after a checkpoint
	s.prunes(s.store, 1, cut(s.row(13), 13))
	s.holds(other, []audit.Entry{cut(s.row(13), 13)})
	s.append(s.row(14))
	live, err := other.Live(background, "jti-1", "session-2", "subject-13", s.seconds())
	e.ok(err)
	if len(live) > 0 {
		e.Errorf("pruned mints are alive: %+v", live)
	}
}

// What another process has pruned meanwhile is left alone.
func mintsNotPruned(e mintEnv) {
	s := mints(e)
	r := s.rows(0, 10)
	s.append(r...)
	s.prunes(s.store, 4, checkpoint(r[5], 4)) // 3–6
	want := []audit.Entry{r[0], r[1], checkpoint(r[5], 4), r[6], r[7], r[8], r[9]}
	altered := r[8]
	altered.MAC = mac("altered", altered.Seq)
	for name, c := range map[string]audit.Entry{
		"its end is gone":        checkpoint(r[4], 4),
		"its beginning is gone":  checkpoint(r[7], 4),
		"its end is another":     checkpoint(altered, 1),
		"its end is to come":     checkpoint(s.row(11), 1),
		"it begins before all":   checkpoint(r[6], 8),
		"both its ends are gone": checkpoint(r[4], 1),
	} {
		s.prunes(s.store, 0, c)
		if s.holds(s.store, want); e.Failed() {
			e.Fatal(name)
		}
	}
	s.prunes(s.store, 2, checkpoint(r[1], 1), checkpoint(r[4], 2), checkpoint(altered, 1), checkpoint(r[9], 1)) // those that fit
	s.holds(e.open(), []audit.Entry{r[0], checkpoint(r[1], 1), checkpoint(r[5], 4), r[6], r[7], r[8], checkpoint(r[9], 1)})
}

// Two processes prune different runs at once while a third appends: no row is lost that no checkpoint stands for.
func mintsPruneRace(e mintEnv) {
	s := mints(e)
	handles := [2]audit.Store{s.store, e.open()}
	const rows = 60
	s.append(s.rows(0, rows)...)
	var removed atomic.Int64
	race(5, func(i int) {
		switch {
		case i == 4:
			for seq := int64(rows + 1); seq <= rows+20; seq++ {
				if _, appended, err := handles[0].Append(background, s.row(seq-1).Head(), []audit.Entry{s.row(seq)}); err != nil || !appended {
					e.Errorf("appended: %v, %v", appended, err)
				}
			}
		default:
			size := int64(i + 2)
			for end := size; end <= rows; end += size {
				n, err := handles[i%2].Prune(background, []audit.Entry{checkpoint(s.row(end), min(size*2, end))})
				if err != nil {
					e.Error(err)
				}
				removed.Add(int64(n))
			}
		}
	})
	left, err := s.store.Walk(background, 0, 1000)
	e.ok(err)
	at, mints := int64(0), int64(0)
	for _, row := range left {
		if row.Pruned == 0 {
			mints++
		}
		if row.Seq-max(row.Pruned, 1) != at || row.MAC != mac("row", row.Seq) {
			e.Fatalf("after row %d comes %+v", at, row)
		}
		at = row.Seq
	}
	if at != rows+20 || removed.Load() != rows+20-mints {
		e.Errorf("up to %d, with %d mints, after %d were removed", at, mints, removed.Load())
	}
	if !slices.IsSortedFunc(left, func(a, b audit.Entry) int { return int(a.Seq - b.Seq) }) {
		e.Error("not in order")
	}
}
