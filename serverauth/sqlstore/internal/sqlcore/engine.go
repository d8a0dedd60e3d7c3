// Package sqlcore is what the stores of all SQL databases have in common: the schema and the statements. An Engine
// runs them on one kind of database.
package sqlcore

import (
	"context"
	"strings"
)

// Statement is one SQL statement. Its parameters are $1, $2, …
type Statement struct {
	SQL  string
	Args []any
	// Read is called for each row that the statement returns, with a function that copies its columns; nil for a statement that returns none.
	Read func(scan Scan) error
	// Count is set to the number of rows that the statement returned or, without Read, has changed; nil: not wanted.
	Count *int64
}

// Scan copies the columns of a row: into *int64, *[]byte, *string, or pointers to those for what may be NULL.
type Scan func(dest ...any) error

// Tx runs statements one after the other.
type Tx interface {
	Do(ctx context.Context, s Statement) error
}

// Engine runs statements on a kind of database. Its errors never hold a password.
type Engine interface {
	// Run runs a script in one transaction and, where the database is a server, in one round trip. It returns when all
	// of it is safe from a crash. After an error nothing has happened, or, if the way to the database or the context has ended,
	// maybe everything has.
	//
	// Each statement sees what was committed before it began, those of a script too: after a Lock it sees what
	// whoever held the lock before has done.
	Run(ctx context.Context, script ...Statement) error
	// Read runs statements that change nothing, in one round trip. Each sees everything as of one moment, which is not
	// before that of the one before it.
	Read(ctx context.Context, script ...Statement) error
	// Exclusively runs a transaction that no other one under the same lock runs beside, in any process. It commits unless do
	// returns an error, which it then returns.
	Exclusively(ctx context.Context, lock string, do func(tx Tx) error) error
	// Lock returns the statements that hold locks for the rest of a script, with others who share them or alone. Names
	// are sorted by the caller. None where one script at a time runs anyway.
	Lock(shared bool, names ...string) []Statement
	// Announce returns the statements that tell other processes of a revocation once the script is committed; none
	// where they cannot be told.
	Announce() []Statement
	// Clock is an expression for the time by the database's own clock in Unix milliseconds, or NULL where that is the
	// clock of the processes.
	Clock() string
	// Dialect rewrites the schema, HasTable counts the tables of a name, and Columns returns table, column and type, in lower
	// case, of all tables whose names begin with "picoauth_", in their order.
	Dialect() *strings.Replacer
	HasTable(name string) Statement
	Columns() Statement
	Close() error
}
