package audit_test

import (
	"bytes"
	"context"
	"fmt"
	"log/slog"
	"math/rand/v2"
	"slices"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/picoauth/picoauth/serverauth/audit"
	"github.com/picoauth/picoauth/testutil"
)

func TestNewAuditRecorderRefusesWhatCannotWork(t *testing.T) {
	for name, config := range map[string]audit.Config{
		"no store":  {Key: auditKey},
		"no key":    {Store: &auditRows{}},
		"short key": {Store: &auditRows{}, Key: func() []byte { return auditKey()[:31] }},
	} {
		_, err := audit.NewRecorder(config)
		assert.Error(t, err, name)
	}
}

func TestAuditRecordsTokensFromMinTTLOn(t *testing.T) {
	store := &auditRows{}
	recorder := newAudit(t, store, testutil.NewClock(auditStart), func(c *audit.Config) { c.MinTTL = 300 * time.Second })
	recorder.Record(mintAt(1, auditStart, 299*time.Second))
	recorder.Record(mintAt(2, auditStart, 300*time.Second))
	require.NoError(t, recorder.Flush(t.Context()))
	assert.Equal(t, []string{"jti-2"}, auditIDs(t, store))
}

func TestAuditFindsWhatWasRecordedAMomentAgo(t *testing.T) {
	clock := testutil.NewClock(auditStart)
	recorder := newAudit(t, audit.NewMemoryStore(), clock)
	m := mintAt(1, auditStart, 15*time.Minute)
	recorder.Record(m)
	live, err := recorder.Live(t.Context(), "", m.SessionID, "")
	require.NoError(t, err)
	assert.Equal(t, []audit.Mint{m}, live)
	clock.Advance(15 * time.Minute)
	live, err = recorder.Live(t.Context(), m.ID, "", "")
	require.NoError(t, err)
	assert.Empty(t, live)

	recorder.Record(mintAt(2, auditStart, 15*time.Minute))
	entries, head, err := recorder.Latest(t.Context(), audit.Query{Limit: 10})
	require.NoError(t, err)
	require.Len(t, entries, 2)
	assert.Equal(t, "jti-2", entries[0].Mint.ID)
	assert.Equal(t, entries[0].Head(), head)
}

func TestAuditAppendsInBatches(t *testing.T) {
	var sizes []int
	store := &counting{Store: &auditRows{}, sizes: &sizes}
	recordMints(t, newAudit(t, store, testutil.NewClock(auditStart)), auditStart, 0, 2500)
	assert.Equal(t, []int{1000, 1000, 500}, sizes)
	assert.Equal(t, 1, store.heads)
}

type counting struct {
	audit.Store
	sizes *[]int
	heads int
}

func (s *counting) Append(ctx context.Context, after audit.Head, rows []audit.Entry) (audit.Head, bool, error) {
	*s.sizes = append(*s.sizes, len(rows))
	return s.Store.Append(ctx, after, rows)
}

func (s *counting) Head(ctx context.Context) (audit.Head, error) {
	s.heads++
	return s.Store.Head(ctx)
}

// Many recorders on one store, each with its own view of the head, make one chain in which everything is once.
func TestSeveralRecordersShareAStore(t *testing.T) {
	store, clock := audit.NewMemoryStore(), testutil.NewClock(auditStart)
	const recorders, rounds, each = 5, 40, 3
	var all sync.WaitGroup
	for n := range recorders {
		recorder := newAudit(t, store, clock)
		all.Go(func() {
			for round := range rounds {
				for i := range each {
					recorder.Record(mintAt((n*rounds+round)*each+i, auditStart, 15*time.Minute))
				}
				assert.NoError(t, recorder.Flush(t.Context()))
			}
		})
	}
	all.Wait()
	report, err := newAudit(t, store, clock).Verify(t.Context())
	require.NoError(t, err)
	assert.EqualValues(t, recorders*rounds*each, report.Mints)
	requireEachOnce(t, auditIDs(t, store), recorders*rounds*each)
}

