package sqlcore

import (
	"context"

	"github.com/picoauth/picoauth/serverauth/store"
)

// List implements serverauth.SessionStore.
func (s *sessionStore) List(ctx context.Context, q store.SessionQuery) (rows []store.Session, err error) {
	where := conditions{args: []any{q.Now, int64(q.Limit)}, sql: []string{"expires_ms > $1", "ends_ms > $1"}}
	if q.ID != "" {
		where.add("id = $%d", []byte(q.ID))
	}
	where.lookUp(q.Subject, bySubject)
	if q.BeforeID != "" {
		where.add("(started_ms, id) < ($%d, $%d)", q.BeforeStart, []byte(q.BeforeID))
	}
	err = s.db.read(ctx, Statement{
		SQL:  `SELECT ` + sessionColumns + ` FROM picoauth_session WHERE ` + where.all() + ` ORDER BY started_ms DESC, id DESC LIMIT $2`,
		Args: where.args, Read: collect(&rows, scanSession),
	})
	return rows, err
}
