package audit_test

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"reflect"
	"slices"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/picoauth/picoauth/serverauth/audit"
	"github.com/picoauth/picoauth/testutil"
)

// auditWithAll returns a store whose audit has mints, a gap, checkpoints at its begin and in its middle, and survivors,
// and the clock of its recorder.
func auditWithAll(t testing.TB) (*auditRows, *testutil.Clock) {
	t.Helper()
	store, clock := &auditRows{}, testutil.NewClock(auditStart)
	recorder := newAudit(t, store, clock, func(c *audit.Config) { c.Keep, c.Buffer = 1, 12 })
	for i := range 12 {
		life := 15 * time.Minute
		if i == 3 || i == 4 || i == 8 {
			life = 24 * time.Hour
		}
		recorder.Record(mintAt(i+1, auditStart, life))
	}
	require.NoError(t, recorder.Flush(t.Context()))
	clock.Advance(time.Hour)
	removed, err := recorder.Prune(t.Context())
	require.NoError(t, err)
	require.Equal(t, 8, removed)
	for i := range 15 { // 12 fit
		recorder.Record(mintAt(100+i, clock.Now(), 15*time.Minute))
	}
	require.NoError(t, recorder.Flush(t.Context()))
	kinds := ""
	for _, row := range store.rows {
		switch {
		case row.Pruned > 0:
			kinds += "C"
		case row.Lost > 0:
			kinds += "G"
		default:
			kinds += "M"
		}
	}
	require.Equal(t, "CMMCMCMMMMMMMMMMMMMG", kinds)
	return store, clock
}

func verifyRows(t testing.TB, rows []audit.Entry, known ...audit.Head) (audit.Report, []audit.Fault) {
	t.Helper()
	recorder := newAudit(t, &auditRows{rows: rows}, testutil.NewClock(auditStart))
	report, err := recorder.Verify(t.Context(), known...)
	if err == nil {
		return report, nil
	}
	var broken *audit.Error
	require.ErrorAs(t, err, &broken)
	require.NotEmpty(t, broken.Faults)
	return report, broken.Faults
}

func TestVerifyAcceptsAWholeAudit(t *testing.T) {
	store, _ := auditWithAll(t)
	var heads []audit.Head
	for _, row := range store.rows {
		heads = append(heads, row.Head())
	}
	report, faults := verifyRows(t, store.rows, heads...)
	assert.Empty(t, faults)
	assert.Equal(t, audit.Report{Head: heads[len(heads)-1], Mints: 15 + 1, Lost: 3, Pruned: 8}, report)

	report, faults = verifyRows(t, nil)
	assert.Empty(t, faults)
	assert.Zero(t, report)
	_, faults = verifyRows(t, store.rows, audit.Head{Seq: 2, MAC: audit.MAC{1}})
	assert.Empty(t, faults, "a head within a pruned part cannot be compared")
}

// What was sealed before a mint had ClientID, RequestID and Client is still whole, and they cannot be added to it.
func TestVerifyAcceptsAnEntryOfTheFirstVersion(t *testing.T) {
	row := audit.Entry{Seq: 1, Mint: audit.Mint{
		ID: "jti-1", Subject: "sub-1", WalletID: "wallet-1", Role: "wallet", Kind: "wallet", Scope: "read", AgentID: "agent-1",
		SessionID: "sid-1", IssuedAt: 1767323045, ExpiresAt: 1767323945,
	}}
	require.NoError(t, row.MAC.UnmarshalText([]byte("681990f2b01a65b421658e30254e83f181559ce25b0042a27f93fa02930320d1")))
	_, faults := verifyRows(t, []audit.Entry{row})
	assert.Empty(t, faults)
	for _, field := range []*string{&row.Mint.ClientID, &row.Mint.RequestID, &row.Mint.Client} {
		*field = "added"
		_, faults := verifyRows(t, []audit.Entry{row})
		assert.NotEmpty(t, faults)
		*field = ""
	}
	row.Mint.Act = `{"sub":"added"}`
	_, faults = verifyRows(t, []audit.Entry{row})
	assert.NotEmpty(t, faults)
}

func TestVerifyFindsARemovedEntry(t *testing.T) {
	store, _ := auditWithAll(t)
	last := store.rows[len(store.rows)-1].Head()
	for i, row := range store.rows {
		_, faults := verifyRows(t, slices.Delete(slices.Clone(store.rows), i, i+1), last)
		want := audit.Fault{Kind: audit.AuditRemoved, First: row.Seq - max(row.Pruned, 1) + 1, Last: row.Seq}
		if i == len(store.rows)-1 {
			want.Kind = audit.AuditTruncated
		}
		assert.Equal(t, []audit.Fault{want}, faults, "row %d", i)
	}
}

