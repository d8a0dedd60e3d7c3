package audit

import (
	"context"
	"errors"
	"sync"
	"time"

	"github.com/picoauth/picoauth/serverauth/internal/events"
	"github.com/picoauth/picoauth/serverauth/internal/every"
)

const (
	auditInterval       = 500 * time.Millisecond // so that a mint is stored within a second
	auditFlushTimeout   = 5 * time.Second
	auditPruneInterval  = 10 * time.Second
	auditVerifyInterval = 24 * time.Hour
	auditLogInterval    = time.Minute
)

// Run stores recorded mints, prunes expired ones, and verifies the audit at the start and once a day, until ctx ends. Then it
// stores the remaining mints within 5 s.
func (r *Recorder) Run(ctx context.Context) {
	var upkeep sync.WaitGroup
	defer upkeep.Wait()
	upkeep.Go(func() { r.upkeep(ctx) })
	writer := writer{recorder: r}
	every.Interval(ctx, auditInterval, func() { writer.flush(ctx) })
	writer.finish(context.WithoutCancel(ctx))
}

// writer is the state of the flushes of Run.
type writer struct {
	recorder *Recorder
	failing  bool
	warnedAt time.Time
	logged   Head
	loggedAt time.Time
}

func (w *writer) flush(ctx context.Context) {
	r := w.recorder
	within, cancel := context.WithTimeout(ctx, auditFlushTimeout)
	defer cancel()
	err := r.Flush(within)
	switch now := r.config.Clock(); {
	case ctx.Err() != nil:
	case err != nil:
		if !w.failing || now.Sub(w.warnedAt) >= auditLogInterval {
			w.failing, w.warnedAt = true, now
			r.config.Log.ErrorContext(ctx, "the mint audit cannot be written", "error", err, "waiting", r.backlog())
		}
	default:
		if w.failing {
			r.config.Log.InfoContext(ctx, "the mint audit is written again")
		}
		w.failing = false
		if now.Sub(w.loggedAt) >= auditLogInterval {
			w.logHead(ctx, now)
		}
	}
}

func (w *writer) logHead(ctx context.Context, now time.Time) {
	if head := w.recorder.lastHead(); head != nil && *head != w.logged && head.Seq > 0 {
		w.logged, w.loggedAt = *head, now
		events.Log(ctx, w.recorder.config.Log, events.AuditHead, "seq", head.Seq, "mac", head.MAC)
	}
}

func (w *writer) finish(ctx context.Context) {
	r := w.recorder
	ctx, cancel := context.WithTimeout(ctx, auditFlushTimeout)
	defer cancel()
	if err := r.Flush(ctx); err != nil {
		r.alarm(ctx, events.AuditGap, "lost", r.backlog(), "stored", false, "error", err)
	}
	w.logHead(ctx, r.config.Clock())
}

// backlog is the number of mints that are not stored.
func (r *Recorder) backlog() int64 {
	r.mu.Lock()
	defer r.mu.Unlock()
	return int64(len(r.pending)+r.waiting) + r.missing + r.lost.Lost
}

// upkeep verifies and prunes. It runs concurrently with the flushes, which must not wait for it.
func (r *Recorder) upkeep(ctx context.Context) {
	r.verify(ctx)
	prune, verify := time.NewTicker(auditPruneInterval), time.NewTicker(auditVerifyInterval)
	defer prune.Stop()
	defer verify.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-prune.C:
			if _, err := r.Prune(ctx); err != nil && ctx.Err() == nil {
				r.config.Log.WarnContext(ctx, "cleanup of the mint audit failed", "error", err)
			}
		case <-verify.C:
			r.verify(ctx)
		}
	}
}

func (r *Recorder) verify(ctx context.Context) {
	report, err := r.Verify(ctx)
	if err == nil {
		r.broken.Store(false)
	}
	var broken *Error
	switch {
	case ctx.Err() != nil:
	case errors.As(err, &broken):
		r.broken.Store(true)
		r.alarm(ctx, events.AuditBroken, "error", err)
	case err != nil:
		r.config.Log.WarnContext(ctx, "the mint audit cannot be verified", "error", err)
	case report.Head.Seq > 0:
		events.Log(ctx, r.config.Log, events.AuditVerified, "seq", report.Head.Seq, "mac", report.Head.MAC,
			"mints", report.Mints, "lost", report.Lost, "pruned", report.Pruned)
	}
}

// alarm logs a security event at level error.
func (r *Recorder) alarm(ctx context.Context, event string, attributes ...any) {
	r.config.Log.ErrorContext(ctx, event, append([]any{"event", event}, attributes...)...)
}
