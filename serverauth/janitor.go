package serverauth

import (
	"context"
	"log/slog"
	"time"

	"github.com/picoauth/picoauth/app"
	"github.com/picoauth/picoauth/serverauth/internal/every"
	"github.com/picoauth/picoauth/serverauth/store"
)

// janitor removes expired rows from the stores.
type janitor struct {
	challenges  store.ChallengeStore
	sessions    store.SessionStore
	revocations store.RevocationStore
	accessTTL   time.Duration
	now         app.Clock
	log         *slog.Logger
}

const (
	cleanupInterval = 10 * time.Second
	pruneBatch      = 1000
)

func (j *janitor) run(ctx context.Context) {
	every.Interval(ctx, cleanupInterval, func() { j.clean(ctx) })
}

func (j *janitor) clean(ctx context.Context) {
	if _, err := j.challenges.Cleanup(ctx); err != nil {
		j.log.WarnContext(ctx, "cleanup failed", "store", "challenges", "error", err)
	}
	// A session is kept longer than its refresh token, by the lifetime of an access token, so that a revocation of its subject finds
	// it.
	expired := j.now().Add(-j.accessTTL).UnixMilli()
	j.prune(ctx, "sessions", func() (int, error) { return j.sessions.Prune(ctx, expired, pruneBatch) })
	now := j.now().Unix()
	j.prune(ctx, "revocations", func() (int, error) { return j.revocations.Prune(ctx, now, pruneBatch) })
}

// prune removes batches of rows until a batch is not full.
func (j *janitor) prune(ctx context.Context, store string, batch func() (int, error)) {
	for ctx.Err() == nil {
		removed, err := batch()
		if err != nil {
			j.log.WarnContext(ctx, "cleanup failed", "store", store, "error", err)
			return
		}
		if removed < pruneBatch {
			return
		}
	}
}
