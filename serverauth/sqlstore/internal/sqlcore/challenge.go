package sqlcore

import (
	"context"
	"encoding/binary"
	"time"

	"github.com/picoauth/picoauth/app"
	"github.com/picoauth/picoauth/serverauth"
)

const (
	// spentMargin is how long after its expiry a spent nonce is remembered: longer than the clocks of instances may differ
	// or be set back.
	spentMargin  = 10 * time.Minute
	cleanupBatch = 1000
)

// challengeStore remembers the nonces that were spent; what was never used costs nothing.
type challengeStore struct {
	db     *database
	nonces *serverauth.NonceMinter
	now    app.Clock
}

// Create implements serverauth.ChallengeStore. It does not ask the database.
func (s *challengeStore) Create(_ context.Context, address string, ttl time.Duration) (string, error) {
	return s.nonces.Mint(address, s.now().Add(ttl)), nil
}

// Validate implements serverauth.ChallengeStore.
func (s *challengeStore) Validate(ctx context.Context, address, nonce string) (bool, error) {
	id, expires, ok := s.nonces.Open(address, nonce)
	if !ok || !s.now().Before(expires) {
		return false, nil
	}
	var added int64
	err := s.db.run(ctx, Statement{
		SQL: `INSERT INTO picoauth_challenge_spent (id) VALUES ($1) ON CONFLICT DO NOTHING`, Args: []any{id[:]}, Count: &added,
	})
	return err == nil && added == 1, err
}

// Cleanup implements serverauth.ChallengeStore.
func (s *challengeStore) Cleanup(ctx context.Context) (removed int, err error) {
	var before [6]byte // of an id: Unix milliseconds, big endian
	copy(before[:], binary.BigEndian.AppendUint64(nil, uint64(s.now().Add(-spentMargin).UnixMilli()))[2:])
	for {
		var n int64
		err := s.db.runSlow(ctx, append(s.db.engine.Lock(false, "challenge cleanup"), Statement{
			SQL: `DELETE FROM picoauth_challenge_spent WHERE id IN
				(SELECT id FROM picoauth_challenge_spent WHERE id < $1 ORDER BY id LIMIT $2)`,
			Args: []any{before[:], int64(cleanupBatch)}, Count: &n,
		})...)
		if removed += int(n); err != nil || n < cleanupBatch {
			return removed, err
		}
	}
}
