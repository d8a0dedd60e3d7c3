package sqlcore

import (
	"context"
	"strconv"

	"github.com/picoauth/picoauth/serverauth"
)

// revocationStore keeps the denylist. Whoever adds or prunes changes the head first and so holds it until the commit:
// sequence numbers follow the order of commits.
type revocationStore struct{ db *database }

// quickItems is how many items are added, at most, in the time of a quick call.
const quickItems = 100

const revocationColumns = `jti, sid, sub, kid, revoked_at, reason, revoked_by, expires_at`

// scanRevocation reads revocationColumns after the given columns.
func scanRevocation(scan Scan, before ...any) (item serverauth.Revocation, err error) {
	names, keepNames := texts(&item.JTI, &item.SID, &item.Sub, &item.KID)
	causes, keepCauses := texts(&item.Reason, &item.RevokedBy)
	columns := append(append(before, names...), &item.RevokedAt)
	err = scan(append(append(columns, causes...), &item.Exp)...)
	keepNames()
	keepCauses()
	return item, err
}

// once is what an item that is added once is known by, NULL for one that is added each time.
func once(item serverauth.Revocation) any {
	switch {
	case item.JTI != "":
		return digest("jti " + item.JTI)
	case item.SID != "":
		return digest("sid " + item.SID)
	case item.KID != "":
		return digest("kid " + item.KID)
	default:
		return nil
	}
}

// Add implements serverauth.RevocationStore.
func (s *revocationStore) Add(ctx context.Context, items []serverauth.Revocation) ([]serverauth.Revocation, error) {
	if len(items) == 0 {
		return nil, nil
	}
	stored := make([]serverauth.Revocation, len(items))
	script := []Statement{{SQL: `UPDATE picoauth_revocation_head SET seq = seq + $1`, Args: []any{int64(len(items))}}}
	for i, item := range items {
		known := once(item)
		script = append(script, Statement{
			SQL: `INSERT INTO picoauth_revocation (seq, once, ` + revocationColumns + `)
				SELECT seq - $1, $2, $3, $4, $5, $6, $7, $8, $9, $10 FROM picoauth_revocation_head WHERE one = 1
				ON CONFLICT (once) DO NOTHING`,
			Args: []any{
				int64(len(items) - 1 - i), known, text(item.JTI), text(item.SID), text(item.Sub), text(item.KID), item.RevokedAt,
				text(item.Reason), text(item.RevokedBy), item.Exp,
			},
		})
		if stored[i] = item; known != nil {
			script = append(script, Statement{
				SQL:  `SELECT ` + revocationColumns + ` FROM picoauth_revocation WHERE once = $1`,
				Args: []any{known},
				Read: func(scan Scan) (err error) { stored[i], err = scanRevocation(scan); return err },
			})
		}
	}
	run := s.db.run
	if len(items) > quickItems {
		run = s.db.runSlow
	}
	if err := run(ctx, append(script, s.db.engine.Announce()...)...); err != nil {
		return nil, err
	}
	return stored, nil
}

// Since implements serverauth.RevocationStore.
func (s *revocationStore) Since(ctx context.Context, seq int64) (serverauth.RevocationPage, error) {
	if seq > 0 {
		page, err := s.news(ctx, seq)
		if err != nil || !page.Full {
			return page, err
		}
	}
	whole := denylistPart{items: []serverauth.Revocation{}}
	if err := s.db.readSlow(ctx, whole.statements("")...); err != nil {
		return serverauth.RevocationPage{}, err
	}
	return serverauth.RevocationPage{Items: whole.items, Seq: max(whole.head, whole.last), Full: true}, nil
}

// newsPart is how many items are read at once of what is new: only a statement with a limit is sure to find them by the
// index, however little the database knows about its tables.
const newsPart = 1000

// news returns what came after seq, or only that the whole list is due.
func (s *revocationStore) news(ctx context.Context, seq int64) (page serverauth.RevocationPage, err error) {
	page.Items = []serverauth.Revocation{}
	for {
		part := denylistPart{after: seq}
		if err := s.db.read(ctx, part.statements(` LIMIT `+strconv.Itoa(newsPart))...); err != nil {
			return serverauth.RevocationPage{}, err
		}
		page.Full = part.due
		page.Items = append(page.Items, part.items...)
		if page.Full || len(part.items) < newsPart {
			page.Seq = max(part.head, part.last)
			return page, nil
		}
		seq = part.last
	}
}

// denylistPart is what was read of the denylist after a number.
type denylistPart struct {
	after, head, last int64 // sequence numbers
	due               bool  // the whole list is
	items             []serverauth.Revocation
}

// statements read the head first: what the second one sees in addition was committed later, and goes with a higher
// number.
func (p *denylistPart) statements(limit string) []Statement {
	return []Statement{{
		SQL: `SELECT seq, pruned FROM picoauth_revocation_head`,
		Read: func(scan Scan) error {
			var pruned int64
			err := scan(&p.head, &pruned)
			p.due = p.after < pruned || p.after > p.head
			return err
		},
	}, {
		SQL:  `SELECT seq, ` + revocationColumns + ` FROM picoauth_revocation WHERE seq > $1 ORDER BY seq` + limit,
		Args: []any{p.after},
		Read: func(scan Scan) error {
			item, err := scanRevocation(scan, &p.last)
			p.items = append(p.items, item)
			return err
		},
	}}
}

// Prune implements serverauth.RevocationStore. An item that expires at 0 never does.
func (s *revocationStore) Prune(ctx context.Context, before int64, limit int) (removed int, err error) {
	const expired = `(SELECT seq FROM picoauth_revocation WHERE expires_at > 0 AND expires_at < $1 ORDER BY expires_at, seq LIMIT $2)`
	var n int64
	args := []any{before, int64(limit)}
	err = s.db.runSlow(ctx,
		Statement{SQL: `UPDATE picoauth_revocation_head SET pruned = pruned`},
		Statement{
			SQL:  `UPDATE picoauth_revocation_head SET pruned = e.last FROM (SELECT max(seq) AS last FROM ` + expired + ` AS x) AS e WHERE e.last > pruned`,
			Args: args,
		},
		Statement{SQL: `DELETE FROM picoauth_revocation WHERE seq IN ` + expired, Args: args, Count: &n},
	)
	return int(n), err
}
