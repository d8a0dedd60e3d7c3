package sqlstore

import (
	"context"

	"github.com/picoauth/picoauth/serverauth/sqlstore/internal/sqlcore"
	"github.com/picoauth/picoauth/serverauth/store"
)

// ErrNotEmpty is returned by [Copy] if the target already has rows, ErrChanged if both databases differ after copying, because a
// server has written to one of them.
var (
	ErrNotEmpty = sqlcore.ErrNotEmpty
	ErrChanged  = sqlcore.ErrChanged
)

// Copy copies everything except the keys from the stores of one database, SQLite or PostgreSQL, to those of another, which must be
// empty. It copies every row, or none if it returns an error, and compares both databases. No server may run on either. It calls
// progress with the number of copied rows and of all rows.
func Copy(ctx context.Context, from, to *store.Stores, progress func(done, total int64)) (rows int64, err error) {
	return sqlcore.Copy(ctx, from, to, progress)
}
