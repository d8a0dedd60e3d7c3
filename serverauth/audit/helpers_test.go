package audit_test

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/picoauth/picoauth/serverauth/audit"
	"github.com/picoauth/picoauth/serverauth/store"
	"github.com/picoauth/picoauth/testutil"
)

var (
	auditStart = time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC)
	auditKey   = func() []byte { return []byte("0123456789abcdef0123456789abcdef") }
)

// auditRows is the plainest store there is: what others are compared with, and what a test can tamper with.
type auditRows struct {
	mu   sync.Mutex
	rows []audit.Entry
}

func (s *auditRows) Head(context.Context) (audit.Head, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.head(), nil
}

func (s *auditRows) head() audit.Head {
	if len(s.rows) == 0 {
		return audit.Head{}
	}
	return s.rows[len(s.rows)-1].Head()
}

func (s *auditRows) Append(_ context.Context, after audit.Head, rows []audit.Entry) (audit.Head, bool, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.head() != after {
		return s.head(), false, nil
	}
	s.rows = append(s.rows, rows...)
	return s.head(), true, nil
}

func (s *auditRows) Latest(_ context.Context, q audit.Query) (out []audit.Entry, err error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, row := range slices.Backward(s.rows) {
		if q.Matches(row) && len(out) < q.Limit {
			out = append(out, row)
		}
	}
	return out, nil
}

func (s *auditRows) Longest(context.Context) (expiresAt int64, err error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, row := range s.rows {
		expiresAt = max(expiresAt, row.Mint.ExpiresAt)
	}
	return expiresAt, nil
}

func (s *auditRows) Live(_ context.Context, jti, sid, sub string, now int64) (out []audit.Mint, err error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, row := range s.rows {
		m := row.Mint
		hit := jti != "" && m.ID == jti || sid != "" && m.SessionID == sid || sub != "" && (m.Subject == sub || m.WalletID == sub)
		if hit && m.ExpiresAt > now {
			out = append(out, m)
		}
	}
	return out, nil
}

func (s *auditRows) Walk(_ context.Context, after int64, limit int) (out []audit.Entry, err error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, row := range s.rows {
		if row.Seq > after && len(out) < limit {
			out = append(out, row)
		}
	}
	return out, nil
}

func (s *auditRows) Prune(_ context.Context, checkpoints []audit.Entry) (removed int, err error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, c := range checkpoints {
		from := c.Seq - c.Pruned
		there := from == 0 || slices.ContainsFunc(s.rows, func(r audit.Entry) bool { return r.Seq == from })
		end := slices.IndexFunc(s.rows, func(r audit.Entry) bool { return r.Head() == c.Head() })
		if !there || end < 0 {
			continue
		}
		first := slices.IndexFunc(s.rows, func(r audit.Entry) bool { return r.Seq > from })
		for _, row := range s.rows[first : end+1] {
			if row.Pruned == 0 {
				removed++
			}
		}
		s.rows = slices.Replace(s.rows, first, end+1, c)
	}
	return removed, nil
}

// auditFaults is a store whose calls fail as told: before or after they have done their work, or not at all.
type auditFaults struct {
	audit.Store
	fail func(call string) (before, after bool)
}

var errStoreAway = errors.New("store is away")

func faulty[T any](s *auditFaults, call string, do func() (T, error)) (T, error) {
	var none T
	before, after := s.fail(call)
	if before {
		return none, errStoreAway
	}
	v, err := do()
	if after {
		return none, errStoreAway
	}
	return v, err
}

func (s *auditFaults) Head(ctx context.Context) (audit.Head, error) {
	return faulty(s, "head", func() (audit.Head, error) { return s.Store.Head(ctx) })
}

func (s *auditFaults) Append(ctx context.Context, after audit.Head, rows []audit.Entry) (audit.Head, bool, error) {
	type result struct {
		head audit.Head
		ok   bool
	}
	r, err := faulty(s, "append", func() (result, error) {
		head, ok, err := s.Store.Append(ctx, after, rows)
		return result{head, ok}, err
	})
	return r.head, r.ok, err
}

func (s *auditFaults) Walk(ctx context.Context, after int64, limit int) ([]audit.Entry, error) {
	return faulty(s, "walk", func() ([]audit.Entry, error) { return s.Store.Walk(ctx, after, limit) })
}

func (s *auditFaults) Prune(ctx context.Context, checkpoints []audit.Entry) (int, error) {
	return faulty(s, "prune", func() (int, error) { return s.Store.Prune(ctx, checkpoints) })
}

// newAudit returns a recorder on the store, changed by the functions.
func newAudit(t testing.TB, store audit.Store, clock *testutil.Clock, change ...func(*audit.Config)) *audit.Recorder {
	t.Helper()
	config := audit.Config{Store: store, Key: auditKey, Clock: clock.Now, Log: slog.New(slog.DiscardHandler)}
	for _, f := range change {
		f(&config)
	}
	r, err := audit.NewRecorder(config)
	require.NoError(t, err)
	return r
}

// mintAt is the nth mint of a test: made at that time, it lives as long as told.
func mintAt(n int, at time.Time, life time.Duration) audit.Mint {
	m := audit.Mint{
		ID: fmt.Sprintf("jti-%d", n), Subject: fmt.Sprintf("sub-%d", n%7), SessionID: fmt.Sprintf("sid-%d", n%13),
		WalletID: fmt.Sprintf("wallet-%d", n%3), Role: "wallet", Kind: store.KindWallet,
		IssuedAt: at.Unix(), ExpiresAt: at.Add(life).Unix(),
	}
	if n%4 > 0 { // the others are like those of the first version
		m.ClientID, m.RequestID, m.Client = "pico", fmt.Sprintf("request-%d", n%5), "192.0.2.1"
	}
	if n%4 == 3 {
		m.Act = `{"sub":"agent"}`
	}
	return m
}

// recordMints records mints of a quarter of an hour and flushes them.
func recordMints(t testing.TB, r *audit.Recorder, at time.Time, first, n int) {
	t.Helper()
	for i := first; i < first+n; i++ {
		r.Record(mintAt(i, at, 15*time.Minute))
	}
	require.NoError(t, r.Flush(t.Context()))
}

// auditIDs are the IDs of all mints in the store, in their order.
func auditIDs(t testing.TB, store audit.Store) (ids []string) {
	t.Helper()
	for _, row := range auditAll(t, store) {
		if row.Mint.ID != "" {
			ids = append(ids, row.Mint.ID)
		}
	}
	return ids
}

func auditAll(t testing.TB, store audit.Store) []audit.Entry {
	t.Helper()
	rows, err := store.Walk(t.Context(), 0, 1<<30)
	require.NoError(t, err)
	return rows
}
