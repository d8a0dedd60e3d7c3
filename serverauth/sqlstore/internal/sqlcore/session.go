package sqlcore

import (
	"context"
	"fmt"

	"github.com/picoauth/picoauth/serverauth"
)

// sessionStore keeps a row a session.
type sessionStore struct{ db *database }

const sessionColumns = `id, subject, kind, algorithm, wallet_id, account, credential,
	counter, started_ms, rotated_ms, expires_ms, ends_ms`

// scanSession reads sessionColumns.
func scanSession(scan Scan) (row serverauth.Session, err error) {
	u := &row.Subject
	columns, keep := texts(&row.ID, &u.ID, &u.Kind, &u.Algorithm, &u.WalletID, &u.Account, &row.Credential)
	var counter int64
	err = scan(append(columns, &counter, &row.StartedAt, &row.RotatedAt, &row.ExpiresAt, &row.EndsAt)...)
	keep()
	row.Counter = uint64(counter)
	return row, err
}

// one returns a Read for a statement that returns one session or none.
func one(row *serverauth.Session) func(Scan) error {
	return func(scan Scan) (err error) {
		*row, err = scanSession(scan)
		return err
	}
}

// Rotate implements serverauth.SessionStore: it reads the row, lets the shared rule decide, and changes the row if
// its counter is still the one that was read. Otherwise somebody was quicker, and it begins again.
func (s *sessionStore) Rotate(ctx context.Context, r serverauth.Rotation) (serverauth.Session, serverauth.RotationOutcome, error) {
	for ctx.Err() == nil {
		row, found, err := s.find(ctx, r.SessionID)
		if err != nil || !found {
			return serverauth.Session{}, serverauth.SessionAbsent, err
		}
		next, outcome := r.Rotate(row)
		done, err := s.swap(ctx, row, next, outcome)
		if err != nil {
			return serverauth.Session{}, serverauth.SessionAbsent, err
		}
		if done {
			return next, outcome, nil
		}
	}
	return serverauth.Session{}, serverauth.SessionAbsent, ctx.Err()
}

func (s *sessionStore) find(ctx context.Context, id string) (row serverauth.Session, found bool, err error) {
	var n int64
	err = s.db.read(ctx, Statement{
		SQL: `SELECT ` + sessionColumns + ` FROM picoauth_session WHERE id = $1`, Args: []any{[]byte(id)}, Read: one(&row), Count: &n,
	})
	return row, n == 1, err
}

// swap does what the outcome asks for. It returns false if the row has changed since it was read.
func (s *sessionStore) swap(ctx context.Context, row, next serverauth.Session, outcome serverauth.RotationOutcome) (bool, error) {
	var change Statement
	switch outcome {
	case serverauth.SessionRotated:
		change = Statement{
			SQL:  `UPDATE picoauth_session SET counter = $3, rotated_ms = $4, expires_ms = $5 WHERE id = $1 AND counter = $2`,
			Args: []any{[]byte(row.ID), int64(row.Counter), int64(next.Counter), next.RotatedAt, next.ExpiresAt},
		}
	case serverauth.SessionReused:
		change = Statement{
			SQL: `DELETE FROM picoauth_session WHERE id = $1 AND counter = $2`, Args: []any{[]byte(row.ID), int64(row.Counter)},
		}
	default:
		return true, nil
	}
	var changed int64
	change.Count = &changed
	err := s.db.run(ctx, change)
	return changed == 1, err
}

// End implements serverauth.SessionStore.
func (s *sessionStore) End(ctx context.Context, sid string) (row serverauth.Session, found bool, err error) {
	var n int64
	err = s.db.run(ctx, Statement{
		SQL: `DELETE FROM picoauth_session WHERE id = $1 RETURNING ` + sessionColumns, Args: []any{[]byte(sid)}, Read: one(&row), Count: &n,
	})
	if err != nil || n == 0 {
		return serverauth.Session{}, false, err
	}
	return row, true, nil
}

// insertSession adds a row unless a cut-off in the list of digests is not before its start.
func insertSession(row serverauth.Session, digests string, ids []any) Statement {
	u := row.Subject
	columns := []any{
		[]byte(row.ID), text(u.ID), text(u.Kind), text(u.Algorithm), text(u.WalletID), text(u.Account), text(row.Credential),
		int64(row.Counter), row.StartedAt, row.RotatedAt, row.ExpiresAt, row.EndsAt, hash(u.ID), hash(u.WalletID),
	}
	started := len(ids) + 9
	return Statement{
		SQL: fmt.Sprintf(`INSERT INTO picoauth_session (%s, subject_hash, wallet_hash) SELECT %s
			WHERE NOT EXISTS (SELECT 1 FROM picoauth_session_cut_off WHERE id IN (%s) AND at_ms >= $%d)`,
			sessionColumns, parameters(len(ids)+1, len(columns)), digests, started),
		Args: append(append([]any{}, ids...), columns...),
	}
}
