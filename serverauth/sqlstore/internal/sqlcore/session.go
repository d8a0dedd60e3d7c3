package sqlcore

import (
	"context"
	"fmt"

	"github.com/picoauth/picoauth/serverauth/store"
)

// sessionStore stores one row for each session.
type sessionStore struct{ db *database }

const sessionColumns = `id, subject, kind, algorithm, wallet_id, account, credential, client_id, request_id, client, user_agent,
	wallet_address, wallet_kind, proof_message, proof_signature, key_thumbprint, mac, counter, started_ms, rotated_ms, expires_ms, ends_ms, checked_ms`

// scanSession reads sessionColumns. A MAC of the wrong length is replaced by zeros, which are never valid.
func scanSession(scan Scan) (row store.Session, err error) {
	u, mac := &row.Subject, fixed(row.MAC[:])
	columns := texts(&row.ID, &u.ID, &u.Kind, &u.Algorithm, &u.WalletID, &u.Account, &row.Credential,
		&row.ClientID, &row.RequestID, &row.Client, &row.UserAgent, &u.Address, &u.WalletKind, &row.Proof.Message, &row.Proof.Signature, &row.KeyThumbprint)
	var counter int64
	err = scan(append(columns, &mac, &counter, &row.StartedAt, &row.RotatedAt, &row.ExpiresAt, &row.EndsAt, &row.CheckedAt)...)
	row.Counter = uint64(counter)
	return row, err
}

// Rotate implements serverauth.SessionStore. It reads the row, calls Rotation.Rotate, and changes the row if its counter is still
// the one that was read. Otherwise another process was faster, and it tries again.
func (s *sessionStore) Rotate(ctx context.Context, r store.Rotation) (store.Session, store.RotationOutcome, error) {
	for ctx.Err() == nil {
		row, clock, found, err := s.find(ctx, r.SessionID)
		if err != nil || !found {
			return store.Session{}, store.SessionAbsent, err
		}
		r.StoreNow = clock
		next, outcome := r.Rotate(row)
		done, err := s.swap(ctx, row, next, outcome)
		if err != nil {
			return store.Session{}, store.SessionAbsent, err
		}
		if done {
			return next, outcome, nil
		}
	}
	return store.Session{}, store.SessionAbsent, ctx.Err()
}

// Find implements serverauth.SessionStore.
func (s *sessionStore) Find(ctx context.Context, id string) (row store.Session, found bool, err error) {
	row, _, found, err = s.find(ctx, id)
	return row, found, err
}

// find reads a row and the clock of the database server in Unix milliseconds (0 without a server).
func (s *sessionStore) find(ctx context.Context, id string) (row store.Session, clock int64, found bool, err error) {
	var n int64
	err = s.db.read(ctx, Statement{
		SQL:  `SELECT ` + sessionColumns + `, ` + s.db.engine.Clock() + ` FROM picoauth_session WHERE id = $1`,
		Args: []any{[]byte(id)}, Count: &n,
		Read: func(scan Scan) error { return one(&row, scanSession)(scan.then(orZero(&clock))) },
	})
	return row, clock, n == 1, err
}

// swap applies the outcome to the row. It returns false if the row has changed since it was read.
func (s *sessionStore) swap(ctx context.Context, row, next store.Session, outcome store.RotationOutcome) (bool, error) {
	changed := int64(1) // other outcomes change nothing
	var err error
	switch outcome {
	case store.SessionRotated, store.SessionAhead:
		changed, err = s.db.change(ctx, `UPDATE picoauth_session
			SET counter = $3, rotated_ms = $4, expires_ms = $5, checked_ms = $6, key_thumbprint = $7, mac = $8 WHERE id = $1 AND counter = $2`,
			[]byte(row.ID), int64(row.Counter), int64(next.Counter), next.RotatedAt, next.ExpiresAt, next.CheckedAt,
			text(next.KeyThumbprint), next.MAC[:])
	case store.SessionReused:
		changed, err = s.db.change(ctx, `DELETE FROM picoauth_session WHERE id = $1 AND counter = $2`, []byte(row.ID), int64(row.Counter))
	}
	return changed == 1, err
}

// End implements serverauth.SessionStore.
func (s *sessionStore) End(ctx context.Context, sid string) (row store.Session, found bool, err error) {
	var n int64
	err = s.db.run(ctx, Statement{
		SQL: `DELETE FROM picoauth_session WHERE id = $1 RETURNING ` + sessionColumns, Args: []any{[]byte(sid)}, Read: one(&row, scanSession), Count: &n,
	})
	if err != nil || n == 0 {
		return store.Session{}, false, err
	}
	return row, true, nil
}

// insertSession adds a row, unless one of the digests has a cut-off at or after its start.
func insertSession(row store.Session, digests string, ids []any) Statement {
	u := row.Subject
	columns := []any{
		[]byte(row.ID), text(u.ID), text(u.Kind), text(u.Algorithm), text(u.WalletID), text(u.Account), text(row.Credential),
		text(row.ClientID), text(row.RequestID), text(row.Client), text(row.UserAgent),
		text(u.Address), text(u.WalletKind), text(row.Proof.Message), text(row.Proof.Signature), text(row.KeyThumbprint), row.MAC[:],
		int64(row.Counter), row.StartedAt, row.RotatedAt, row.ExpiresAt, row.EndsAt, row.CheckedAt, hash(u.ID), hash(u.WalletID),
	}
	started := len(ids) + 19
	return Statement{
		SQL: fmt.Sprintf(`INSERT INTO picoauth_session (%s, subject_hash, wallet_hash) SELECT %s
			WHERE NOT EXISTS (SELECT 1 FROM picoauth_session_cut_off WHERE id IN (%s) AND at_ms >= $%d)`,
			sessionColumns, parameters(len(ids)+1, len(columns)), digests, started),
		Args: append(append([]any{}, ids...), columns...),
	}
}
