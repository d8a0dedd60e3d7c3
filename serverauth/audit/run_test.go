package audit_test

import (
	"context"
	"log/slog"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/picoauth/picoauth/serverauth/audit"
	"github.com/picoauth/picoauth/testutil"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// runAudit runs a recorder on the store in a bubble of synctest, whose time is the test's to pass.
func runAudit(t *testing.T, store audit.Store) (recorder *audit.Recorder, log *testutil.LogRecords, stop func()) {
	t.Helper()
	log = &testutil.LogRecords{}
	recorder, err := audit.NewRecorder(audit.Config{
		Store: store, Key: auditKey, Keep: 1, Buffer: 10, Log: slog.New(slog.NewJSONHandler(log, nil)),
	})
	require.NoError(t, err)
	ctx, cancel := context.WithCancel(t.Context())
	done := make(chan struct{})
	go func() { defer close(done); recorder.Run(ctx) }()
	synctest.Wait()
	return recorder, log, func() { cancel(); <-done }
}

func TestRunIsAtMostASecondBehind(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		store := &auditRows{}
		recorder, _, stop := runAudit(t, store)
		defer stop()
		for i := range 20 {
			time.Sleep(time.Duration(i) * 130 * time.Millisecond)
			recorder.Record(mintAt(i, time.Now(), time.Hour))
			time.Sleep(time.Second)
			synctest.Wait()
			assert.Len(t, auditAll(t, store), i+1)
		}
	})
}

func TestRunLogsTheHeadOnceAMinuteWhenItMoved(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		store := &auditRows{}
		recorder, log, stop := runAudit(t, store)
		for i := range 10 {
			recorder.Record(mintAt(i, time.Now(), time.Hour))
			time.Sleep(15 * time.Second)
		}
		assert.Len(t, log.Of(t, "audit_head"), 3)
		time.Sleep(10 * time.Minute)
		assert.Len(t, log.Of(t, "audit_head"), 4, "nothing moves")
		recorder.Record(mintAt(10, time.Now(), time.Hour))
		stop()
		heads := log.Of(t, "audit_head")
		require.Len(t, heads, 5, "the last one is logged at the end")
		assert.Equal(t, "INFO", heads[4]["level"])
		assert.EqualValues(t, 11, heads[4]["seq"])
		assert.Equal(t, store.head().MAC.String(), heads[4]["mac"])
		assert.Len(t, auditAll(t, store), 11, "what was left is stored")
	})
}

func TestRunPrunesAndVerifies(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		store := &auditRows{}
		recorder, log, stop := runAudit(t, store)
		assert.Empty(t, log.Of(t, "audit_verified"), "there is nothing yet")
		for i := range 5 {
			recorder.Record(mintAt(i, time.Now(), time.Minute))
		}
		time.Sleep(time.Hour)
		synctest.Wait()
		assert.Len(t, auditAll(t, store), 2)
		time.Sleep(24 * time.Hour)
		synctest.Wait()
		verified := log.Of(t, "audit_verified")
		require.Len(t, verified, 1)
		assert.EqualValues(t, 4, verified[0]["pruned"])
		stop()

		store.rows[1].Mint.Role = "admin"
		_, log, stop = runAudit(t, store)
		stop()
		broken := log.Of(t, "audit_broken")
		require.Len(t, broken, 1)
		assert.Equal(t, "ERROR", broken[0]["level"])
		assert.Equal(t, "serverauth: the mint audit is broken: entry 5 altered", broken[0]["error"])
	})
}

func TestRunSaysWhenTheStoreIsAwayAndBack(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var mu sync.Mutex
		down := true
		store := &auditRows{}
		recorder, log, stop := runAudit(t, &auditFaults{store, func(string) (bool, bool) {
			mu.Lock()
			defer mu.Unlock()
			return down, false
		}})
		assert.Len(t, log.Of(t, "the mint audit cannot be verified"), 1)
		for i := range 12 {
			recorder.Record(mintAt(i, time.Now(), time.Hour))
		}
		time.Sleep(150 * time.Second)
		synctest.Wait()
		away := log.Of(t, "the mint audit cannot be written")
		require.Len(t, away, 3, "at once, and each minute")
		assert.EqualValues(t, 12, away[1]["waiting"])
		mu.Lock()
		down = false
		mu.Unlock()
		time.Sleep(time.Second)
		synctest.Wait()
		assert.Len(t, log.Of(t, "the mint audit is written again"), 1)
		assert.Len(t, auditAll(t, store), 11)

		mu.Lock()
		down = true
		mu.Unlock()
		for i := range 12 {
			recorder.Record(mintAt(i, time.Now(), time.Hour))
		}
		stop()
		gaps := log.Of(t, "audit_gap")
		last := gaps[len(gaps)-1]
		assert.Equal(t, "ERROR", last["level"])
		assert.EqualValues(t, 12, last["lost"])
		assert.Contains(t, last["error"], errStoreAway.Error())
	})
}
