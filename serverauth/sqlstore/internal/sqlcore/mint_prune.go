package sqlcore

import (
	"context"

	"github.com/picoauth/picoauth/serverauth/audit"
)

// Prune implements audit.Store. All checkpoints are applied in one transaction.
func (s *mintStore) Prune(ctx context.Context, checkpoints []audit.Entry) (removed int, err error) {
	if len(checkpoints) == 0 {
		return 0, nil
	}
	gone := make([]prunedRows, len(checkpoints))
	script := s.db.engine.Lock(false, "mint pruning")
	for i, c := range checkpoints {
		script = append(script, gone[i].statements(c)...)
	}
	if err := s.db.runSlow(ctx, script...); err != nil {
		return 0, err
	}
	for _, rows := range gone {
		removed += int(rows.mints)
		if rows.fits == 1 {
			removed += int(rows.last)
		}
	}
	return removed, nil
}

// prunedRows counts the rows that one checkpoint replaces.
type prunedRows struct {
	last  int64 // 1 if its own row was a mint or a gap
	fits  int64 // 1 if the rows at both ends were there
	mints int64 // mints and gaps before it
}

// statements replaces the checkpoint's own row by the checkpoint, if it fits, and then removes the rows before it.
func (p *prunedRows) statements(c audit.Entry) []Statement {
	from := c.Seq - c.Pruned
	return []Statement{{
		SQL:  `SELECT count(*) FROM picoauth_mint WHERE seq = $1 AND pruned = 0`,
		Args: []any{c.Seq}, Read: func(scan Scan) error { return scan(&p.last) },
	}, {
		SQL: `UPDATE picoauth_mint SET pruned = $3, seal = $4, jti = NULL, subject = NULL, role = NULL, issued_at = 0, expires_at = 0,
				kind = NULL, scope = NULL, agent_id = NULL, session_id = NULL, wallet_id = NULL, client_id = NULL, request_id = NULL, client = NULL, act = NULL, lost = 0,
				jti_hash = NULL, session_hash = NULL, subject_hash = NULL, wallet_hash = NULL
			WHERE seq = $1 AND mac = $2 AND ($5 = 0 OR EXISTS (SELECT 1 FROM picoauth_mint WHERE seq = $5))`,
		Args: []any{c.Seq, c.MAC[:], c.Pruned, c.Seal[:], from}, Count: &p.fits,
	}, {
		SQL: `DELETE FROM picoauth_mint WHERE seq > $1 AND seq < $2
				AND EXISTS (SELECT 1 FROM picoauth_mint WHERE seq = $2 AND mac = $3 AND pruned = $4 AND seal = $5) RETURNING pruned`,
		Args: []any{from, c.Seq, c.MAC[:], c.Pruned, c.Seal[:]},
		Read: func(scan Scan) error {
			var pruned int64
			if err := scan(&pruned); err != nil || pruned > 0 {
				return err
			}
			p.mints++
			return nil
		},
	}}
}