func TestVerifyFindsACutEnd(t *testing.T) {
	store, _ := auditWithAll(t)
	last := store.rows[len(store.rows)-1].Head()
	for n := range store.rows {
		_, faults := verifyRows(t, store.rows[:n], last)
		first := int64(1)
		if n > 0 {
			first = store.rows[n-1].Seq + 1
		}
		assert.Equal(t, []audit.Fault{{Kind: audit.AuditTruncated, First: first, Last: last.Seq}}, faults)
	}
}

// A cut that honest recorders have appended to since is found by the head that was known before.
func TestVerifyFindsACutThatWasAppendedTo(t *testing.T) {
	store, clock := auditWithAll(t)
	last := store.rows[len(store.rows)-1].Head()
	store.rows = store.rows[:len(store.rows)-3]
	recordMints(t, newAudit(t, store, clock), clock.Now(), 200, 10)
	_, faults := verifyRows(t, store.rows)
	assert.Empty(t, faults, "the chain is right in itself")
	_, faults = verifyRows(t, store.rows, last)
	assert.Equal(t, []audit.Fault{{Kind: audit.AuditTruncated, First: last.Seq, Last: last.Seq}}, faults)
}

func TestVerifyFindsSwappedEntries(t *testing.T) {
	store, _ := auditWithAll(t)
	last := store.rows[len(store.rows)-1].Head()
	for i := range store.rows {
		for j := range i {
			swapped := slices.Clone(store.rows)
			swapped[i], swapped[j] = swapped[j], swapped[i]
			swapped[i].Seq, swapped[j].Seq = swapped[j].Seq, swapped[i].Seq
			_, faults := verifyRows(t, swapped, last)
			assert.NotEmpty(t, faults, "rows %d and %d", i, j)

			swapped = slices.Clone(store.rows) // content only: numbers and seals stay
			swapped[i].Mint, swapped[j].Mint = swapped[j].Mint, swapped[i].Mint
			swapped[i].Lost, swapped[j].Lost = swapped[j].Lost, swapped[i].Lost
			if _, faults := verifyRows(t, swapped, last); swapped[i] != store.rows[i] {
				assert.NotEmpty(t, faults, "contents of %d and %d", i, j)
			}
		}
	}
}

// Each field of each row, changed in one place, is found and named.
func TestVerifyFindsAnyChange(t *testing.T) {
	store, _ := auditWithAll(t)
	last := store.rows[len(store.rows)-1].Head()
	for i := range store.rows {
		changes := 0
		for _, change := range auditChanges(reflect.TypeFor[audit.Entry](), nil) {
			rows := slices.Clone(store.rows)
			change(reflect.ValueOf(&rows[i]).Elem())
			_, faults := verifyRows(t, rows, last)
			require.NotEmpty(t, faults, "row %d: %+v", i, rows[i])
			assert.LessOrEqual(t, faults[0].First, store.rows[i].Seq)
			changes++
		}
		require.Greater(t, changes, 2*32+10*2)
	}
}

// auditChanges returns a change for each leaf of a type: bytes flipped, numbers raised, lowered and negated, texts
// extended and emptied.
func auditChanges(typ reflect.Type, path func(reflect.Value) reflect.Value) (changes []func(reflect.Value)) {
	if path == nil {
		path = func(v reflect.Value) reflect.Value { return v }
	}
	switch typ.Kind() {
	case reflect.Struct:
		for i := range typ.NumField() {
			inner := func(v reflect.Value) reflect.Value { return path(v).Field(i) }
			changes = append(changes, auditChanges(typ.Field(i).Type, inner)...)
		}
	case reflect.Array:
		for i := range typ.Len() {
			changes = append(changes, func(v reflect.Value) { e := path(v).Index(i); e.SetUint(e.Uint() ^ 1) })
		}
	case reflect.String:
		changes = append(changes,
			func(v reflect.Value) { s := path(v); s.SetString(s.String() + "\x00") },
			func(v reflect.Value) { s := path(v); s.SetString("\x00" + s.String()) })
	case reflect.Int64:
		for _, n := range []int64{1, -1, 1 << 40, -1 << 40} {
			changes = append(changes, func(v reflect.Value) { e := path(v); e.SetInt(e.Int() + n) })
		}
	default:
		panic(fmt.Sprint("a field of a new kind: ", typ))
	}
	return changes
}

// A checkpoint can be made only with the key: what stands in for entries must have been sealed for these very ones.
func TestVerifyRefusesForgedCheckpoints(t *testing.T) {
	store, _ := auditWithAll(t)
	for from := range store.rows {
		for to := from; to < len(store.rows); to++ {
			begin, end := audit.Head{}, store.rows[to]
			if from > 0 {
				begin = store.rows[from-1].Head()
			}
			for _, seal := range append([]audit.Entry{{}}, store.rows...) {
				forged := audit.Entry{Seq: end.Seq, MAC: end.MAC, Pruned: end.Seq - begin.Seq, Seal: seal.Seal}
				if from == to && forged == end {
					continue
				}
				_, faults := verifyRows(t, slices.Replace(slices.Clone(store.rows), from, to+1, forged))
				require.NotEmpty(t, faults, "%d to %d", from, to)
			}
		}
	}
}

