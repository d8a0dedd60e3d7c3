package audit_test

import (
	"context"
	"fmt"
	"math/rand/v2"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/picoauth/picoauth/serverauth/audit"
	"github.com/picoauth/picoauth/testutil"
)

func keepOne(c *audit.Config) { c.Keep = 1 }

func TestPruneWaitsForExpiryAndMargin(t *testing.T) {
	store, clock := audit.NewMemoryStore(), testutil.NewClock(auditStart)
	recorder := newAudit(t, store, clock, keepOne)
	recordMints(t, recorder, auditStart, 0, 3)
	clock.Advance(15*time.Minute + 600*time.Second)
	removed, err := recorder.Prune(t.Context())
	require.NoError(t, err)
	assert.Zero(t, removed)
	clock.Advance(time.Second)
	removed, err = recorder.Prune(t.Context())
	require.NoError(t, err)
	assert.Equal(t, 2, removed)
}

func TestPruneKeepsTheNewest(t *testing.T) {
	store, clock := audit.NewMemoryStore(), testutil.NewClock(auditStart)
	recorder := newAudit(t, store, clock, func(c *audit.Config) { c.Keep = 10 })
	recordMints(t, recorder, auditStart, 0, 30)
	clock.Advance(time.Hour)
	removed, err := recorder.Prune(t.Context())
	require.NoError(t, err)
	assert.Equal(t, 20, removed)
	ids := auditIDs(t, store)
	assert.Equal(t, []string{"jti-20", "jti-29"}, []string{ids[0], ids[len(ids)-1]})
}

// A long-lived mint neither keeps those after it from being pruned nor is it lost.
func TestPruneLeavesWhatIsAlive(t *testing.T) {
	store, clock := audit.NewMemoryStore(), testutil.NewClock(auditStart)
	recorder := newAudit(t, store, clock, keepOne)
	const days = 5
	for n := range 9000 {
		life := 15 * time.Minute
		if n%1500 == 7 {
			life = days * 24 * time.Hour
		}
		recorder.Record(mintAt(n, auditStart, life))
	}
	require.NoError(t, recorder.Flush(t.Context()))
	head, err := store.Head(t.Context())
	require.NoError(t, err)

	clock.Advance(time.Hour)
	removed, err := recorder.Prune(t.Context())
	require.NoError(t, err)
	assert.Equal(t, 9000-6-1, removed)
	assert.Equal(t, []string{"jti-7", "jti-1507", "jti-3007", "jti-4507", "jti-6007", "jti-7507", "jti-8999"}, auditIDs(t, store))
	assert.Len(t, auditAll(t, store), 7+7, "one checkpoint before each survivor, whatever the batches")
	live, err := recorder.Live(t.Context(), "jti-4507", "", "")
	require.NoError(t, err)
	assert.Len(t, live, 1)
	report, err := recorder.Verify(t.Context(), head)
	require.NoError(t, err)
	assert.EqualValues(t, 9000-7, report.Pruned)

	removed, err = recorder.Prune(t.Context())
	require.NoError(t, err)
	assert.Zero(t, removed)

	clock.Advance(days * 24 * time.Hour)
	removed, err = recorder.Prune(t.Context())
	require.NoError(t, err)
	assert.Equal(t, 6, removed)
	assert.Len(t, auditAll(t, store), 2, "checkpoints join")
	_, err = recorder.Verify(t.Context(), head)
	require.NoError(t, err)
}

// What can be pruned is found even behind more live rows than one Prune reads.
func TestPruneGoesOnWhereItStopped(t *testing.T) {
	store, clock := audit.NewMemoryStore(), testutil.NewClock(auditStart)
	recorder := newAudit(t, store, clock, keepOne)
	for n := range 25_000 {
		life := 24 * time.Hour
		if n > 24_000 {
			life = time.Minute
		}
		recorder.Record(mintAt(n, auditStart, life))
	}
	require.NoError(t, recorder.Flush(t.Context()))
	clock.Advance(time.Hour)
	removed, err := recorder.Prune(t.Context())
	require.NoError(t, err)
	assert.Zero(t, removed)
	removed, err = recorder.Prune(t.Context())
	require.NoError(t, err)
	assert.Equal(t, 998, removed)
}

