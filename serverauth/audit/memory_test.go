package audit_test

import (
	"encoding/json"
	"fmt"
	"math/rand/v2"
	"runtime"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/picoauth/picoauth/serverauth/audit"
	"github.com/picoauth/picoauth/serverauth/store"
	"github.com/picoauth/picoauth/testutil"
)

// auditRow is a row with a MAC that depends on its number only: a store does not look at MACs.
func auditRow(seq int64, m audit.Mint) audit.Entry {
	return audit.Entry{Seq: seq, MAC: audit.MAC{byte(seq), byte(seq >> 8), byte(seq >> 16), 1}, Mint: m}
}

func auditCheckpoint(from, to int64) audit.Entry {
	c := auditRow(to, audit.Mint{})
	c.Pruned, c.Seal = to-from, audit.MAC{2}
	return c
}

// appendRows appends n rows from the given number on.
func appendRows(t testing.TB, store audit.Store, first int64, mints ...audit.Mint) {
	t.Helper()
	var rows []audit.Entry
	for i, m := range mints {
		rows = append(rows, auditRow(first+int64(i), m))
	}
	head, err := store.Head(t.Context())
	require.NoError(t, err)
	after, appended, err := store.Append(t.Context(), head, rows)
	require.NoError(t, err)
	require.True(t, appended)
	require.Equal(t, rows[len(rows)-1].Head(), after)
}

func someMints(n int) (mints []audit.Mint) {
	for i := range n {
		mints = append(mints, mintAt(i+1, auditStart, 15*time.Minute))
	}
	return mints
}

func TestMintStoreAppendsOnlyAfterItsHead(t *testing.T) {
	store, ctx := audit.NewMemoryStore(), t.Context()
	head, err := store.Head(ctx)
	require.NoError(t, err)
	assert.Zero(t, head)
	appendRows(t, store, 1, someMints(2)...)

	for name, after := range map[string]audit.Head{
		"older": auditRow(1, audit.Mint{}).Head(), "none": {}, "other seal": {Seq: 2}, "ahead": auditRow(3, audit.Mint{}).Head(),
	} {
		now, appended, err := store.Append(ctx, after, []audit.Entry{auditRow(3, audit.Mint{ID: "x"})})
		require.NoError(t, err, name)
		assert.False(t, appended, name)
		assert.Equal(t, auditRow(2, audit.Mint{}).Head(), now, name)
	}
	assert.Len(t, auditAll(t, store), 2)
}

func TestMintStoreLetsOneOfManyAppend(t *testing.T) {
	store := audit.NewMemoryStore()
	var wins sync.Map
	var all sync.WaitGroup
	for i := range 100 {
		all.Go(func() {
			m := audit.Mint{ID: fmt.Sprint(i)}
			if _, appended, _ := store.Append(t.Context(), audit.Head{}, []audit.Entry{auditRow(1, m)}); appended {
				wins.Store(m.ID, true)
			}
		})
	}
	all.Wait()
	rows := auditAll(t, store)
	require.Len(t, rows, 1)
	wins.Range(func(id, _ any) bool { return assert.Equal(t, rows[0].Mint.ID, id) })
}

func TestMintStoreKeepsRowsByteForByte(t *testing.T) {
	store := audit.NewMemoryStore()
	m := audit.Mint{
		ID: "\x00\xff", Subject: strings.Repeat("s", 9000), Role: "r", IssuedAt: -1, ExpiresAt: 1 << 62, Kind: "k", Scope: "a b",
		AgentID: "ä", SessionID: "'", WalletID: "w",
	}
	gap := auditRow(2, audit.Mint{IssuedAt: 5, ExpiresAt: 6})
	gap.Lost = 7
	rows := []audit.Entry{auditRow(1, m), gap}
	_, _, err := store.Append(t.Context(), audit.Head{}, rows)
	require.NoError(t, err)
	assert.Equal(t, rows, auditAll(t, store))
	_, err = store.Prune(t.Context(), []audit.Entry{auditCheckpoint(0, 1)})
	require.NoError(t, err)
	assert.Equal(t, []audit.Entry{auditCheckpoint(0, 1), gap}, auditAll(t, store))
}