func TestVerifyNeedsTheKey(t *testing.T) {
	store, clock := auditWithAll(t)
	other := newAudit(t, store, clock, func(c *audit.Config) { c.Key = func() []byte { return slices.Repeat([]byte{9}, 32) } })
	var broken *audit.Error
	_, err := other.Verify(t.Context())
	require.ErrorAs(t, err, &broken)
	assert.Len(t, broken.Faults, len(store.rows))
}

func TestVerifyReportsBoundedFaultsForPeople(t *testing.T) {
	store, clock := &auditRows{}, testutil.NewClock(auditStart)
	recorder := newAudit(t, store, clock)
	recordMints(t, recorder, auditStart, 0, 2500)
	for i := range store.rows {
		store.rows[i].Mint.Role = "admin"
	}
	store.rows = slices.Delete(store.rows, 1, 3)
	_, err := recorder.Verify(t.Context())
	assert.EqualError(t, err, "serverauth: the mint audit is broken: entry 1 altered, entries 2 to 3 removed, entry 5 altered, entry 6 altered, entry 7 altered, …")
	var broken *audit.Error
	require.ErrorAs(t, err, &broken)
	assert.Len(t, broken.Faults, 100)
}

// Random damage to a long audit, several pages of it, is found wherever it is.
func TestVerifyFindsRandomDamage(t *testing.T) {
	store, clock := &auditRows{}, testutil.NewClock(auditStart)
	recordMints(t, newAudit(t, store, clock), auditStart, 0, 3500)
	last := store.rows[len(store.rows)-1].Head()
	rnd := rand.New(rand.NewPCG(3, 4))
	changes := auditChanges(reflect.TypeFor[audit.Entry](), nil)
	for range 60 {
		rows := slices.Clone(store.rows)
		i, j := rnd.IntN(len(rows)), rnd.IntN(len(rows))
		switch rnd.IntN(3) {
		case 0:
			rows = slices.Delete(rows, min(i, j), max(i, j)+1)
		case 1:
			changes[rnd.IntN(len(changes))](reflect.ValueOf(&rows[i]).Elem())
		default:
			rows[i].Mint, rows[j].Mint = rows[j].Mint, rows[i].Mint
			if i == j {
				continue
			}
		}
		_, faults := verifyRows(t, rows, last)
		require.NotEmpty(t, faults)
	}
}

func TestVerifyReturnsTheErrorsOfTheStore(t *testing.T) {
	store, clock := auditWithAll(t)
	for _, failing := range []string{"head", "walk"} {
		away := &auditFaults{store, func(call string) (bool, bool) { return call == failing, false }}
		_, err := newAudit(t, away, clock).Verify(t.Context())
		require.ErrorIs(t, err, errStoreAway)
	}
}

// meanwhile is a store in which something happens before each page but the first.
type meanwhile struct {
	*auditRows
	do func(after int64)
}

func (s *meanwhile) Walk(ctx context.Context, after int64, limit int) ([]audit.Entry, error) {
	if after > 0 {
		s.do(after)
	}
	return s.auditRows.Walk(ctx, after, min(limit, 40))
}

func TestVerifyGoesOnWhileOthersAppendAndPrune(t *testing.T) {
	store, clock := &auditRows{}, testutil.NewClock(auditStart)
	other := newAudit(t, store, clock, func(c *audit.Config) { c.Keep = 1 })
	recordMints(t, other, auditStart, 0, 100)
	prunings := 0
	busy := &meanwhile{store, func(int64) {
		recordMints(t, other, clock.Now(), 1000*(prunings+1), 1)
		if prunings++; prunings == 1 {
			clock.Advance(time.Hour)
			_, err := other.Prune(t.Context())
			require.NoError(t, err)
		}
	}}
	_, err := newAudit(t, busy, clock).Verify(t.Context())
	require.NoError(t, err)
	assert.Equal(t, 1, prunings)
}

func TestVerifyEndsOnAStoreThatRepeatsItself(t *testing.T) {
	store, clock := &auditRows{}, testutil.NewClock(auditStart)
	recordMints(t, newAudit(t, store, clock), auditStart, 0, 1000)
	_, err := newAudit(t, &repeating{store}, clock).Verify(t.Context())
	require.Error(t, err)
	var broken *audit.Error
	assert.False(t, errors.As(err, &broken))
}

type repeating struct{ *auditRows }

func (s *repeating) Walk(ctx context.Context, _ int64, limit int) ([]audit.Entry, error) {
	return s.auditRows.Walk(ctx, 0, limit)
}
