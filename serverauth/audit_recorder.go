package serverauth

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"sync"
	"time"

	"github.com/picoauth/picoauth/app"
)

// AuditKeySize is the size of the key of the mint audit in bytes.
const AuditKeySize = 32

const (
	auditBatch        = 1000
	maxAppendTries    = 100
	defaultAuditBound = 100_000
	auditPatience     = 3 * time.Second
)

// AuditConfig is what an AuditRecorder is made of.
type AuditConfig struct {
	Store MintStore
	// Key seals the audit: AuditKeySize bytes that all processes on one store share, and that whoever can write to the
	// store does not have.
	Key []byte
	// MinTTL is the life from which on a token is recorded.
	MinTTL time.Duration
	// Buffer is how many mints may wait for the store, about 500 bytes each; 0: 100 000. Of what comes when it is full
	// only the number is kept, and becomes a gap in the audit.
	Buffer int
	// Keep is how many of the newest entries stay although their tokens have expired; 0: 100 000.
	Keep  int
	Clock app.Clock    // nil: time.Now
	Log   *slog.Logger // nil: slog.Default
}

// AuditRecorder writes the mint audit: what is recorded is sealed into a chain, each entry over the one before it, and
// appended to the store in batches. Any number of recorders may work on one store.
//
// A crash of the process loses what was recorded in its last second.
type AuditRecorder struct {
	config AuditConfig

	mu      sync.Mutex // held for moments only: every sign-in takes it
	pending []AuditEntry
	waiting int   // mints in batch
	missing int64 // mints that gaps in batch stand for
	lost    gap
	dropped int64      // mints that went into a gap, ever
	head    *AuditHead // the last one known; nil: none yet
	cut     *AuditHead // one that was known, and that the store has lost

	turn   chan struct{} // held by the one who flushes, who has what follows for its own
	batch  []AuditEntry  // taken from pending, to be appended; the first sealed ones have MACs
	sealed int
	// uncertain says that the store may or may not have appended the sealed ones.
	uncertain bool

	pruning sync.Mutex // guards the cursor
	cursor  AuditHead
}

// gap is what was made while there was no room.
type gap struct{ mints, issuedAt, expiresAt int64 }