func TestMintStoreFindsLiveMints(t *testing.T) {
	store := audit.NewMemoryStore()
	exp := auditStart.Unix()
	appendRows(t, store, 1,
		audit.Mint{ID: "a", Subject: "alice", SessionID: "one", WalletID: "key", ExpiresAt: exp},
		audit.Mint{ID: "b", Subject: "alice", SessionID: "two", ExpiresAt: exp + 1},
		audit.Mint{ID: "c", Subject: "ALICE", SessionID: "three", WalletID: "key", ExpiresAt: exp + 2},
		audit.Mint{ID: "d", Subject: "fleet", SessionID: "fleet", ExpiresAt: exp + 2},
		audit.Mint{ID: "alice", Subject: "", SessionID: "", ExpiresAt: exp + 2},
	)
	for _, test := range []struct {
		name          string
		jti, sid, sub string
		now           int64
		want          []string
	}{
		{"by id", "a", "", "", exp - 1, []string{"a"}},
		{"an expired one is not alive, on the very second", "a", "", "", exp, nil},
		{"by session", "", "two", "", exp, []string{"b"}},
		{"by subject, oldest first", "", "", "alice", exp - 1, []string{"a", "b"}},
		{"by the key of a wallet", "", "", "key", exp - 1, []string{"a", "c"}},
		{"each once", "", "fleet", "fleet", exp, []string{"d"}},
		{"any of the three", "d", "two", "key", exp, []string{"b", "c", "d"}},
		{"nothing matches nothing", "", "", "", exp - 1, nil},
		{"an id is no subject", "", "", "a", exp - 1, nil},
		{"unknown", "x", "x", "x", exp - 1, nil},
	} {
		t.Run(test.name, func(t *testing.T) {
			live, err := store.Live(t.Context(), test.jti, test.sid, test.sub, test.now)
			require.NoError(t, err)
			var ids []string
			for _, m := range live {
				ids = append(ids, m.ID)
			}
			assert.Equal(t, test.want, ids)
		})
	}
}

func TestMintStorePrunesBetweenRowsThatAreThere(t *testing.T) {
	for _, test := range []struct {
		name    string
		before  []audit.Entry // pruned first
		prune   []audit.Entry
		removed int
		left    []int64
	}{
		{"the beginning", nil, []audit.Entry{auditCheckpoint(0, 3)}, 3, []int64{3, 4, 5, 6, 7, 8}},
		{"the middle", nil, []audit.Entry{auditCheckpoint(2, 4)}, 2, []int64{1, 2, 4, 5, 6, 7, 8}},
		{"several", nil, []audit.Entry{auditCheckpoint(0, 2), auditCheckpoint(2, 3), auditCheckpoint(5, 8)}, 6, []int64{2, 3, 4, 5, 8}},
		{"an earlier checkpoint goes uncounted", []audit.Entry{auditCheckpoint(0, 3)},
			[]audit.Entry{auditCheckpoint(0, 5)}, 2, []int64{5, 6, 7, 8}},
		{"from a checkpoint on", []audit.Entry{auditCheckpoint(0, 3)},
			[]audit.Entry{auditCheckpoint(3, 5)}, 2, []int64{3, 5, 6, 7, 8}},
		{"its begin is gone", []audit.Entry{auditCheckpoint(0, 3)},
			[]audit.Entry{auditCheckpoint(2, 5)}, 0, []int64{3, 4, 5, 6, 7, 8}},
		{"its end is gone", []audit.Entry{auditCheckpoint(1, 3)},
			[]audit.Entry{auditCheckpoint(0, 2)}, 0, []int64{1, 3, 4, 5, 6, 7, 8}},
		{"its end is not yet there", nil, []audit.Entry{auditCheckpoint(7, 9)}, 0, []int64{1, 2, 3, 4, 5, 6, 7, 8}},
		{"its end is another's", nil, []audit.Entry{{Seq: 3, Pruned: 3}}, 0, []int64{1, 2, 3, 4, 5, 6, 7, 8}},
		{"one of two fits", []audit.Entry{auditCheckpoint(0, 3)},
			[]audit.Entry{auditCheckpoint(0, 2), auditCheckpoint(4, 6)}, 2, []int64{3, 4, 6, 7, 8}},
	} {
		for name, store := range map[string]audit.Store{"memory": audit.NewMemoryStore(), "rows": &auditRows{}} {
			t.Run(test.name+", "+name, func(t *testing.T) {
				appendRows(t, store, 1, someMints(8)...)
				head, _ := store.Head(t.Context())
				_, err := store.Prune(t.Context(), test.before)
				require.NoError(t, err)
				removed, err := store.Prune(t.Context(), test.prune)
				require.NoError(t, err)
				assert.Equal(t, test.removed, removed)
				var left []int64
				for _, row := range auditAll(t, store) {
					left = append(left, row.Seq)
				}
				assert.Equal(t, test.left, left)
				now, _ := store.Head(t.Context())
				assert.Equal(t, head, now)
			})
		}
	}
}

