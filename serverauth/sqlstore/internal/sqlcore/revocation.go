package sqlcore

import (
	"cmp"
	"context"
	"slices"
	"strconv"
	"time"

	"github.com/picoauth/picoauth/serverauth/store"
)

// revocationStore stores the denylist. A transaction that adds or prunes first updates the head, which locks it until the commit,
// so that sequence numbers follow the order of commits.
type revocationStore struct{ db *database }

// quickItems is the maximum number of items that are added within the timeout of a quick call.
const quickItems = 100

// holdHead is the first statement of a transaction that adds or prunes.
var holdHead = Statement{SQL: `UPDATE picoauth_revocation_head SET seq = seq`}

const revocationColumns = `jti, sid, sub, kid, revoked_at, reason, revoked_by, expires_at`

// scanRevocation reads revocationColumns.
func scanRevocation(scan Scan) (item store.Revocation, err error) {
	columns := append(texts(&item.JTI, &item.SID, &item.Sub, &item.KID), &item.RevokedAt)
	err = scan(append(append(columns, texts(&item.Reason, &item.RevokedBy)...), &item.Exp)...)
	return item, err
}

// once identifies an item that is added only once; NULL for an item that is always added.
func once(item store.Revocation) any {
	if kind, id := store.AddedOnce(item); kind != "" {
		return digest(kind + " " + id)
	}
	return nil
}

// Add implements store.RevocationStore.
func (s *revocationStore) Add(ctx context.Context, items []store.Revocation) ([]store.Revocation, error) {
	if len(items) == 0 {
		return nil, nil
	}
	stored := make([]store.Revocation, len(items))
	script := []Statement{holdHead}
	now, step := time.Now().UnixMicro(), store.RevocationStep()
	for i, item := range items {
		known := once(item)
		script = append(script, Statement{
			SQL: `INSERT INTO picoauth_revocation (seq, once, ` + revocationColumns + `)
				SELECT CASE WHEN seq > $1 THEN seq ELSE $1 END + $2, $3, $4, $5, $6, $7, $8, $9, $10, $11
				FROM picoauth_revocation_head WHERE one = 1
				ON CONFLICT (once) DO NOTHING`,
			Args: []any{
				now, step + int64(i), known, text(item.JTI), text(item.SID), text(item.Sub), text(item.KID), item.RevokedAt,
				text(item.Reason), text(item.RevokedBy), item.Exp,
			},
		})
		if stored[i] = item; known != nil {
			script = append(script, Statement{
				SQL:  `SELECT ` + revocationColumns + ` FROM picoauth_revocation WHERE once = $1`,
				Args: []any{known}, Read: one(&stored[i], scanRevocation),
			})
		}
	}
	script = append(script, Statement{
		SQL: `UPDATE picoauth_revocation_head SET seq = e.last FROM (SELECT max(seq) AS last FROM picoauth_revocation) AS e WHERE e.last > seq`,
	})
	run := s.db.run
	if len(items) > quickItems {
		run = s.db.runSlow
	}
	if err := run(ctx, append(script, s.db.engine.Announce()...)...); err != nil {
		return nil, err
	}
	return stored, nil
}

// Since implements store.RevocationStore.
func (s *revocationStore) Since(ctx context.Context, seq, after int64, limit int) (store.RevocationPage, error) {
	asked := cmp.Or(after, seq)
	part, err := s.read(ctx, asked, limit)
	if err != nil {
		return store.RevocationPage{}, err
	}
	from, full := part.head.Begin(asked, after == 0)
	if from != asked {
		if part, err = s.read(ctx, from, limit); err != nil {
			return store.RevocationPage{}, err
		}
	}
	page := store.RevocationPage{Items: part.items, Seq: slices.Max(append(part.numbers, part.head.Seq)), Full: full}
	if len(part.items) > limit {
		page.Items, page.Seq, page.Next = part.items[:limit], part.head.Seq, part.numbers[limit-1]
	}
	return page, nil
}

// denylistPart is a part of the denylist after a number: up to one item more than requested.
type denylistPart struct {
	head    store.RevocationHead
	items   []store.Revocation
	numbers []int64
}

// read reads the head first: what only the second statement sees was committed later, and has a higher number. Only a statement
// with a limit is sure to use the index, even if the database has no statistics of its tables.
func (s *revocationStore) read(ctx context.Context, after int64, limit int) (part denylistPart, err error) {
	part.items = []store.Revocation{}
	err = s.db.read(ctx, Statement{
		SQL:  `SELECT seq, pruned, (SELECT count(*) FROM picoauth_revocation WHERE seq = $1) FROM picoauth_revocation_head`,
		Args: []any{after},
		Read: func(scan Scan) error {
			var found int64
			err := scan(&part.head.Seq, &part.head.Pruned, &found)
			part.head.Exists = found > 0
			return err
		},
	}, Statement{
		SQL: `SELECT ` + revocationColumns + `, seq FROM picoauth_revocation WHERE seq > $1 ORDER BY seq LIMIT ` +
			strconv.Itoa(limit+1),
		Args: []any{after},
		Read: func(scan Scan) error {
			var number int64
			err := collect(&part.items, scanRevocation)(scan.then(&number))
			part.numbers = append(part.numbers, number)
			return err
		},
	})
	return part, err
}

// Prune implements store.RevocationStore. An item with the expiry 0 never expires.
func (s *revocationStore) Prune(ctx context.Context, before int64, limit int) (removed int, err error) {
	const expired = `(SELECT seq FROM picoauth_revocation WHERE expires_at > 0 AND expires_at < $1 ORDER BY expires_at, seq LIMIT $2)`
	var n int64
	args := []any{before, int64(limit)}
	err = s.db.runSlow(ctx,
		holdHead,
		Statement{
			SQL:  `UPDATE picoauth_revocation_head SET pruned = e.last FROM (SELECT max(seq) AS last FROM ` + expired + ` AS x) AS e WHERE e.last > pruned`,
			Args: args,
		},
		Statement{SQL: `DELETE FROM picoauth_revocation WHERE seq IN ` + expired, Args: args, Count: &n},
	)
	return int(n), err
}
