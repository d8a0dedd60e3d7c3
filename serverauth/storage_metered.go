package serverauth

import (
	"context"
	"errors"
	"strings"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"go.opentelemetry.io/otel/trace"

	"github.com/picoauth/picoauth/app"
	"github.com/picoauth/picoauth/serverauth/audit"
	"github.com/picoauth/picoauth/serverauth/keys"
	"github.com/picoauth/picoauth/serverauth/store"
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

// end records the operation and returns err. If the client disconnected, that does not count as an error of the store.
func (c storeCall) end(err error) error {
	app.EndSpan(c.span, err)
	series := c.metrics.storeSeries.Get(c.name, c.metrics.storeSeriesOf)
	series.times.Observe(time.Since(c.began).Seconds())
	if err != nil && !errors.Is(err, context.Canceled) {
		series.errors.Inc()
	}
	return err
}

// measured runs an operation of a store; measured1 and measured2 run one with arguments.
func measured[R any](ctx context.Context, metrics *Instruments, name string, operation func(context.Context) (R, error)) (R, error) {
	ctx, call := metrics.call(ctx, name)
	result, err := operation(ctx)
	return result, call.end(err)
}

func measured1[A, R any](ctx context.Context, metrics *Instruments, name string, operation func(context.Context, A) (R, error), a A) (R, error) {
	ctx, call := metrics.call(ctx, name)
	result, err := operation(ctx, a)
	return result, call.end(err)
}

func measured2[A, B, R any](ctx context.Context, metrics *Instruments, name string, operation func(context.Context, A, B) (R, error), a A, b B) (R, error) {
	ctx, call := metrics.call(ctx, name)
	result, err := operation(ctx, a, b)
	return result, call.end(err)
}

// storeSeries are the metrics of an operation of a store.
type storeSeries struct {
	times  prometheus.Observer
	errors prometheus.Counter
}

func (i *Instruments) storeSeriesOf(name string) storeSeries {
	store, operation, _ := strings.Cut(name, ".")
	return storeSeries{i.storeTimes.WithLabelValues(store, operation), i.storeErrors.WithLabelValues(store, operation)}
}

// Stores with metrics and traces. A store that the app replaces has none.
type (
	meteredChallenges struct {
		store.ChallengeStore
		metrics *Instruments
	}
	meteredSessions struct {
		store.SessionStore
		metrics *Instruments
	}
	meteredRevocations struct {
		store.RevocationStore
		metrics *Instruments
	}
	meteredMints struct {
		audit.Store
		metrics *Instruments
	}
	// Any is not measured: it is called rarely, on behalf of all sign-ins.
	meteredLinks struct {
		store.LinkStore
		metrics *Instruments
	}
	meteredKeys struct {
		keys.Store
		metrics *Instruments
	}
	meteredClients struct {
		store.ClientStore
		metrics *Instruments
	}
	meteredUsed struct {
		store.UsedStore
		metrics *Instruments
	}
)

func (s meteredChallenges) Create(ctx context.Context, address string, ttl time.Duration) (string, error) {
	return measured2(ctx, s.metrics, "challenges.create", s.ChallengeStore.Create, address, ttl)
}

func (s meteredChallenges) Validate(ctx context.Context, address, nonce string) (bool, error) {
	return measured2(ctx, s.metrics, "challenges.validate", s.ChallengeStore.Validate, address, nonce)
}

// Peek implements NoncePeeker. For a store that does not, it reports every nonce as live.
func (s meteredChallenges) Peek(ctx context.Context, address, nonce string) (bool, error) {
	peeker, ok := s.ChallengeStore.(store.NoncePeeker)
	if !ok {
		return true, nil
	}
	return measured2(ctx, s.metrics, "challenges.peek", peeker.Peek, address, nonce)
}

// IsLive implements NonceKnower.
func (s meteredChallenges) IsLive(purpose store.Purpose, nonce string) bool {
	knower, ok := s.ChallengeStore.(store.NonceKnower)
	return ok && knower.IsLive(purpose, nonce)
}

// IsFor implements NonceKnower.
func (s meteredChallenges) IsFor(address, nonce string) bool {
	knower, ok := s.ChallengeStore.(store.NonceKnower)
	return ok && knower.IsFor(address, nonce)
}

func (s meteredChallenges) Cleanup(ctx context.Context) (int, error) {
	return measured(ctx, s.metrics, "challenges.cleanup", s.ChallengeStore.Cleanup)
}

func (s meteredSessions) Create(ctx context.Context, row store.Session) (int64, error) {
	ctx, call := s.metrics.call(ctx, "sessions.create")
	cutOff, err := s.SessionStore.Create(ctx, row)
	return cutOff, call.end(err)
}

func (s meteredSessions) Rotate(ctx context.Context, r store.Rotation) (store.Session, store.RotationOutcome, error) {
	ctx, call := s.metrics.call(ctx, "sessions.rotate")
	row, outcome, err := s.SessionStore.Rotate(ctx, r)
	return row, outcome, call.end(err)
}

func (s meteredSessions) Find(ctx context.Context, sid string) (store.Session, bool, error) {
	ctx, call := s.metrics.call(ctx, "sessions.find")
	row, found, err := s.SessionStore.Find(ctx, sid)
	return row, found, call.end(err)
}

func (s meteredSessions) End(ctx context.Context, sid string) (store.Session, bool, error) {
	ctx, call := s.metrics.call(ctx, "sessions.end")
	row, ended, err := s.SessionStore.End(ctx, sid)
	return row, ended, call.end(err)
}

func (s meteredSessions) EndSubject(ctx context.Context, ids []string, at int64) ([]store.Session, error) {
	return measured2(ctx, s.metrics, "sessions.end_subject", s.SessionStore.EndSubject, ids, at)
}

func (s meteredSessions) Prune(ctx context.Context, before int64, limit int) (int, error) {
	return measured2(ctx, s.metrics, "sessions.prune", s.SessionStore.Prune, before, limit)
}

func (s meteredSessions) List(ctx context.Context, q store.SessionQuery) ([]store.Session, error) {
	return measured1(ctx, s.metrics, "sessions.list", s.SessionStore.List, q)
}

func (s meteredRevocations) Add(ctx context.Context, items []store.Revocation) ([]store.Revocation, error) {
	return measured1(ctx, s.metrics, "revocations.add", s.RevocationStore.Add, items)
}

func (s meteredRevocations) Since(ctx context.Context, seq, after int64, limit int) (store.RevocationPage, error) {
	ctx, call := s.metrics.call(ctx, "revocations.since")
	page, err := s.RevocationStore.Since(ctx, seq, after, limit)
	return page, call.end(err)
}

func (s meteredRevocations) Prune(ctx context.Context, before int64, limit int) (int, error) {
	return measured2(ctx, s.metrics, "revocations.prune", s.RevocationStore.Prune, before, limit)
}

func (s meteredMints) Head(ctx context.Context) (audit.Head, error) {
	return measured(ctx, s.metrics, "mints.head", s.Store.Head)
}

func (s meteredMints) Append(ctx context.Context, after audit.Head, rows []audit.Entry) (audit.Head, bool, error) {
	ctx, call := s.metrics.call(ctx, "mints.append")
	head, appended, err := s.Store.Append(ctx, after, rows)
	return head, appended, call.end(err)
}

func (s meteredMints) Latest(ctx context.Context, query audit.Query) ([]audit.Entry, error) {
	return measured1(ctx, s.metrics, "mints.latest", s.Store.Latest, query)
}

func (s meteredMints) Live(ctx context.Context, jti, sid, sub string, now int64) ([]audit.Mint, error) {
	ctx, call := s.metrics.call(ctx, "mints.live")
	mints, err := s.Store.Live(ctx, jti, sid, sub, now)
	return mints, call.end(err)
}

func (s meteredMints) Longest(ctx context.Context) (int64, error) {
	return measured(ctx, s.metrics, "mints.longest", s.Store.Longest)
}

func (s meteredMints) Walk(ctx context.Context, after int64, limit int) ([]audit.Entry, error) {
	return measured2(ctx, s.metrics, "mints.walk", s.Store.Walk, after, limit)
}

func (s meteredMints) Prune(ctx context.Context, checkpoints []audit.Entry) (int, error) {
	return measured1(ctx, s.metrics, "mints.prune", s.Store.Prune, checkpoints)
}

func (s meteredLinks) Find(ctx context.Context, wallet string) (store.Link, bool, bool, error) {
	ctx, call := s.metrics.call(ctx, "links.find")
	row, found, named, err := s.LinkStore.Find(ctx, wallet)
	return row, found, named, call.end(err)
}

func (s meteredLinks) List(ctx context.Context, subject string) ([]store.Link, error) {
	return measured1(ctx, s.metrics, "links.list", s.LinkStore.List, subject)
}

func (s meteredLinks) Change(ctx context.Context, changes []store.LinkChange) (bool, error) {
	return measured1(ctx, s.metrics, "links.change", s.LinkStore.Change, changes)
}

func (s meteredKeys) Load(ctx context.Context) ([]keys.Record, error) {
	return measured(ctx, s.metrics, "keys.load", s.Store.Load)
}

func (s meteredKeys) Update(ctx context.Context, change func([]keys.Record) ([]keys.Record, error)) error {
	ctx, call := s.metrics.call(ctx, "keys.update")
	return call.end(s.Store.Update(ctx, change))
}

func (s meteredClients) Create(ctx context.Context, c store.Client) (bool, error) {
	return measured1(ctx, s.metrics, "clients.create", s.ClientStore.Create, c)
}

func (s meteredClients) Find(ctx context.Context, id string) (store.Client, bool, error) {
	ctx, call := s.metrics.call(ctx, "clients.find")
	c, found, err := s.ClientStore.Find(ctx, id)
	return c, found, call.end(err)
}

func (s meteredClients) Keep(ctx context.Context, id string, until int64) error {
	ctx, call := s.metrics.call(ctx, "clients.keep")
	return call.end(s.ClientStore.Keep(ctx, id, until))
}

func (s meteredClients) Delete(ctx context.Context, id string) (bool, error) {
	return measured1(ctx, s.metrics, "clients.delete", s.ClientStore.Delete, id)
}

func (s meteredClients) List(ctx context.Context, after string, limit int) ([]store.Client, error) {
	return measured2(ctx, s.metrics, "clients.list", s.ClientStore.List, after, limit)
}

func (s meteredClients) Prune(ctx context.Context, before int64, limit int) (int, error) {
	return measured2(ctx, s.metrics, "clients.prune", s.ClientStore.Prune, before, limit)
}

func (s meteredUsed) Use(ctx context.Context, id [32]byte, note []byte, until int64) (bool, error) {
	ctx, call := s.metrics.call(ctx, "used.use")
	first, err := s.UsedStore.Use(ctx, id, note, until)
	return first, call.end(err)
}

func (s meteredUsed) Note(ctx context.Context, id [32]byte) ([]byte, bool, error) {
	ctx, call := s.metrics.call(ctx, "used.note")
	note, used, err := s.UsedStore.Note(ctx, id)
	return note, used, call.end(err)
}

func (s meteredUsed) Prune(ctx context.Context, before int64, limit int) (int, error) {
	return measured2(ctx, s.metrics, "used.prune", s.UsedStore.Prune, before, limit)
}