// Whatever is done to it in whatever order, the memory store behaves like the plainest one.
func TestInMemoryMintStoreIsLikeRows(t *testing.T) {
	rnd := rand.New(rand.NewPCG(1, 2))
	plain, store, ctx := &auditRows{}, audit.NewMemoryStore(), t.Context()
	next := 1
	for step := range 200 {
		switch rnd.IntN(3) {
		case 0, 1:
			var mints []audit.Mint
			for range 1 + rnd.IntN(300) {
				mints = append(mints, mintAt(next, auditStart, time.Duration(rnd.IntN(1000))*time.Second))
				next++
			}
			first := int64(next - len(mints))
			appendRows(t, plain, first, mints...)
			appendRows(t, store, first, mints...)
		default:
			var checkpoints []audit.Entry
			for at := int64(rnd.IntN(next)); at < int64(next); at += int64(rnd.IntN(50)) {
				to := at + 1 + int64(rnd.IntN(400))
				checkpoints = append(checkpoints, auditCheckpoint(at, to))
				at = to
			}
			want, _ := plain.Prune(ctx, checkpoints)
			got, err := store.Prune(ctx, checkpoints)
			require.NoError(t, err)
			require.Equal(t, want, got, "step %d", step)
		}
		requireSameAnswers(t, plain, store, rnd, next)
	}
	require.Equal(t, auditAll(t, plain), auditAll(t, store))
}

func requireSameAnswers(t *testing.T, plain, store audit.Store, rnd *rand.Rand, next int) {
	t.Helper()
	ctx := t.Context()
	after, limit, now := int64(rnd.IntN(next+10)), rnd.IntN(50), auditStart.Unix()+int64(rnd.IntN(1000))
	wantRows, _ := plain.Walk(ctx, after, limit)
	gotRows, _ := store.Walk(ctx, after, limit)
	require.Equal(t, wantRows, gotRows)
	wantRows, _ = plain.Latest(ctx, audit.Query{Limit: limit})
	gotRows, _ = store.Latest(ctx, audit.Query{Limit: limit})
	require.Equal(t, wantRows, gotRows)
	wantLongest, _ := plain.Longest(ctx)
	gotLongest, _ := store.Longest(ctx)
	require.Equal(t, wantLongest, gotLongest)
	m := mintAt(rnd.IntN(next+1), auditStart, 0)
	for _, query := range []audit.Query{
		{ID: m.ID}, {SessionID: m.SessionID, Before: after}, {Subjects: []string{m.WalletID, m.Subject}}, {Before: after},
	} {
		query.Limit = limit
		want, _ := plain.Latest(ctx, query)
		got, _ := store.Latest(ctx, query)
		require.Equal(t, want, got, "%+v", query)
	}
	for _, ask := range [][3]string{{m.ID, "", ""}, {"", m.SessionID, ""}, {"", "", m.Subject}, {m.ID, m.SessionID, m.WalletID}} {
		want, _ := plain.Live(ctx, ask[0], ask[1], ask[2], now)
		got, _ := store.Live(ctx, ask[0], ask[1], ask[2], now)
		require.Equal(t, want, got)
	}
}

