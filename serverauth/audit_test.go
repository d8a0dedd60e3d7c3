package serverauth_test

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

	"github.com/picoauth/picoauth/serverauth"
	"github.com/picoauth/picoauth/testutil"
)

var (
	auditStart = time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC)
	auditKey   = []byte("0123456789abcdef0123456789abcdef")
)

// auditRows is the plainest store there is: what others are compared with, and what a test can tamper with.
type auditRows struct {
	mu   sync.Mutex
	rows []serverauth.AuditEntry
}

func (s *auditRows) Head(context.Context) (serverauth.AuditHead, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.head(), nil
}

func (s *auditRows) head() serverauth.AuditHead {
	if len(s.rows) == 0 {
		return serverauth.AuditHead{}
	}
	return s.rows[len(s.rows)-1].Head()
}

func (s *auditRows) Append(_ context.Context, after serverauth.AuditHead, rows []serverauth.AuditEntry) (serverauth.AuditHead, bool, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.head() != after {
		return s.head(), false, nil
	}
	s.rows = append(s.rows, rows...)
	return s.head(), true, nil
}

func (s *auditRows) Latest(_ context.Context, limit int) (out []serverauth.AuditEntry, err error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, row := range slices.Backward(s.rows) {
		if row.Pruned == 0 && len(out) < limit {
			out = append(out, row)
		}
	}
	return out, nil
}

func (s *auditRows) Live(_ context.Context, jti, sid, sub string, now int64) (out []serverauth.Mint, err error) {
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

func (s *auditRows) Walk(_ context.Context, after int64, limit int) (out []serverauth.AuditEntry, err error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, row := range s.rows {
		if row.Seq > after && len(out) < limit {
			out = append(out, row)
		}
	}
	return out, nil
}

func (s *auditRows) Prune(_ context.Context, checkpoints []serverauth.AuditEntry) (removed int, err error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, c := range checkpoints {
		from := c.Seq - c.Pruned
		there := from == 0 || slices.ContainsFunc(s.rows, func(r serverauth.AuditEntry) bool { return r.Seq == from })
		end := slices.IndexFunc(s.rows, func(r serverauth.AuditEntry) bool { return r.Head() == c.Head() })
		if !there || end < 0 {
			continue
		}
		first := slices.IndexFunc(s.rows, func(r serverauth.AuditEntry) bool { return r.Seq > from })
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
	serverauth.MintStore
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

func (s *auditFaults) Head(ctx context.Context) (serverauth.AuditHead, error) {
	return faulty(s, "head", func() (serverauth.AuditHead, error) { return s.MintStore.Head(ctx) })
}

func (s *auditFaults) Append(ctx context.Context, after serverauth.AuditHead, rows []serverauth.AuditEntry) (serverauth.AuditHead, bool, error) {
	type result struct {
		head serverauth.AuditHead
		ok   bool
	}
	r, err := faulty(s, "append", func() (result, error) {
		head, ok, err := s.MintStore.Append(ctx, after, rows)
		return result{head, ok}, err
	})
	return r.head, r.ok, err
}

func (s *auditFaults) Walk(ctx context.Context, after int64, limit int) ([]serverauth.AuditEntry, error) {
	return faulty(s, "walk", func() ([]serverauth.AuditEntry, error) { return s.MintStore.Walk(ctx, after, limit) })
}

func (s *auditFaults) Prune(ctx context.Context, checkpoints []serverauth.AuditEntry) (int, error) {
	return faulty(s, "prune", func() (int, error) { return s.MintStore.Prune(ctx, checkpoints) })
}

// newAudit returns a recorder on the store, changed by the functions.
func newAudit(t testing.TB, store serverauth.MintStore, clock *testutil.Clock, change ...func(*serverauth.AuditConfig)) *serverauth.AuditRecorder {
	t.Helper()
	config := serverauth.AuditConfig{Store: store, Key: auditKey, Clock: clock.Now, Log: slog.New(slog.DiscardHandler)}
	for _, f := range change {
		f(&config)
	}
	r, err := serverauth.NewAuditRecorder(config)
	require.NoError(t, err)
	return r
}

// mintAt is the nth mint of a test: made at that time, it lives as long as told.
func mintAt(n int, at time.Time, life time.Duration) serverauth.Mint {
	return serverauth.Mint{
		ID: fmt.Sprintf("jti-%d", n), Subject: fmt.Sprintf("sub-%d", n%7), SessionID: fmt.Sprintf("sid-%d", n%13),
		WalletID: fmt.Sprintf("wallet-%d", n%3), Role: "wallet", Kind: serverauth.KindWallet,
		IssuedAt: at.Unix(), ExpiresAt: at.Add(life).Unix(),
	}
}

// recordMints records mints of a quarter of an hour and flushes them.
func recordMints(t testing.TB, r *serverauth.AuditRecorder, at time.Time, first, n int) {
	t.Helper()
	for i := first; i < first+n; i++ {
		r.Record(mintAt(i, at, 15*time.Minute))
	}
	require.NoError(t, r.Flush(t.Context()))
}

// auditIDs are the IDs of all mints in the store, in their order.
func auditIDs(t testing.TB, store serverauth.MintStore) (ids []string) {
	t.Helper()
	for _, row := range auditAll(t, store) {
		if row.Mint.ID != "" {
			ids = append(ids, row.Mint.ID)
		}
	}
	return ids
}

func auditAll(t testing.TB, store serverauth.MintStore) []serverauth.AuditEntry {
	t.Helper()
	rows, err := store.Walk(t.Context(), 0, 1<<30)
	require.NoError(t, err)
	return rows
}
