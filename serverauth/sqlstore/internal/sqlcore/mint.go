package sqlcore

import (
	"context"
	"fmt"
	"math"
	"slices"
	"strings"

	"github.com/picoauth/picoauth/serverauth/audit"
)

// mintStore stores the mint audit, one row for each entry. Its head is its last row.
type mintStore struct{ db *database }

const mintColumns = `seq, mac, jti, subject, role, issued_at, expires_at, kind, scope, agent_id, session_id, wallet_id,
	client_id, request_id, client, act, lost, pruned, seal`

// scanMint reads mintColumns.
func scanMint(scan Scan) (e audit.Entry, err error) {
	m := &e.Mint
	var mac, seal []byte
	err = scan(slices.Concat([]any{&e.Seq, &mac}, texts(&m.ID, &m.Subject, &m.Role), []any{&m.IssuedAt, &m.ExpiresAt},
		texts(&m.Kind, &m.Scope, &m.AgentID, &m.SessionID, &m.WalletID, &m.ClientID, &m.RequestID, &m.Client, (*string)(&m.Act)),
		[]any{&e.Lost, &e.Pruned, &seal})...)
	copy(e.MAC[:], mac)
	copy(e.Seal[:], seal)
	return e, err
}

// readHead returns a statement that reads the position of the last row.
func readHead(head *audit.Head) Statement {
	return Statement{
		SQL: `SELECT seq, mac FROM picoauth_mint ORDER BY seq DESC LIMIT 1`,
		Read: func(scan Scan) error {
			var mac []byte
			err := scan(&head.Seq, &mac)
			copy(head.MAC[:], mac)
			return err
		},
	}
}

// Head implements audit.Store.
func (s *mintStore) Head(ctx context.Context) (head audit.Head, err error) {
	err = s.db.read(ctx, readHead(&head))
	return head, err
}

// Append implements audit.Store. A row is added only after the exact row that it follows, and only if its number is not taken. So
// of several callers with the same head, one adds all its rows and the others none.
func (s *mintStore) Append(ctx context.Context, after audit.Head, rows []audit.Entry) (head audit.Head, appended bool, err error) {
	var added int64
	script := make([]Statement, 0, len(rows)+1)
	for _, row := range rows {
		script = append(script, appendMint(after, row))
		after = row.Head()
	}
	if len(script) > 0 {
		script[0].Count = &added
	}
	if err := s.db.run(ctx, append(script, readHead(&head))...); err != nil {
		return audit.Head{}, false, err
	}
	return head, added == 1, nil
}

// appendMint adds a row if the row of after exists (or the audit is empty, if after is), unless the number is taken.
func appendMint(after audit.Head, e audit.Entry) Statement {
	follows := `EXISTS (SELECT 1 FROM picoauth_mint WHERE seq = $24 AND mac = $25)`
	args := append(mintValues(e), after.Seq, after.MAC[:])
	if after.Seq == 0 {
		follows, args = `NOT EXISTS (SELECT 1 FROM picoauth_mint)`, args[:23]
	}
	return Statement{
		SQL: `INSERT INTO picoauth_mint (` + mintColumns + `, jti_hash, session_hash, subject_hash, wallet_hash)
			SELECT ` + parameters(1, 23) + ` WHERE ` + follows + ` ON CONFLICT (seq) DO NOTHING`,
		Args: args,
	}
}

// mintValues are the values of mintColumns, followed by the hashes.
func mintValues(e audit.Entry) []any {
	m := e.Mint
	return []any{
		e.Seq, e.MAC[:], text(m.ID), text(m.Subject), text(m.Role), m.IssuedAt, m.ExpiresAt, text(m.Kind), text(m.Scope),
		text(m.AgentID), text(m.SessionID), text(m.WalletID), text(m.ClientID), text(m.RequestID), text(m.Client), text(string(m.Act)), e.Lost, e.Pruned, e.Seal[:],
		hash(m.ID), hash(m.SessionID), hash(m.Subject), hash(m.WalletID),
	}
}