func TestAuditHeadIsReadable(t *testing.T) {
	head := audit.Head{Seq: 7, MAC: audit.MAC{0xab, 31: 1}}
	text, err := json.Marshal(head)
	require.NoError(t, err)
	assert.Equal(t, `{"seq":7,"mac":"ab`+strings.Repeat("0", 60)+`01"}`, string(text))
	var back audit.Head
	require.NoError(t, json.Unmarshal(text, &back))
	assert.Equal(t, head, back)
	for _, mac := range []string{"", "ab", strings.Repeat("0", 66), strings.Repeat("x", 64)} {
		assert.Error(t, json.Unmarshal([]byte(`{"seq":7,"mac":"`+mac+`"}`), &back), mac)
	}
}

// wholeMint is a mint as a wallet's sign-in makes it.
func wholeMint(n int) audit.Mint {
	return audit.Mint{
		ID: fmt.Sprintf("%022d", n), Subject: fmt.Sprintf("%064x", n), Role: "wallet", IssuedAt: auditStart.Unix(),
		ExpiresAt: auditStart.Unix() + 900, Kind: store.KindWallet, SessionID: fmt.Sprintf("s%021d", n), WalletID: fmt.Sprintf("w%042d", n),
	}
}

func BenchmarkAuditMillion(b *testing.B) {
	const million = 1_000_000
	for b.Loop() {
		var before, after runtime.MemStats
		runtime.GC()
		runtime.ReadMemStats(&before)
		clock := testutil.NewClock(auditStart)
		store := audit.NewMemoryStore()
		recorder := newAudit(b, store, clock, func(c *audit.Config) { c.Keep = 1 })
		begin := time.Now()
		for n := range million {
			if recorder.Record(wholeMint(n)); n%10_000 == 9_999 {
				require.NoError(b, recorder.Flush(b.Context()))
			}
		}
		b.ReportMetric(float64(time.Since(begin).Nanoseconds())/million, "ns/mint")
		runtime.GC()
		runtime.ReadMemStats(&after)
		b.ReportMetric(float64(after.HeapAlloc-before.HeapAlloc)/million, "B/mint")
		begin = time.Now()
		for n := range 1000 {
			_, err := store.Live(b.Context(), "", "", wholeMint(n*999).Subject, auditStart.Unix())
			require.NoError(b, err)
		}
		b.ReportMetric(float64(time.Since(begin).Nanoseconds())/1000, "ns/live")
		begin = time.Now()
		_, err := recorder.Verify(b.Context())
		require.NoError(b, err)
		b.ReportMetric(float64(time.Since(begin).Milliseconds()), "ms/verify")
		clock.Advance(time.Hour)
		begin = time.Now()
		removed, err := recorder.Prune(b.Context())
		require.NoError(b, err)
		require.Equal(b, million-1, removed)
		b.ReportMetric(float64(time.Since(begin).Milliseconds()), "ms/prune")
	}
}

func BenchmarkAuditRecord(b *testing.B) {
	recorder := newAudit(b, audit.NewMemoryStore(), testutil.NewClock(auditStart))
	m := wholeMint(1)
	b.RunParallel(func(pb *testing.PB) {
		for pb.Next() {
			recorder.Record(m)
		}
	})
}