// NewAuditRecorder returns a recorder that has read nothing yet; Run makes it work.
func NewAuditRecorder(config AuditConfig) (*AuditRecorder, error) {
	if config.Store == nil {
		return nil, errors.New("serverauth: a mint audit needs a store")
	}
	if len(config.Key) != AuditKeySize {
		return nil, fmt.Errorf("serverauth: the key of the mint audit has %d bytes, not %d", AuditKeySize, len(config.Key))
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
	config.Clock = clockOr(config.Clock)
	return &AuditRecorder{config: config, turn: make(chan struct{}, 1)}, nil
}

// Record implements MintRecorder. It neither waits for the store nor fails.
func (r *AuditRecorder) Record(m Mint) {
	if m.ExpiresAt-m.IssuedAt < int64(r.config.MinTTL/time.Second) {
		return
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	if len(r.pending)+r.waiting < r.config.Buffer {
		r.pending = append(r.pending, AuditEntry{Mint: m})
		return
	}
	if r.lost.mints == 0 {
		r.lost.issuedAt = m.IssuedAt
	}
	r.lost.mints++
	r.dropped++
	r.lost.expiresAt = max(r.lost.expiresAt, m.ExpiresAt)
}

// counts returns how many mints wait for the store, and for how many there ever was no room.
func (r *AuditRecorder) counts() (pending, dropped int64) {
	r.mu.Lock()
	defer r.mu.Unlock()
	return int64(len(r.pending) + r.waiting), r.dropped
}

// Live implements MintIndex: it also finds what this process has recorded a moment ago.
func (r *AuditRecorder) Live(ctx context.Context, jti, sid, sub string) ([]Mint, error) {
	if err := r.Flush(ctx); err != nil {
		return nil, err
	}
	mints, err := r.config.Store.Live(ctx, jti, sid, sub, r.config.Clock().Unix())
	if err != nil {
		return nil, fmt.Errorf("mint store: %w", err)
	}
	return mints, nil
}

// Latest returns up to limit mints and gaps, newest first, and the head at a moment between call and return.
func (r *AuditRecorder) Latest(ctx context.Context, limit int) ([]AuditEntry, AuditHead, error) {
	if err := r.Flush(ctx); err != nil {
		return nil, AuditHead{}, err
	}
	entries, err := r.config.Store.Latest(ctx, limit)
	if err != nil {
		return nil, AuditHead{}, fmt.Errorf("mint store: %w", err)
	}
	head, err := r.config.Store.Head(ctx)
	if err != nil {
		return nil, AuditHead{}, fmt.Errorf("mint store: %w", err)
	}
	return entries, head, nil
}

// Flush seals and stores what was recorded before the call. After an error it is kept for the next call.
func (r *AuditRecorder) Flush(ctx context.Context) error {
	select {
	case r.turn <- struct{}{}:
		defer func() { <-r.turn }()
	case <-time.After(auditPatience): // whoever has the turn waits for the store
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

// take moves what is pending to the batch, and after it, where it belongs, the gap.
func (r *AuditRecorder) take(ctx context.Context) {
	r.mu.Lock()
	r.batch = append(r.batch, r.pending...)
	r.waiting += len(r.pending)
	r.pending = nil
	lost := r.lost
	r.missing += lost.mints
	r.lost = gap{}
	r.mu.Unlock()
	if lost.mints > 0 && r.addGap(lost) {
		r.alarm(ctx, eventAuditGap, "lost", lost.mints, "stored", false)
	}
}

// addGap adds a gap to the batch, or to the gap at its end, and tells which it was.
func (r *AuditRecorder) addGap(lost gap) (began bool) {
	if last := len(r.batch) - 1; last >= r.sealed && r.batch[last].Lost > 0 {
		open := &r.batch[last]
		open.Lost += lost.mints
		open.Mint.ExpiresAt = max(open.Mint.ExpiresAt, lost.expiresAt)
		return false
	}
	r.batch = append(r.batch, AuditEntry{Lost: lost.mints, Mint: Mint{IssuedAt: lost.issuedAt, ExpiresAt: lost.expiresAt}})
	return true
}

// append appends the first entries of the batch. Whose head another process has moved is sealed again.
func (r *AuditRecorder) append(ctx context.Context) error {
	for range maxAppendTries {
		head, err := r.headOfStore(ctx)
		if err != nil {
			return err
		}
		if r.sealed == 0 {
			r.sealed = min(len(r.batch), auditBatch)
			newAuditSealer(r.config.Key).chain(head, r.batch[:r.sealed])
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
	return errors.New("other processes append without a pause")
}

// headOfStore returns the head that is known, or asks.
func (r *AuditRecorder) headOfStore(ctx context.Context) (AuditHead, error) {
	if head := r.lastHead(); head != nil {
		return *head, nil
	}
	head, err := r.config.Store.Head(ctx)
	if err == nil {
		r.know(ctx, head)
	}
	return head, err
}

// hasAppended tells whether an append that returned an error has happened all the same.
func (r *AuditRecorder) hasAppended(ctx context.Context, after AuditHead) (bool, error) {
	rows, err := r.config.Store.Walk(ctx, after.Seq, 1)
	return len(rows) == 1 && rows[0].Head() == r.batch[0].Head(), err
}

func (r *AuditRecorder) appended(ctx context.Context) {
	stored, missing := r.sealed, int64(0)
	for _, entry := range r.batch[:r.sealed] {
		if entry.Lost > 0 {
			r.alarm(ctx, eventAuditGap, "lost", entry.Lost, "stored", true)
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

func (r *AuditRecorder) lastHead() *AuditHead {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.head
}

// know remembers the head. A head never goes back, unless somebody cut the audit, or an older copy of it was restored.
func (r *AuditRecorder) know(ctx context.Context, head AuditHead) {
	r.mu.Lock()
	last := r.head
	r.head = &head
	cut := last != nil && (head.Seq < last.Seq || head.Seq == last.Seq && head.MAC != last.MAC)
	if cut {
		r.cut = last
	}
	r.mu.Unlock()
	if cut {
		fault := AuditFault{AuditTruncated, min(head.Seq+1, last.Seq), last.Seq}
		r.alarm(ctx, eventAuditBroken, "error", &AuditError{Faults: []AuditFault{fault}})
	}
}