func requireEachOnce(t testing.TB, ids []string, n int) {
	t.Helper()
	slices.Sort(ids)
	require.Len(t, slices.Compact(slices.Clone(ids)), n)
	require.Len(t, ids, n)
}

// Whatever call fails, before or after the store has done its work: nothing is lost, and nothing is there twice.
func TestAuditSurvivesFaultsBetweenAnyTwoCalls(t *testing.T) {
	for seed := range uint64(30) {
		rnd := rand.New(rand.NewPCG(seed, 5))
		rows, clock := &auditRows{}, testutil.NewClock(auditStart)
		away := &auditFaults{rows, func(string) (bool, bool) { return rnd.IntN(4) == 0, rnd.IntN(3) == 0 }}
		recorders := []*audit.Recorder{newAudit(t, away, clock), newAudit(t, away, clock), newAudit(t, rows, clock)}
		const n = 300
		for i := range n {
			recorder := recorders[rnd.IntN(len(recorders))]
			recorder.Record(mintAt(i, auditStart, 15*time.Minute))
			if rnd.IntN(3) == 0 {
				_ = recorder.Flush(t.Context())
			}
			if rnd.IntN(20) == 0 {
				_, _ = recorder.Prune(t.Context())
			}
		}
		for _, recorder := range recorders {
			require.Eventually(t, func() bool { return recorder.Flush(t.Context()) == nil }, time.Minute, time.Microsecond)
		}
		requireEachOnce(t, auditIDs(t, rows), n)
		_, err := newAudit(t, rows, clock).Verify(t.Context())
		require.NoError(t, err, "seed %d", seed)
	}
}

// A process that dies at any call of the store leaves an audit that is whole, with everything that a Flush of it has
// acknowledged, and that the next process goes on with.
func TestAuditSurvivesACrashAtAnyCall(t *testing.T) {
	for calls := range 40 {
		for _, done := range []bool{false, true} {
			rows, clock := &auditRows{}, testutil.NewClock(auditStart)
			left := calls
			dying := &auditFaults{rows, func(string) (before, after bool) {
				left--
				return left < 0 || left == 0 && !done, left == 0 && done
			}}
			recorder := newAudit(t, dying, clock, func(c *audit.Config) { c.Keep = 1 })
			var acknowledged []string
			for i := range 10 {
				recorder.Record(mintAt(i, clock.Now(), 15*time.Minute))
				if recorder.Flush(t.Context()) != nil {
					break
				}
				acknowledged = append(acknowledged, fmt.Sprintf("jti-%d", i))
				if i%3 == 2 {
					_, err := newAudit(t, rows, clock).Verify(t.Context(), rows.head())
					require.NoError(t, err)
					clock.Advance(10 * time.Minute)
					_, _ = recorder.Prune(t.Context())
				}
			}
			next := newAudit(t, rows, clock)
			report, err := next.Verify(t.Context())
			require.NoError(t, err, "after %d calls", calls)
			require.GreaterOrEqual(t, report.Mints+report.Pruned, int64(len(acknowledged)))
			recordMints(t, next, clock.Now(), 100, 1)
			_, err = next.Verify(t.Context())
			require.NoError(t, err)
		}
	}
}

func TestAuditRecordsWhatItLost(t *testing.T) {
	rows, clock := &auditRows{}, testutil.NewClock(auditStart)
	var down atomic.Bool
	var log bytes.Buffer
	recorder := newAudit(t, &auditFaults{rows, func(string) (bool, bool) { return down.Load(), false }}, clock, func(c *audit.Config) {
		c.Buffer, c.Log = 10, slog.New(slog.NewTextHandler(&log, nil))
	})
	down.Store(true)
	for i := range 25 {
		recorder.Record(mintAt(i, auditStart.Add(time.Duration(i)*time.Second), 15*time.Minute))
		if i%5 == 4 {
			require.ErrorIs(t, recorder.Flush(t.Context()), errStoreAway)
		}
	}
	assert.Contains(t, log.String(), "level=ERROR msg=audit_gap event=audit_gap lost=5 stored=false")
	_, err := recorder.Live(t.Context(), "jti-1", "", "")
	require.ErrorIs(t, err, errStoreAway)
	down.Store(false)
	recordMints(t, recorder, auditStart, 100, 1) // there is no room yet: it joins the gap
	recordMints(t, recorder, auditStart, 101, 1)

	require.Len(t, rows.rows, 12)
	gap := rows.rows[10]
	assert.EqualValues(t, 16, gap.Lost)
	assert.Equal(t, audit.Mint{IssuedAt: auditStart.Unix() + 10, ExpiresAt: auditStart.Unix() + 24 + 900}, gap.Mint)
	assert.Contains(t, log.String(), "level=ERROR msg=audit_gap event=audit_gap lost=16 stored=true")
	ids := auditIDs(t, rows)
	requireEachOnce(t, ids, 11)
	assert.Contains(t, ids, "jti-101")
	report, err := recorder.Verify(t.Context())
	require.NoError(t, err)
	assert.EqualValues(t, 16, report.Lost)
}

