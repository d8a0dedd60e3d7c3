package sqlcore

import (
	"context"
	"strconv"

	"github.com/picoauth/picoauth/serverauth/store"
)

// clientStore stores OAuth clients.
type clientStore struct{ db *database }

const clientColumns = `id, data, created_ms, until_ms, mac`

func scanClient(scan Scan) (c store.Client, err error) {
	mac := fixed(c.MAC[:])
	err = scan(orZero(&c.ID), &c.Data, &c.CreatedAt, orZero(&c.Until), &mac)
	return c, err
}

// Create implements store.ClientStore.
func (s *clientStore) Create(ctx context.Context, c store.Client) (bool, error) {
	var until any
	if c.Until != 0 {
		until = c.Until
	}
	n, err := s.db.change(ctx, `INSERT INTO picoauth_client (`+clientColumns+`) VALUES ($1, $2, $3, $4, $5) ON CONFLICT (id) DO NOTHING`,
		[]byte(c.ID), append([]byte{}, c.Data...), c.CreatedAt, until, c.MAC[:])
	return n == 1, err
}

// Find implements store.ClientStore.
func (s *clientStore) Find(ctx context.Context, id string) (c store.Client, found bool, err error) {
	var n int64
	err = s.db.read(ctx, Statement{
		SQL: `SELECT ` + clientColumns + ` FROM picoauth_client WHERE id = $1`, Args: []any{[]byte(id)}, Count: &n,
		Read: one(&c, scanClient),
	})
	return c, n == 1, err
}

// Keep implements store.ClientStore.
func (s *clientStore) Keep(ctx context.Context, id string, until int64) error {
	_, err := s.db.change(ctx, `UPDATE picoauth_client SET until_ms = $2 WHERE id = $1 AND until_ms < $2`, []byte(id), until)
	return err
}

// Delete implements store.ClientStore.
func (s *clientStore) Delete(ctx context.Context, id string) (bool, error) {
	n, err := s.db.change(ctx, `DELETE FROM picoauth_client WHERE id = $1`, []byte(id))
	return n == 1, err
}

// List implements store.ClientStore.
func (s *clientStore) List(ctx context.Context, after string, limit int) (all []store.Client, err error) {
	err = s.db.read(ctx, Statement{
		SQL:  `SELECT ` + clientColumns + ` FROM picoauth_client WHERE id > $1 ORDER BY id LIMIT ` + strconv.Itoa(limit),
		Args: []any{[]byte(after)}, Read: collect(&all, scanClient),
	})
	return all, err
}

// Prune implements store.ClientStore.
func (s *clientStore) Prune(ctx context.Context, before int64, limit int) (int, error) {
	return pruneUntil(ctx, s.db, "picoauth_client", before, limit)
}

// pruneUntil removes rows whose until_ms is below before.
func pruneUntil(ctx context.Context, db *database, table string, before int64, limit int) (int, error) {
	var n int64
	err := db.runSlow(ctx, Statement{
		SQL:  `DELETE FROM ` + table + ` WHERE id IN (SELECT id FROM ` + table + ` WHERE until_ms < $1 ORDER BY until_ms LIMIT $2)`,
		Args: []any{before, int64(limit)}, Count: &n,
	})
	return int(n), err
}

// usedStore stores the ids that were used.
type usedStore struct{ db *database }

// Use implements store.UsedStore.
func (s *usedStore) Use(ctx context.Context, id [32]byte, note []byte, until int64) (bool, error) {
	n, err := s.db.change(ctx, `INSERT INTO picoauth_used (id, until_ms, note) VALUES ($1, $2, $3) ON CONFLICT (id) DO NOTHING`,
		id[:], until, text(string(note)))
	return n == 1, err
}

// Note implements store.UsedStore.
func (s *usedStore) Note(ctx context.Context, id [32]byte) (note []byte, used bool, err error) {
	var n int64
	err = s.db.read(ctx, Statement{
		SQL: `SELECT note FROM picoauth_used WHERE id = $1`, Args: []any{id[:]}, Count: &n,
		Read: func(scan Scan) error { return scan(&note) },
	})
	return note, n == 1, err
}

// Prune implements store.UsedStore.
func (s *usedStore) Prune(ctx context.Context, before int64, limit int) (int, error) {
	return pruneUntil(ctx, s.db, "picoauth_used", before, limit)
}
