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
	ctx, call := s.metrics.call(ctx, "challenges.create")
	nonce, err := s.ChallengeStore.Create(ctx, address, ttl)
	return nonce, call.end(err)
}

func (s meteredChallenges) Validate(ctx context.Context, address, nonce string) (bool, error) {
	ctx, call := s.metrics.call(ctx, "challenges.validate")
	spent, err := s.ChallengeStore.Validate(ctx, address, nonce)
	return spent, call.end(err)
}

// Peek implements NoncePeeker. For a store that does not, it reports every nonce as live.
func (s meteredChallenges) Peek(ctx context.Context, address, nonce string) (bool, error) {
	peeker, ok := s.ChallengeStore.(store.NoncePeeker)
	if !ok {
		return true, nil
	}
	ctx, call := s.metrics.call(ctx, "challenges.peek")
	live, err := peeker.Peek(ctx, address, nonce)
	return live, call.end(err)
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
	ctx, call := s.metrics.call(ctx, "challenges.cleanup")
	removed, err := s.ChallengeStore.Cleanup(ctx)
	return removed, call.end(err)
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
	ctx, call := s.metrics.call(ctx, "sessions.end_subject")
	rows, err := s.SessionStore.EndSubject(ctx, ids, at)
	return rows, call.end(err)
}

func (s meteredSessions) Prune(ctx context.Context, before int64, limit int) (int, error) {
	ctx, call := s.metrics.call(ctx, "sessions.prune")
	removed, err := s.SessionStore.Prune(ctx, before, limit)
	return removed, call.end(err)
}

func (s meteredSessions) List(ctx context.Context, q store.SessionQuery) ([]store.Session, error) {
	ctx, call := s.metrics.call(ctx, "sessions.list")
	rows, err := s.SessionStore.List(ctx, q)
	return rows, call.end(err)
}

func (s meteredRevocations) Add(ctx context.Context, items []store.Revocation) ([]store.Revocation, error) {
	ctx, call := s.metrics.call(ctx, "revocations.add")
	stored, err := s.RevocationStore.Add(ctx, items)
	return stored, call.end(err)
}

func (s meteredRevocations) Since(ctx context.Context, seq, after int64, limit int) (store.RevocationPage, error) {
	ctx, call := s.metrics.call(ctx, "revocations.since")
	page, err := s.RevocationStore.Since(ctx, seq, after, limit)
	return page, call.end(err)
}

func (s meteredRevocations) Prune(ctx context.Context, before int64, limit int) (int, error) {
	ctx, call := s.metrics.call(ctx, "revocations.prune")
	removed, err := s.RevocationStore.Prune(ctx, before, limit)
	return removed, call.end(err)
}

func (s meteredMints) Head(ctx context.Context) (audit.Head, error) {
	ctx, call := s.metrics.call(ctx, "mints.head")
	head, err := s.Store.Head(ctx)
	return head, call.end(err)
}

func (s meteredMints) Append(ctx context.Context, after audit.Head, rows []audit.Entry) (audit.Head, bool, error) {
	ctx, call := s.metrics.call(ctx, "mints.append")
	head, appended, err := s.Store.Append(ctx, after, rows)
	return head, appended, call.end(err)
}

func (s meteredMints) Latest(ctx context.Context, query audit.Query) ([]audit.Entry, error) {
	ctx, call := s.metrics.call(ctx, "mints.latest")
	rows, err := s.Store.Latest(ctx, query)
	return rows, call.end(err)
}

func (s meteredMints) Live(ctx context.Context, jti, sid, sub string, now int64) ([]audit.Mint, error) {
	ctx, call := s.metrics.call(ctx, "mints.live")
	mints, err := s.Store.Live(ctx, jti, sid, sub, now)
	return mints, call.end(err)
}

func (s meteredMints) Longest(ctx context.Context) (int64, error) {
	ctx, call := s.metrics.call(ctx, "mints.longest")
	expiresAt, err := s.Store.Longest(ctx)
	return expiresAt, call.end(err)
}

func (s meteredMints) Walk(ctx context.Context, after int64, limit int) ([]audit.Entry, error) {
	ctx, call := s.metrics.call(ctx, "mints.walk")
	rows, err := s.Store.Walk(ctx, after, limit)
	return rows, call.end(err)
}

func (s meteredMints) Prune(ctx context.Context, checkpoints []audit.Entry) (int, error) {
	ctx, call := s.metrics.call(ctx, "mints.prune")
	removed, err := s.Store.Prune(ctx, checkpoints)
	return removed, call.end(err)
}

func (s meteredLinks) Find(ctx context.Context, wallet string) (store.Link, bool, bool, error) {
	ctx, call := s.metrics.call(ctx, "links.find")
	row, found, named, err := s.LinkStore.Find(ctx, wallet)
	return row, found, named, call.end(err)
}

func (s meteredLinks) List(ctx context.Context, subject string) ([]store.Link, error) {
	ctx, call := s.metrics.call(ctx, "links.list")
	rows, err := s.LinkStore.List(ctx, subject)
	return rows, call.end(err)
}

func (s meteredLinks) Change(ctx context.Context, changes []store.LinkChange) (bool, error) {
	ctx, call := s.metrics.call(ctx, "links.change")
	done, err := s.LinkStore.Change(ctx, changes)
	return done, call.end(err)
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

func (s meteredClients) Create(ctx context.Context, c store.Client) (bool, error) {
	ctx, call := s.metrics.call(ctx, "clients.create")
	created, err := s.ClientStore.Create(ctx, c)
	return created, call.end(err)
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
	ctx, call := s.metrics.call(ctx, "clients.delete")
	deleted, err := s.ClientStore.Delete(ctx, id)
	return deleted, call.end(err)
}

func (s meteredClients) List(ctx context.Context, after string, limit int) ([]store.Client, error) {
	ctx, call := s.metrics.call(ctx, "clients.list")
	all, err := s.ClientStore.List(ctx, after, limit)
	return all, call.end(err)
}

func (s meteredClients) Prune(ctx context.Context, before int64, limit int) (int, error) {
	ctx, call := s.metrics.call(ctx, "clients.prune")
	removed, err := s.ClientStore.Prune(ctx, before, limit)
	return removed, call.end(err)
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
	ctx, call := s.metrics.call(ctx, "used.prune")
	removed, err := s.UsedStore.Prune(ctx, before, limit)
	return removed, call.end(err)
}
