package sqlstore

import (
	"context"

	"github.com/picoauth/picoauth/serverauth/sqlstore/internal/sqlcore"
	"github.com/picoauth/picoauth/serverauth/store"
)

// ErrNotEmpty is returned by [Copy] for a database that has rows already, ErrChanged where both are not the same afterwards,
// as a server has written meanwhile.
var (
	ErrNotEmpty = sqlcore.ErrNotEmpty
	ErrChanged  = sqlcore.ErrChanged
)

// Copy copies everything but the keys from the stores of one database, SQLite or PostgreSQL, to those of another, which
// must be empty: every row, or after an error none. It then compares both. No server may run on either. progress is called
// with the rows that are done and all there are.
func Copy(ctx context.Context, from, to *store.Stores, progress func(done, total int64)) (rows int64, err error) {
	return sqlcore.Copy(ctx, from, to, progress)
}
