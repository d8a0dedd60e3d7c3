package storetest

import (
	"context"
	"slices"

	"github.com/picoauth/picoauth/serverauth/audit"
)

func mintsBrokenOff(e mintEnv) {
	brokenOff(e, []operation[audit.Store]{
		{"append", appendBrokenOff},
		{"prune", pruneMintsBrokenOff},
		{"read", readMintsBrokenOff},
	})
}

// after is the row that the audit ends with.
func (s mintSuite) last() audit.Head {
	s.Helper()
	head, err := s.store.Head(background)
	s.ok(err)
	return head
}

// All rows are there, or none; whoever tries again adds none twice.
func appendBrokenOff(e mintEnv, store audit.Store, _ int) (call, check[audit.Store]) {
	s := mintSuite{e, store}
	after := s.last()
	rows := s.rows(after.Seq, 3)
	end := rows[2].Head()
	run := func(ctx context.Context) error {
		head, appended, err := store.Append(ctx, after, rows)
		if err == nil && (!appended || head != end) || err != nil && appended {
			e.Errorf("appended: %v, the head is %v", appended, head)
		}
		return err
	}
	return run, func(other audit.Store, err error) {
		head, appended, errAgain := other.Append(background, after, rows)
		e.ok(errAgain)
		if head != end || appended && err == nil {
			e.Errorf("then appended: %v, the head is %v, not %v", appended, head, end)
		}
		found, errWalk := other.Walk(background, after.Seq, 10)
		e.ok(errWalk)
		if !slices.Equal(found, rows) {
			e.Errorf("then the rows are %+v", found)
		}
	}
}

func pruneMintsBrokenOff(e mintEnv, store audit.Store, _ int) (call, check[audit.Store]) {
	s := mintSuite{e, store}
	after := s.last()
	rows := s.rows(after.Seq, 6)
	s.append(rows...)
	checkpoints := []audit.Entry{checkpoint(rows[2], 2), checkpoint(rows[4], 2)}
	first := []audit.Entry{rows[0], checkpoints[0], rows[3], rows[4], rows[5]}
	both := []audit.Entry{rows[0], checkpoints[0], checkpoints[1], rows[5]}
	run := func(ctx context.Context) error {
		removed, err := store.Prune(ctx, checkpoints)
		if err == nil && removed != 4 {
			e.Errorf("removed %d", removed)
		}
		return err
	}
	return run, func(other audit.Store, err error) {
		found, errWalk := other.Walk(background, after.Seq, 10)
		e.ok(errWalk)
		if !slices.Equal(found, both) && (err == nil || !slices.Equal(found, rows) && !slices.Equal(found, first)) {
			e.Errorf("then the rows are %+v", found)
		}
	}
}

func readMintsBrokenOff(e mintEnv, store audit.Store, _ int) (call, check[audit.Store]) {
	s := mintSuite{e, store}
	after := s.last()
	rows := s.rows(after.Seq, 2)
	s.append(rows...)
	run := func(ctx context.Context) error {
		head, err := store.Head(ctx)
		if err != nil {
			return err
		}
		walked, err := store.Walk(ctx, after.Seq, 10)
		if err != nil {
			return err
		}
		latest, err := store.Latest(ctx, audit.Query{Limit: 2})
		if err != nil {
			return err
		}
		live, err := store.Live(ctx, rows[0].Mint.ID, "", "", s.seconds())
		if err != nil {
			return err
		}
		longest, err := store.Longest(ctx)
		if err != nil {
			return err
		}
		slices.Reverse(latest)
		if longest < rows[1].Mint.ExpiresAt || head != rows[1].Head() || !slices.Equal(walked, rows) || !slices.Equal(latest, rows) || len(live) != 1 {
			e.Errorf("read %v, %+v, %+v, %+v", head, walked, latest, live)
		}
		return nil
	}
	return run, func(audit.Store, error) {}
}
