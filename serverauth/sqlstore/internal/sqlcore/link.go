package sqlcore

import (
	"cmp"
	"context"
	"slices"

	"github.com/picoauth/picoauth/serverauth/store"
)

// linkStore stores a row for each wallet that was ever linked to a subject.
type linkStore struct{ db *database }

const linkColumns = `wallet, algorithm, wallet_id, account, wallet_address, wallet_kind, subject, version, mac, linked_ms, left_ms`

// scanLink reads linkColumns, all of which may be NULL. A MAC of the wrong length is replaced by zeros, which are never valid.
func scanLink(scan Scan) (row store.Link, err error) {
	w, version, mac := &row.Wallet, fixed(row.Version[:]), fixed(row.MAC[:])
	w.Kind = store.KindWallet
	columns := texts(&w.ID, &w.Algorithm, &w.WalletID, &w.Account, &w.Address, &w.WalletKind, &row.Subject)
	err = scan(append(columns, &version, &mac, orZero(&row.LinkedAt), orZero(&row.LeftAt))...)
	return row, err
}

// Find implements store.LinkStore with one statement, so that both answers are of the same time.
func (s *linkStore) Find(ctx context.Context, wallet string) (row store.Link, found, named bool, err error) {
	var id []byte
	var others int64
	err = s.db.read(ctx, Statement{
		SQL: `SELECT ` + linkColumns + `, id,
			CASE WHEN id IS NULL AND EXISTS (SELECT 1 FROM picoauth_link WHERE subject_hash = $2 AND subject = $3) THEN 1 ELSE 0 END
			FROM (SELECT 1) AS always LEFT JOIN picoauth_link ON id = $1`,
		Args: []any{digest(wallet), hash(wallet), text(wallet)},
		Read: func(scan Scan) error { return one(&row, scanLink)(scan.then(&id, &others)) },
	})
	if err != nil || id == nil {
		return store.Link{}, false, others == 1, err
	}
	return row, true, false, nil
}

// List implements store.LinkStore.
func (s *linkStore) List(ctx context.Context, subject string) (rows []store.Link, err error) {
	err = s.db.read(ctx, Statement{
		SQL:  `SELECT ` + linkColumns + ` FROM picoauth_link WHERE subject_hash = $1 AND subject = $2`,
		Args: []any{hash(subject), text(subject)}, Read: collect(&rows, scanLink),
	})
	slices.SortFunc(rows, store.CompareLinks)
	return rows, err
}

// Change implements store.LinkStore. Links change rarely, so one change at a time is enough.
func (s *linkStore) Change(ctx context.Context, changes []store.LinkChange) (done bool, err error) {
	changes = slices.Clone(changes)
	slices.SortFunc(changes, func(a, b store.LinkChange) int { return cmp.Compare(a.Row.Wallet.ID, b.Row.Wallet.ID) })
	err = s.db.exclusively(ctx, "links", func(tx Tx) error {
		done = false
		for _, change := range changes {
			if same, err := unchanged(ctx, tx, change); err != nil || !same {
				return err
			}
		}
		for _, change := range changes {
			if err := tx.Do(ctx, writeLink(change.Row)); err != nil {
				return err
			}
		}
		done = true
		return nil
	})
	return done && err == nil, err
}

// unchanged reports whether the stored version is the one to replace.
func unchanged(ctx context.Context, tx Tx, change store.LinkChange) (bool, error) {
	var is [16]byte
	version := fixed(is[:])
	err := tx.Do(ctx, Statement{
		SQL: `SELECT version FROM picoauth_link WHERE id = $1`, Args: []any{digest(change.Row.Wallet.ID)},
		Read: func(scan Scan) error { return scan(&version) },
	})
	return is == change.Was, err
}

func writeLink(row store.Link) Statement {
	w := row.Wallet
	return Statement{
		SQL: `INSERT INTO picoauth_link (id, subject_hash, ` + linkColumns + `) VALUES (` + parameters(1, 13) + `)
			ON CONFLICT (id) DO UPDATE SET subject_hash = excluded.subject_hash, wallet = excluded.wallet, algorithm = excluded.algorithm,
			wallet_id = excluded.wallet_id, account = excluded.account, wallet_address = excluded.wallet_address,
			wallet_kind = excluded.wallet_kind, subject = excluded.subject, version = excluded.version, mac = excluded.mac,
			linked_ms = excluded.linked_ms, left_ms = excluded.left_ms`,
		Args: []any{
			digest(w.ID), hash(row.Subject), text(w.ID), text(w.Algorithm), text(w.WalletID), text(w.Account), text(w.Address), text(w.WalletKind),
			text(row.Subject), row.Version[:], row.MAC[:], row.LinkedAt, row.LeftAt,
		},
	}
}

// Any implements store.LinkStore.
func (s *linkStore) Any(ctx context.Context) (bool, error) {
	var n int64
	err := s.db.read(ctx, Statement{SQL: `SELECT 1 FROM picoauth_link LIMIT 1`, Count: &n, Read: func(scan Scan) error { return scan(new(int64)) }})
	return n > 0, err
}
