// Package sqlcore contains what the stores of all SQL databases have in common: the schema and the statements. An Engine runs them
// on one kind of database.
package sqlcore

import (
	"context"
	"strings"
)

// Statement is one SQL statement. Its parameters are $1, $2, …
type Statement struct {
	SQL  string
	Args []any
	// Read is called for each row that the statement returns, with a function that copies its columns; nil for a statement that
	// returns no rows.
	Read func(scan Scan) error
	// Count is set to the number of rows that the statement returned or, without Read, changed; nil: not needed.
	Count *int64
}

// Scan copies the columns of a row to *int64, *[]byte or *string, or to pointers to those if a column may be NULL, to *any, or to a
// sql.Scanner.
type Scan func(dest ...any) error

// Tx runs statements one after the other.
type Tx interface {
	Do(ctx context.Context, s Statement) error
}

// Engine runs statements on a kind of database. Its errors never contain a password.
type Engine interface {
	// Run runs a script in one transaction and, if the database is a server, in one round trip. When it returns, the changes
	// survive a crash. After an error nothing was changed; but if the connection or the context has ended, possibly everything
	// was.
	//
	// Each statement sees what was committed before it began, also within a script: after a Lock it sees the changes of the
	// previous holder of the lock.
	Run(ctx context.Context, script ...Statement) error
	// Read runs statements that change nothing, on a server in one round trip. Each sees a consistent snapshot, which is not older
	// than that of the previous statement.
	Read(ctx context.Context, script ...Statement) error
	// Exclusively runs a transaction; no other one with the same lock runs at the same time, in any process. It commits, unless do
	// returns an error; then it returns that error.
	Exclusively(ctx context.Context, lock string, do func(tx Tx) error) error
	// Lock returns the statements that hold locks until the end of a script, either shared or exclusive. The caller sorts the
	// names. There are none if the engine runs only one script at a time.
	Lock(shared bool, names ...string) []Statement
	// Announce returns the statements that notify other processes of a revocation after the commit; none if the database cannot
	// notify.
	Announce() []Statement
	// Clock is an SQL expression for the time of the database's clock in Unix milliseconds, or NULL if that is the clock of the
	// processes.
	Clock() string
	// Dialect rewrites the schema. HasTable counts the tables with a name. Columns returns table and column of all tables whose
	// names begin with "picoauth_", sorted by table and column.
	Dialect() *strings.Replacer
	HasTable(name string) Statement
	Columns() Statement
	Close() error
}