// Where one process stopped, another may have pruned since: the first begins anew.
func TestPruneGoesOnAfterAnotherProcess(t *testing.T) {
	store, clock := audit.NewMemoryStore(), testutil.NewClock(auditStart)
	recorder := newAudit(t, store, clock, keepOne)
	recordMints(t, recorder, auditStart, 0, 25_000)
	clock.Advance(12 * time.Minute) // none has expired, and any may have
	removed, err := recorder.Prune(t.Context())
	require.NoError(t, err)
	require.Zero(t, removed)
	clock.Advance(time.Hour)
	removed, err = newAudit(t, store, clock, keepOne).Prune(t.Context())
	require.NoError(t, err)
	require.Equal(t, 24_999, removed)
	recordMints(t, recorder, clock.Now(), 25_000, 10)
	clock.Advance(time.Hour)
	for _, want := range []int{0, 10} {
		removed, err = recorder.Prune(t.Context())
		require.NoError(t, err)
		assert.Equal(t, want, removed)
	}
	_, err = recorder.Verify(t.Context())
	require.NoError(t, err)
}

// An entry that was made to look expired is not covered up by a checkpoint, nor is a hole.
func TestPruneDoesNotCoverUp(t *testing.T) {
	for name, tamper := range map[string]func(rows []audit.Entry) []audit.Entry{
		"changed": func(rows []audit.Entry) []audit.Entry {
			rows[4].Mint.Subject = "somebody else"
			return rows
		},
		"aged": func(rows []audit.Entry) []audit.Entry {
			rows[9].Mint.ExpiresAt = 0
			return rows
		},
		"removed": func(rows []audit.Entry) []audit.Entry { return append(rows[:2], rows[4:]...) },
	} {
		t.Run(name, func(t *testing.T) {
			store, clock := &auditRows{}, testutil.NewClock(auditStart)
			recorder := newAudit(t, store, clock, keepOne)
			recordMints(t, recorder, auditStart, 0, 9)
			recorder.Record(mintAt(9, auditStart, 24*time.Hour))
			recordMints(t, recorder, auditStart, 10, 9)
			store.rows = tamper(store.rows)
			for range 3 {
				clock.Advance(time.Hour)
				_, err := recorder.Prune(t.Context())
				require.NoError(t, err)
				_, err = recorder.Verify(t.Context())
				var broken *audit.Error
				require.ErrorAs(t, err, &broken)
			}
			assert.Less(t, len(store.rows), 10, "the rest is pruned")
		})
	}
}

// Several processes prune and append at once, with clocks that differ: the audit stays whole and the living are kept.
func TestSeveralRecordersPruneAStore(t *testing.T) {
	for seed := range uint64(20) {
		rnd := rand.New(rand.NewPCG(seed, 6))
		rows := &auditRows{}
		stale := &staleWalk{auditRows: rows, rnd: rnd}
		clock, late := testutil.NewClock(auditStart), testutil.NewClock(auditStart.Add(-time.Minute))
		recorders := []*audit.Recorder{
			newAudit(t, stale, clock, keepOne), newAudit(t, stale, late, keepOne), newAudit(t, rows, clock, keepOne),
		}
		stale.others = recorders[2]
		var lasting []string
		for n := range 600 {
			life := time.Duration(1+rnd.IntN(10)) * time.Minute
			if rnd.IntN(40) == 0 {
				life = 24 * time.Hour
				lasting = append(lasting, fmt.Sprintf("jti-%d", n))
			}
			recorder := recorders[rnd.IntN(3)]
			recorder.Record(mintAt(n, clock.Now(), life))
			require.NoError(t, recorder.Flush(t.Context()))
			clock.Advance(5 * time.Second)
			late.Advance(5 * time.Second)
			if rnd.IntN(5) == 0 {
				_, err := recorders[rnd.IntN(3)].Prune(t.Context())
				require.NoError(t, err)
			}
		}
		_, err := recorders[0].Verify(t.Context())
		require.NoError(t, err, "seed %d", seed)
		assert.Subset(t, auditIDs(t, rows), lasting)
		assert.Less(t, len(rows.rows), 600)
	}
}

// staleWalk lets another process prune between what is read and what is written after it.
type staleWalk struct {
	*auditRows
	rnd    *rand.Rand
	others *audit.Recorder
}

func (s *staleWalk) Prune(ctx context.Context, checkpoints []audit.Entry) (int, error) {
	if s.rnd.IntN(2) == 0 {
		if _, err := s.others.Prune(ctx); err != nil {
			return 0, err
		}
	}
	if s.rnd.IntN(4) == 0 && len(checkpoints) > 1 {
		checkpoints = checkpoints[:1] // dies in the middle
	}
	return s.auditRows.Prune(ctx, checkpoints)
}
