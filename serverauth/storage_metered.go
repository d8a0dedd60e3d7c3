package serverauth

import (
	"context"
	"errors"
	"strings"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"go.opentelemetry.io/otel/trace"

	"github.com/picoauth/picoauth/app"
	"github.com/picoauth/picoauth/serverauth/keys"
)

// storeCall is an operation of a store that is being measured and traced.
type storeCall struct {
	metrics *Instruments
	name    string // store.operation
	began   time.Time
	span    trace.Span
}

// call begins an operation; its end is storeCall.end.
func (i *Instruments) call(ctx context.Context, name string) (context.Context, storeCall) {
	ctx, span := app.StartSpan(ctx, name)
	return ctx, storeCall{metrics: i, name: name, began: time.Now(), span: span}
}

// end returns err. A client that went away is no failure of the store.
func (c storeCall) end(err error) error {
	app.EndSpan(c.span, err)
	if c.metrics == nil {
		return err
	}
	series := c.metrics.storeSeries.Get(c.name, c.metrics.storeSeriesOf)
	series.times.Observe(time.Since(c.began).Seconds())
	if err != nil && !errors.Is(err, context.Canceled) {
		series.errors.Inc()
	}
	return err
}

// storeSeries are what an operation of a store is counted in.
type storeSeries struct {
	times  prometheus.Observer
	errors prometheus.Counter
}

func (i *Instruments) storeSeriesOf(name string) storeSeries {
	store, operation, _ := strings.Cut(name, ".")
	return storeSeries{i.storeTimes.WithLabelValues(store, operation), i.storeErrors.WithLabelValues(store, operation)}
}

// The stores that a storage hands out, measured. What an app puts in their place is its own to measure.
type (
	meteredChallenges struct {
		ChallengeStore
		metrics *Instruments
	}
	meteredSessions struct {
		SessionStore
		metrics *Instruments
	}
	meteredRevocations struct {
		RevocationStore
		metrics *Instruments
	}
	meteredMints struct {
		MintStore
		metrics *Instruments
	}
	meteredKeys struct {
		keys.Store
		metrics *Instruments
	}
)

func (s meteredChallenges) Create(ctx context.Context, address string, ttl time.Duration) (string, error) {
	ctx, call := s.metrics.call(ctx, "challenges.create")
	nonce, err := s.ChallengeStore.Create(ctx, address, ttl)
	return nonce, call.end(err)
}

func (s meteredChallenges) Validate(ctx context.Context, address, nonce string) (bool, error) {
	ctx, call := s.metrics.call(ctx, "challenges.validate")
	spent, err := s.ChallengeStore.Validate(ctx, address, nonce)
	return spent, call.end(err)
}

func (s meteredChallenges) Cleanup(ctx context.Context) (int, error) {
	ctx, call := s.metrics.call(ctx, "challenges.cleanup")
	removed, err := s.ChallengeStore.Cleanup(ctx)
	return removed, call.end(err)
}

func (s meteredSessions) Create(ctx context.Context, row Session) (int64, error) {
	ctx, call := s.metrics.call(ctx, "sessions.create")
	cutOff, err := s.SessionStore.Create(ctx, row)
	return cutOff, call.end(err)
}

func (s meteredSessions) Rotate(ctx context.Context, r Rotation) (Session, RotationOutcome, error) {
	ctx, call := s.metrics.call(ctx, "sessions.rotate")
	row, outcome, err := s.SessionStore.Rotate(ctx, r)
	return row, outcome, call.end(err)
}

func (s meteredSessions) End(ctx context.Context, sid string) (Session, bool, error) {
	ctx, call := s.metrics.call(ctx, "sessions.end")
	row, ended, err := s.SessionStore.End(ctx, sid)
	return row, ended, call.end(err)
}

func (s meteredSessions) EndSubject(ctx context.Context, ids []string, at int64) ([]Session, error) {
	ctx, call := s.metrics.call(ctx, "sessions.end_subject")
	rows, err := s.SessionStore.EndSubject(ctx, ids, at)
	return rows, call.end(err)
}

func (s meteredSessions) Prune(ctx context.Context, before int64, limit int) (int, error) {
	ctx, call := s.metrics.call(ctx, "sessions.prune")
	removed, err := s.SessionStore.Prune(ctx, before, limit)
	return removed, call.end(err)
}

func (s meteredRevocations) Add(ctx context.Context, items []Revocation) ([]Revocation, error) {
	ctx, call := s.metrics.call(ctx, "revocations.add")
	stored, err := s.RevocationStore.Add(ctx, items)
	return stored, call.end(err)
}

func (s meteredRevocations) Since(ctx context.Context, seq int64) (RevocationPage, error) {
	ctx, call := s.metrics.call(ctx, "revocations.since")
	page, err := s.RevocationStore.Since(ctx, seq)
	return page, call.end(err)
}

func (s meteredRevocations) Prune(ctx context.Context, before int64, limit int) (int, error) {
	ctx, call := s.metrics.call(ctx, "revocations.prune")
	removed, err := s.RevocationStore.Prune(ctx, before, limit)
	return removed, call.end(err)
}

func (s meteredMints) Head(ctx context.Context) (AuditHead, error) {
	ctx, call := s.metrics.call(ctx, "mints.head")
	head, err := s.MintStore.Head(ctx)
	return head, call.end(err)
}

func (s meteredMints) Append(ctx context.Context, after AuditHead, rows []AuditEntry) (AuditHead, bool, error) {
	ctx, call := s.metrics.call(ctx, "mints.append")
	head, appended, err := s.MintStore.Append(ctx, after, rows)
	return head, appended, call.end(err)
}

func (s meteredMints) Latest(ctx context.Context, limit int) ([]AuditEntry, error) {
	ctx, call := s.metrics.call(ctx, "mints.latest")
	rows, err := s.MintStore.Latest(ctx, limit)
	return rows, call.end(err)
}

func (s meteredMints) Live(ctx context.Context, jti, sid, sub string, now int64) ([]Mint, error) {
	ctx, call := s.metrics.call(ctx, "mints.live")
	mints, err := s.MintStore.Live(ctx, jti, sid, sub, now)
	return mints, call.end(err)
}

func (s meteredMints) Walk(ctx context.Context, after int64, limit int) ([]AuditEntry, error) {
	ctx, call := s.metrics.call(ctx, "mints.walk")
	rows, err := s.MintStore.Walk(ctx, after, limit)
	return rows, call.end(err)
}

func (s meteredMints) Prune(ctx context.Context, checkpoints []AuditEntry) (int, error) {
	ctx, call := s.metrics.call(ctx, "mints.prune")
	removed, err := s.MintStore.Prune(ctx, checkpoints)
	return removed, call.end(err)
}

func (s meteredKeys) Load(ctx context.Context) ([]keys.Record, error) {
	ctx, call := s.metrics.call(ctx, "keys.load")
	records, err := s.Store.Load(ctx)
	return records, call.end(err)
}

func (s meteredKeys) Update(ctx context.Context, change func([]keys.Record) ([]keys.Record, error)) error {
	ctx, call := s.metrics.call(ctx, "keys.update")
	return call.end(s.Store.Update(ctx, change))
}
