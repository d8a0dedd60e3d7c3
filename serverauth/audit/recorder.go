package audit

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"sync"
	"sync/atomic"
	"time"

	"github.com/picoauth/picoauth/app"
	"github.com/picoauth/picoauth/serverauth/internal/events"
)

// KeySize is the size of the key of the mint audit in bytes.
const KeySize = 32

const (
	auditBatch        = 1000
	maxAppendTries    = 100
	defaultAuditBound = 100_000
	auditPatience     = 3 * time.Second
)

// Config configures a [Recorder].
type Config struct {
	Store Store
	// Key returns the secret key of the MACs: KeySize bytes that all processes with one store share, and that somebody who can
	// write to the store must not have. It is called for every use: see keys.Ring.LiveSecret.
	Key func() []byte
	// MinTTL is the minimum lifetime of tokens that are recorded.
	MinTTL time.Duration
	// Buffer is the maximum number of mints that wait for the store, about 500 bytes each; 0: 100 000. Of further mints only
	// the number is kept, which becomes a gap in the audit.
	Buffer int
	// Keep is the number of the newest entries that are kept even if their tokens have expired; 0: 100 000.
	Keep  int
	Clock app.Clock    // nil: time.Now
	Log   *slog.Logger // nil: slog.Default
}

// Recorder writes the mint audit: it appends the recorded mints to the store in batches, each entry with a MAC over itself and
// the one before it. Any number of recorders may use one store.
//
// If the process crashes, the mints that are not stored yet are lost: normally those of the last second.
type Recorder struct {
	config Config

	mu      sync.Mutex // held for moments only: every sign-in takes it
	pending []Entry
	waiting int   // mints in batch
	missing int64 // number of mints in the gaps of batch
	lost    Entry // the gap of the mints for which there was no room in the buffer; Lost is 0: none
	dropped int64 // total number of mints that became part of a gap
	head    *Head // the last known one; nil: none yet
	cut     *Head // a known one that the store has lost; nil: none

	turn   chan struct{} // held by the running Flush; guards batch, sealed and uncertain
	batch  []Entry       // taken from pending, to be appended; the first entries, as many as sealed says, have MACs
	sealed int
	// uncertain is true if it is unknown whether the store has appended the sealed entries.
	uncertain bool

	broken atomic.Bool // the result of the last verification, or true since a lost head was found

	pruning sync.Mutex // guards the cursor
	cursor  Head
}

// NewRecorder returns a recorder. It begins to work with Run.
func NewRecorder(config Config) (*Recorder, error) {
	if config.Store == nil {
		return nil, errors.New("serverauth: a mint audit needs a store")
	}
	if config.Key == nil {
		return nil, errors.New("serverauth: a mint audit needs a key")
	}
	if size := len(config.Key()); size != KeySize {
		return nil, fmt.Errorf("serverauth: the key of the mint audit has %d bytes, not %d", size, KeySize)
	}
	if config.Buffer <= 0 {
		config.Buffer = defaultAuditBound
	}
	if config.Keep <= 0 {
		config.Keep = defaultAuditBound
	}
	if config.Log == nil {
		config.Log = slog.Default()
	}
	config.Clock = app.ClockOr(config.Clock)
	return &Recorder{config: config, turn: make(chan struct{}, 1)}, nil
}