// Latest implements audit.Store.
func (s *mintStore) Latest(ctx context.Context, q audit.Query) (latest []audit.Entry, err error) {
	before := q.Before
	if before == 0 {
		before = math.MaxInt64
	}
	all := conditions{args: []any{int64(q.Limit), before}, sql: []string{`pruned = 0`, `seq < $2`}}
	all.lookUp(q.ID, byID)
	all.lookUp(q.SessionID, bySession)
	subjects := conditions{args: all.args}
	for _, sub := range q.Subjects {
		subjects.lookUp(sub, bySubject)
	}
	if len(subjects.sql) > 0 {
		all.sql = append(all.sql, subjects.any())
	}
	if q.OfMints() {
		all.sql = append(all.sql, `lost = 0`)
	}
	err = s.db.read(ctx, Statement{
		SQL:  `SELECT ` + mintColumns + ` FROM picoauth_mint WHERE ` + all.all() + ` ORDER BY seq DESC LIMIT $1`,
		Args: subjects.args, Read: collect(&latest, scanMint),
	})
	return latest, err
}

// Longest implements audit.Store.
func (s *mintStore) Longest(ctx context.Context) (expiresAt int64, err error) {
	err = s.db.read(ctx, Statement{
		SQL: `SELECT max(expires_at) FROM picoauth_mint`, Read: func(scan Scan) error { return scan(orZero(&expiresAt)) },
	})
	return expiresAt, err
}

// Walk implements audit.Store.
func (s *mintStore) Walk(ctx context.Context, after int64, limit int) (rows []audit.Entry, err error) {
	err = s.db.read(ctx, Statement{
		SQL:  `SELECT ` + mintColumns + ` FROM picoauth_mint WHERE seq > $1 ORDER BY seq LIMIT $2`,
		Args: []any{after, int64(limit)}, Read: collect(&rows, scanMint),
	})
	return rows, err
}

// Live implements audit.Store.
func (s *mintStore) Live(ctx context.Context, jti, sid, sub string, now int64) ([]audit.Mint, error) {
	one := conditions{args: []any{now}}
	one.lookUp(jti, byID)
	one.lookUp(sid, bySession)
	one.lookUp(sub, bySubject)
	if len(one.sql) == 0 {
		return nil, nil
	}
	var rows []audit.Entry
	err := s.db.read(ctx, Statement{
		SQL:  `SELECT ` + mintColumns + ` FROM picoauth_mint WHERE expires_at > $1 AND ` + one.any() + ` ORDER BY seq`,
		Args: one.args, Read: collect(&rows, scanMint),
	})
	live := make([]audit.Mint, 0, len(rows))
	for _, row := range rows {
		live = append(live, row.Mint)
	}
	return live, err
}

// Conditions for looking up a mint, and by its subject a session too, by the hash and the text of a value.
const (
	byID      = `jti_hash = $%d AND jti = $%d`
	bySession = `session_hash = $%d AND session_id = $%d`
	bySubject = `(subject_hash = $%[1]d AND subject = $%[2]d OR wallet_hash = $%[1]d AND wallet_id = $%[2]d)`
)

// conditions are the conditions of a query and its arguments.
type conditions struct {
	args []any
	sql  []string
}

// add adds a condition. The verbs %d in it are the numbers of the values among the arguments.
func (c *conditions) add(condition string, values ...any) {
	numbers := make([]any, len(values))
	for i := range values {
		numbers[i] = len(c.args) + 1 + i
	}
	c.sql = append(c.sql, fmt.Sprintf(condition, numbers...))
	c.args = append(c.args, values...)
}

// lookUp adds one of the conditions above, unless the value is empty.
func (c *conditions) lookUp(value, condition string) {
	if value != "" {
		c.add(condition, hash(value), text(value))
	}
}

// any is the condition that at least one of them is true, all that all of them are.
func (c *conditions) any() string { return `(` + strings.Join(c.sql, ` OR `) + `)` }
func (c *conditions) all() string { return strings.Join(c.sql, ` AND `) }
