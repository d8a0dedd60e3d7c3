package sqlcore

import (
	"context"
	"strings"

	"github.com/picoauth/picoauth/serverauth"
)

// mintStore keeps the mint audit, a row an entry. Its head is its last row.
type mintStore struct{ db *database }

const mintColumns = `seq, mac, jti, subject, role, issued_at, expires_at, kind, scope, agent_id, session_id, wallet_id, lost, pruned, seal`

// scanMint reads mintColumns.
func scanMint(scan Scan) (e serverauth.AuditEntry, err error) {
	m := &e.Mint
	var mac, seal []byte
	names, keepNames := texts(&m.ID, &m.Subject, &m.Role)
	others, keepOthers := texts(&m.Kind, &m.Scope, &m.AgentID, &m.SessionID, &m.WalletID)
	columns := append([]any{&e.Seq, &mac}, names...)
	columns = append(append(columns, &m.IssuedAt, &m.ExpiresAt), others...)
	if err = scan(append(columns, &e.Lost, &e.Pruned, &seal)...); err != nil {
		return e, err
	}
	keepNames()
	keepOthers()
	copy(e.MAC[:], mac)
	copy(e.Seal[:], seal)
	return e, nil
}

// entries returns a Read that collects rows.
func entries(into *[]serverauth.AuditEntry) func(Scan) error {
	return func(scan Scan) error {
		e, err := scanMint(scan)
		*into = append(*into, e)
		return err
	}
}

// readHead is the statement that reads the place of the last row.
func readHead(head *serverauth.AuditHead) Statement {
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

// Head implements serverauth.MintStore.
func (s *mintStore) Head(ctx context.Context) (head serverauth.AuditHead, err error) {
	err = s.db.read(ctx, readHead(&head))
	return head, err
}

// Append implements serverauth.MintStore. Each row is added only to the very row that it follows, and the first of
// those who add a number has it: of several callers with the same head, one adds all its rows and the others none.
func (s *mintStore) Append(ctx context.Context, after serverauth.AuditHead, rows []serverauth.AuditEntry) (head serverauth.AuditHead, appended bool, err error) {
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
		return serverauth.AuditHead{}, false, err
	}
	return head, added == 1, nil
}

// appendMint adds a row if the audit ends with after, or with a row of this number, which stays.
func appendMint(after serverauth.AuditHead, e serverauth.AuditEntry) Statement {
	follows := `EXISTS (SELECT 1 FROM picoauth_mint WHERE seq = $20 AND mac = $21)`
	args := append(mintValues(e), after.Seq, after.MAC[:])
	if after.Seq == 0 {
		follows, args = `NOT EXISTS (SELECT 1 FROM picoauth_mint)`, args[:19]
	}
	return Statement{
		SQL: `INSERT INTO picoauth_mint (` + mintColumns + `, jti_hash, session_hash, subject_hash, wallet_hash)
			SELECT ` + parameters(1, 19) + ` WHERE ` + follows + ` ON CONFLICT (seq) DO NOTHING`,
		Args: args,
	}
}

// mintValues are the values of mintColumns, and the hashes.
func mintValues(e serverauth.AuditEntry) []any {
	m := e.Mint
	return []any{
		e.Seq, e.MAC[:], text(m.ID), text(m.Subject), text(m.Role), m.IssuedAt, m.ExpiresAt, text(m.Kind), text(m.Scope),
		text(m.AgentID), text(m.SessionID), text(m.WalletID), e.Lost, e.Pruned, e.Seal[:],
		hash(m.ID), hash(m.SessionID), hash(m.Subject), hash(m.WalletID),
	}
}

// Latest implements serverauth.MintStore.
func (s *mintStore) Latest(ctx context.Context, limit int) (latest []serverauth.AuditEntry, err error) {
	err = s.db.read(ctx, Statement{
		SQL:  `SELECT ` + mintColumns + ` FROM picoauth_mint WHERE pruned = 0 ORDER BY seq DESC LIMIT $1`,
		Args: []any{int64(limit)}, Read: entries(&latest),
	})
	return latest, err
}

// Walk implements serverauth.MintStore.
func (s *mintStore) Walk(ctx context.Context, after int64, limit int) (rows []serverauth.AuditEntry, err error) {
	err = s.db.read(ctx, Statement{
		SQL:  `SELECT ` + mintColumns + ` FROM picoauth_mint WHERE seq > $1 ORDER BY seq LIMIT $2`,
		Args: []any{after, int64(limit)}, Read: entries(&rows),
	})
	return rows, err
}

// Live implements serverauth.MintStore.
func (s *mintStore) Live(ctx context.Context, jti, sid, sub string, now int64) ([]serverauth.Mint, error) {
	var hits []string
	args := []any{now}
	match := func(value string, conditions ...string) {
		if value == "" {
			return
		}
		which := strings.NewReplacer("?hash", parameters(len(args)+1, 1), "?text", parameters(len(args)+2, 1))
		args = append(args, hash(value), text(value))
		for _, condition := range conditions {
			hits = append(hits, which.Replace(condition))
		}
	}
	match(jti, `jti_hash = ?hash AND jti = ?text`)
	match(sid, `session_hash = ?hash AND session_id = ?text`)
	match(sub, `subject_hash = ?hash AND subject = ?text`, `wallet_hash = ?hash AND wallet_id = ?text`)
	if len(hits) == 0 {
		return nil, nil
	}
	var rows []serverauth.AuditEntry
	err := s.db.read(ctx, Statement{
		SQL:  `SELECT ` + mintColumns + ` FROM picoauth_mint WHERE expires_at > $1 AND (` + strings.Join(hits, ` OR `) + `) ORDER BY seq`,
		Args: args, Read: entries(&rows),
	})
	live := make([]serverauth.Mint, 0, len(rows))
	for _, row := range rows {
		live = append(live, row.Mint)
	}
	return live, err
}