// Record implements token.MintRecorder. It ignores tokens with a lifetime below MinTTL. It neither waits for the store nor fails.
func (r *Recorder) Record(m Mint) {
	if m.ExpiresAt-m.IssuedAt < int64(r.config.MinTTL/time.Second) {
		return
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	if len(r.pending)+r.waiting < r.config.Buffer {
		r.pending = append(r.pending, Entry{Mint: m})
		return
	}
	if r.lost.Lost == 0 {
		r.lost.Mint.IssuedAt = m.IssuedAt
	}
	r.lost.Lost++
	r.dropped++
	r.lost.Mint.ExpiresAt = max(r.lost.Mint.ExpiresAt, m.ExpiresAt)
}

// Counts returns the number of mints that wait for the store, and the total number of those for which there was no room.
func (r *Recorder) Counts() (pending, dropped int64) {
	r.mu.Lock()
	defer r.mu.Unlock()
	return int64(len(r.pending) + r.waiting), r.dropped
}

// Broken reports whether the last verification of Run, or a check since then, has found that the audit was tampered with.
func (r *Recorder) Broken() bool { return r.broken.Load() }

// Live implements revocation.MintIndex. It also finds mints that this process has recorded but not stored yet.
func (r *Recorder) Live(ctx context.Context, jti, sid, sub string) ([]Mint, error) {
	if err := r.Flush(ctx); err != nil {
		return nil, err
	}
	mints, err := r.config.Store.Live(ctx, jti, sid, sub, r.config.Clock().Unix())
	if err != nil {
		return nil, fmt.Errorf("mint store: %w", err)
	}
	return mints, nil
}

// Longest implements revocation.MintIndex.
func (r *Recorder) Longest(ctx context.Context) (expiresAt int64, err error) {
	if err := r.Flush(ctx); err != nil {
		return 0, err
	}
	expiresAt, err = r.config.Store.Longest(ctx)
	if err != nil {
		return 0, fmt.Errorf("mint store: %w", err)
	}
	return expiresAt, nil
}

// Latest returns the mints and gaps that match the query, newest first, and a head that was read after them.
func (r *Recorder) Latest(ctx context.Context, query Query) ([]Entry, Head, error) {
	if err := r.Flush(ctx); err != nil {
		return nil, Head{}, err
	}
	entries, err := r.config.Store.Latest(ctx, query)
	if err != nil {
		return nil, Head{}, fmt.Errorf("mint store: %w", err)
	}
	head, err := r.config.Store.Head(ctx)
	if err != nil {
		return nil, Head{}, fmt.Errorf("mint store: %w", err)
	}
	return entries, head, nil
}

// Flush stores the mints that were recorded before the call. After an error they are kept for the next call.
func (r *Recorder) Flush(ctx context.Context) error {
	select {
	case r.turn <- struct{}{}:
		defer func() { <-r.turn }()
	case <-time.After(auditPatience): // the running Flush waits for the store
		return errors.New("mint store: it does not answer in time")
	case <-ctx.Done():
		return ctx.Err()
	}
	r.take(ctx)
	for len(r.batch) > 0 {
		if err := r.append(ctx); err != nil {
			return fmt.Errorf("mint store: %w", err)
		}
	}
	return nil
}

// take moves the pending mints to the batch, followed by the gap, if there is one.
func (r *Recorder) take(ctx context.Context) {
	r.mu.Lock()
	r.batch = append(r.batch, r.pending...)
	r.waiting += len(r.pending)
	r.pending = nil
	lost := r.lost
	r.missing += lost.Lost
	r.lost = Entry{}
	r.mu.Unlock()
	if lost.Lost > 0 && r.addGap(lost) {
		r.alarm(ctx, events.AuditGap, "lost", lost.Lost, "stored", false)
	}
}

// addGap adds a gap to the batch, or extends the gap at its end. It returns true for a new gap.
func (r *Recorder) addGap(lost Entry) (began bool) {
	if last := len(r.batch) - 1; last >= r.sealed && r.batch[last].Lost > 0 {
		open := &r.batch[last]
		open.Lost += lost.Lost
		open.Mint.ExpiresAt = max(open.Mint.ExpiresAt, lost.Mint.ExpiresAt)
		return false
	}
	r.batch = append(r.batch, lost)
	return true
}

// append appends the first entries of the batch to the store. If another process has moved the head, it computes the MACs again.
func (r *Recorder) append(ctx context.Context) error {
	for range maxAppendTries {
		head, err := r.headOfStore(ctx)
		if err != nil {
			return err
		}
		if r.sealed == 0 {
			r.sealed = min(len(r.batch), auditBatch)
			newSealer(r.config.Key()).chain(head, r.batch[:r.sealed])
		}
		now, appended, err := r.config.Store.Append(ctx, head, r.batch[:r.sealed:r.sealed])
		if err == nil && !appended && r.uncertain {
			appended, err = r.hasAppended(ctx, head)
		}
		if err != nil {
			r.uncertain = true
			return err
		}
		r.know(ctx, now)
		if appended {
			r.appended(ctx)
			return nil
		}
		r.sealed, r.uncertain = 0, false
	}
	return errors.New("other processes append so often that no append succeeds")
}

// headOfStore returns the known head, or reads it from the store.
func (r *Recorder) headOfStore(ctx context.Context) (Head, error) {
	if head := r.lastHead(); head != nil {
		return *head, nil
	}
	head, err := r.config.Store.Head(ctx)
	if err == nil {
		r.know(ctx, head)
	}
	return head, err
}

// hasAppended reports whether the store has appended the entries although Append returned an error.
func (r *Recorder) hasAppended(ctx context.Context, after Head) (bool, error) {
	rows, err := r.config.Store.Walk(ctx, after.Seq, 1)
	return len(rows) == 1 && rows[0].Head() == r.batch[0].Head(), err
}

func (r *Recorder) appended(ctx context.Context) {
	stored, missing := r.sealed, int64(0)
	for _, entry := range r.batch[:r.sealed] {
		if entry.Lost > 0 {
			r.alarm(ctx, events.AuditGap, "lost", entry.Lost, "stored", true)
			stored--
			missing += entry.Lost
		}
	}
	r.batch = r.batch[r.sealed:]
	if len(r.batch) == 0 {
		r.batch = nil
	}
	r.sealed, r.uncertain = 0, false
	r.mu.Lock()
	r.waiting -= stored
	r.missing -= missing
	r.mu.Unlock()
}

func (r *Recorder) lastHead() *Head {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.head
}

// know stores the head. If it is before the last known one, or has another MAC, the end of the audit was cut off or an older
// copy was restored.
func (r *Recorder) know(ctx context.Context, head Head) {
	r.mu.Lock()
	last := r.head
	r.head = &head
	cut := last != nil && (head.Seq < last.Seq || head.Seq == last.Seq && head.MAC != last.MAC)
	if cut {
		r.cut = last
	}
	r.mu.Unlock()
	if cut {
		r.broken.Store(true)
		fault := Fault{AuditTruncated, min(head.Seq+1, last.Seq), last.Seq}
		r.alarm(ctx, events.AuditBroken, "error", &Error{Faults: []Fault{fault}})
	}
}
