package sqlcore

import (
	"context"
	"fmt"
	"strings"

	"github.com/picoauth/picoauth/serverauth/store"
)

// List implements serverauth.SessionStore.
func (s *sessionStore) List(ctx context.Context, q store.SessionQuery) (rows []store.Session, err error) {
	var args []any
	conditions := []string{"expires_ms > $1", "ends_ms > $1"}
	where := func(condition string, values ...any) {
		parameters := make([]any, len(values))
		for i := range values {
			parameters[i] = len(args) + 1 + i
		}
		conditions = append(conditions, fmt.Sprintf(condition, parameters...))
		args = append(args, values...)
	}
	args = append(args, q.Now)
	if q.ID != "" {
		where("id = $%d", []byte(q.ID))
	}
	if q.Subject != "" {
		where("(subject_hash = $%[1]d AND subject = $%[2]d OR wallet_hash = $%[1]d AND wallet_id = $%[2]d)", hash(q.Subject), text(q.Subject))
	}
	if q.BeforeID != "" {
		where("(started_ms, id) < ($%d, $%d)", q.BeforeStart, []byte(q.BeforeID))
	}
	args = append(args, int64(q.Limit))
	err = s.db.read(ctx, Statement{
		SQL: fmt.Sprintf(`SELECT %s FROM picoauth_session WHERE %s ORDER BY started_ms DESC, id DESC LIMIT $%d`,
			sessionColumns, strings.Join(conditions, " AND "), len(args)),
		Args: args, Read: collect(&rows, scanSession),
	})
	return rows, err
}