// A gap that may already be in the store is not changed any more: what is lost later is a gap of its own.
func TestAGapThatWasSentStaysAsItIs(t *testing.T) {
	rows, clock := &auditRows{}, testutil.NewClock(auditStart)
	var down bool
	recorder := newAudit(t, &auditFaults{rows, func(call string) (bool, bool) { return false, down && call == "append" }}, clock,
		func(c *audit.Config) { c.Buffer = 1 })
	down = true
	for i := range 3 {
		recorder.Record(mintAt(i, auditStart, 15*time.Minute))
	}
	require.Error(t, recorder.Flush(t.Context()))
	recorder.Record(mintAt(3, auditStart, 15*time.Minute))
	require.Error(t, recorder.Flush(t.Context()))
	down = false
	require.NoError(t, recorder.Flush(t.Context()))
	require.Len(t, rows.rows, 3)
	assert.EqualValues(t, 2, rows.rows[1].Lost)
	assert.EqualValues(t, 1, rows.rows[2].Lost)
	_, err := recorder.Verify(t.Context())
	require.NoError(t, err)
}

func TestFlushWaitsNoLongerThanItsContext(t *testing.T) {
	entered, leave := make(chan struct{}), make(chan struct{})
	slow := &auditFaults{&auditRows{}, func(call string) (bool, bool) {
		if call == "append" {
			close(entered)
			<-leave
		}
		return false, false
	}}
	recorder := newAudit(t, slow, testutil.NewClock(auditStart))
	recorder.Record(mintAt(1, auditStart, 15*time.Minute))
	done := make(chan error)
	go func() { done <- recorder.Flush(context.Background()) }()
	<-entered
	recorder.Record(mintAt(2, auditStart, 15*time.Minute)) // does not wait
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	assert.ErrorIs(t, recorder.Flush(ctx), context.Canceled)
	assert.EqualError(t, recorder.Flush(t.Context()), "mint store: it does not answer in time", "nobody waits behind the others")
	close(leave)
	assert.NoError(t, <-done)
}

// A recorder that has seen a head notices that the store has lost it, says so, and keeps saying so.
func TestAuditNoticesThatTheStoreWasCut(t *testing.T) {
	for name, left := range map[string]int{"shortened": 3, "emptied": 0} {
		t.Run(name, func(t *testing.T) {
			var log bytes.Buffer
			rows, clock := &auditRows{}, testutil.NewClock(auditStart)
			recorder := newAudit(t, rows, clock, func(c *audit.Config) { c.Log = slog.New(slog.NewTextHandler(&log, nil)) })
			recordMints(t, recorder, auditStart, 0, 5)
			rows.rows = rows.rows[:left]
			_, err := recorder.Verify(t.Context())
			assert.EqualError(t, err, fmt.Sprintf("serverauth: the mint audit is broken: entries %d to 5 truncated", left+1))
			recordMints(t, recorder, auditStart, 10, 5)
			assert.Contains(t, log.String(), "msg=audit_broken event=audit_broken")
			assert.Len(t, rows.rows, left+5)
			_, err = recorder.Verify(t.Context())
			assert.ErrorContains(t, err, "truncated")
		})
	}
}
