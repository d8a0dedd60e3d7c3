package sqlcore

import (
	"context"
	"errors"
	"slices"
	"strconv"
	"strings"

	"github.com/picoauth/picoauth/serverauth/store"
)

// cutOffLife is how long a cut-off of EndSubject is kept, in milliseconds: longer than any sign-in takes.
const cutOffLife = 60 * 60 * 1000

// removeSessions is the lock for removing many sessions, so that such transactions do not wait for each other's rows.
const removeSessions = "session removal"

// subjectLocks are the locks of subjects and wallets. Create shares those of its row, EndSubject holds them exclusively, so that
// each sees all changes of the other.
func subjectLocks(ids []string) []string {
	names := make([]string, len(ids))
	for i, id := range ids {
		names[i] = "session subject " + id
	}
	return names
}

// distinct returns the ids that are not empty, sorted and without duplicates.
func distinct(ids ...string) []string {
	ids = slices.DeleteFunc(slices.Clone(ids), func(id string) bool { return id == "" })
	slices.Sort(ids)
	return slices.Compact(ids)
}

// parameters returns n parameters, starting with $first, separated by commas.
func parameters(first, n int) string {
	list := make([]string, n)
	for i := range list {
		list[i] = "$" + strconv.Itoa(first+i)
	}
	return strings.Join(list, ", ")
}

// Create implements serverauth.SessionStore.
func (s *sessionStore) Create(ctx context.Context, row store.Session) (cutOff int64, err error) {
	ids := distinct(row.Subject.ID, row.Subject.WalletID, row.Mark)
	digests := make([]any, len(ids))
	for i, id := range ids {
		digests[i] = digest(id)
	}
	list := parameters(1, len(ids))
	if len(ids) == 0 {
		list = "NULL"
	}
	var latest, added int64
	insert := insertSession(row, list, digests)
	insert.Count = &added
	script := append(s.db.engine.Lock(true, subjectLocks(ids)...), Statement{
		SQL:  `SELECT max(at_ms) FROM picoauth_session_cut_off WHERE id IN (` + list + `)`,
		Args: digests,
		Read: func(scan Scan) error { return scan(orZero(&latest)) },
	}, insert)
	switch err := s.db.run(ctx, script...); {
	case err != nil:
		return 0, err
	case added == 1:
		return 0, nil
	case latest < row.StartedAt:
		return 0, errors.New("the session was refused although its subject was not revoked")
	default:
		return latest, nil
	}
}

// EndSubject implements serverauth.SessionStore.
func (s *sessionStore) EndSubject(ctx context.Context, ids []string, at int64) (ended []store.Session, err error) {
	ids = distinct(ids...)
	script := s.db.engine.Lock(false, append([]string{removeSessions}, subjectLocks(ids)...)...)
	for _, id := range ids {
		script = append(script, Statement{
			SQL: `INSERT INTO picoauth_session_cut_off AS old (id, at_ms) VALUES ($1, $2)
				ON CONFLICT (id) DO UPDATE SET at_ms = excluded.at_ms WHERE excluded.at_ms > old.at_ms`,
			Args: []any{digest(id), at},
		})
	}
	for _, id := range ids {
		script = append(script, Statement{
			SQL: `DELETE FROM picoauth_session WHERE subject_hash = $1 AND subject = $2 OR wallet_hash = $1 AND wallet_id = $2
				RETURNING ` + sessionColumns,
			Args: []any{hash(id), text(id)}, Read: collect(&ended, scanSession),
		})
	}
	if len(ids) == 0 {
		return nil, nil
	}
	if err := s.db.run(ctx, script...); err != nil {
		return nil, err
	}
	return ended, nil
}

// Prune implements serverauth.SessionStore.
func (s *sessionStore) Prune(ctx context.Context, before int64, limit int) (removed int, err error) {
	var n int64
	err = s.db.runSlow(ctx, append(s.db.engine.Lock(false, removeSessions), Statement{
		SQL: `DELETE FROM picoauth_session_cut_off WHERE at_ms < $1`, Args: []any{before - cutOffLife},
	}, Statement{
		SQL: `DELETE FROM picoauth_session WHERE expires_ms < $1 AND id IN
			(SELECT id FROM picoauth_session WHERE expires_ms < $1 ORDER BY expires_ms LIMIT $2)`,
		Args: []any{before, int64(limit)}, Count: &n,
	})...)
	return int(n), err
}
