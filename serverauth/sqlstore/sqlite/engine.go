package sqlite

import (
	"context"
	"database/sql"
	"database/sql/driver"
	"errors"
	"fmt"
	"slices"
	"strings"

	"modernc.org/sqlite"

	"github.com/picoauth/picoauth/serverauth/sqlstore/internal/sqlcore"
)

// readers is the number of connections that read. Reading never waits.
const readers = 4

// Settings of connections. busy_timeout is how long a connection waits for another process, in milliseconds; cache_size is in KiB.
// The writer's log is on the disk before a commit returns, and is kept below 64 MiB. After its setup the writer's own busy_timeout
// is 0 (see patiently).
var (
	settings       = []string{"busy_timeout(5000)"}
	writerSettings = []string{"journal_mode(WAL)", "synchronous(FULL)", "journal_size_limit(67108864)", "busy_timeout(0)", "cache_size(-16000)"}
	readerSettings = []string{"query_only(1)", "cache_size(-2000)"} // each has its own, and the system caches the file anyway
)

// engine runs statements on a SQLite file. Only one connection writes, because SQLite allows one writer at a time, and a queue in
// this process is fairer than retries.
type engine struct {
	write, read *sql.DB
	file        file
}

var _ sqlcore.Engine = (*engine)(nil)

func newEngine(path string, wrap func(driver.Connector) driver.Connector) (*engine, error) {
	open := func(connections int, pragmas ...string) (*sql.DB, error) {
		connector, err := sqlite.NewConnector(dataSource(path, pragmas...))
		if err != nil {
			return nil, fmt.Errorf("sqlite: %w", err)
		}
		if wrap != nil {
			connector = wrap(connector)
		}
		db := sql.OpenDB(connector)
		db.SetMaxOpenConns(connections)
		db.SetMaxIdleConns(connections)
		return db, nil
	}
	write, err := open(1, slices.Concat(settings, writerSettings)...)
	if err != nil {
		return nil, err
	}
	read, err := open(readers, slices.Concat(settings, readerSettings)...)
	if err != nil {
		return nil, err
	}
	return &engine{write: write, read: read, file: file{path: path}}, nil
}

// Run implements sqlcore.Engine.
func (e *engine) Run(ctx context.Context, script ...sqlcore.Statement) error {
	if len(script) == 1 { // a single statement is a transaction of its own
		if err := patiently(ctx, func() error { return do(ctx, e.write, script[0]) }); err != nil {
			return err
		}
		return e.file.isThere()
	}
	return e.transact(ctx, func(tx sqlcore.Tx) error {
		for _, s := range script {
			if err := tx.Do(ctx, s); err != nil {
				return err
			}
		}
		return nil
	})
}

// Read implements sqlcore.Engine.
func (e *engine) Read(ctx context.Context, script ...sqlcore.Statement) error {
	for _, s := range script {
		if err := do(ctx, e.read, s); err != nil {
			return err
		}
	}
	return nil
}

// Exclusively implements sqlcore.Engine: every writing transaction excludes all others.
func (e *engine) Exclusively(ctx context.Context, _ string, run func(sqlcore.Tx) error) error {
	return e.transact(ctx, run)
}

// Lock implements sqlcore.Engine.
func (*engine) Lock(bool, ...string) []sqlcore.Statement { return nil }

// Announce implements sqlcore.Engine.
func (*engine) Announce() []sqlcore.Statement { return nil }

// Clock implements sqlcore.Engine: all processes are on one machine.
func (*engine) Clock() string { return "NULL" }

// Dialect implements sqlcore.Engine.
func (*engine) Dialect() *strings.Replacer {
	return strings.NewReplacer("BYTEA", "BLOB", "BIGINT", "INTEGER", "/*", "", "*/", "")
}

// HasTable implements sqlcore.Engine.
func (*engine) HasTable(name string) sqlcore.Statement {
	return sqlcore.Statement{SQL: `SELECT count(*) FROM sqlite_schema WHERE type = 'table' AND name = $1`, Args: []any{name}}
}

// Columns implements sqlcore.Engine.
func (*engine) Columns() sqlcore.Statement {
	return sqlcore.Statement{SQL: `SELECT t.name, c.name FROM sqlite_schema t JOIN pragma_table_info(t.name) c
		WHERE t.type = 'table' AND substr(t.name, 1, 9) = 'picoauth_' ORDER BY t.name, c.name`}
}

// Close implements sqlcore.Engine. The last connection, that of the writer, merges the write-ahead log into the file.
func (e *engine) Close() error { return errors.Join(e.read.Close(), e.write.Close()) }

// transact takes the write lock before it reads anything, so that it never has to abort because of another writer.
func (e *engine) transact(ctx context.Context, run func(sqlcore.Tx) error) error {
	conn, err := e.write.Conn(ctx)
	if err != nil {
		return err
	}
	defer conn.Close()
	begin := func() error { _, err := conn.ExecContext(ctx, "BEGIN IMMEDIATE"); return err }
	if err := patiently(ctx, begin); err != nil {
		return rollback(ctx, conn, err)
	}
	if err := run(transaction{conn}); err != nil {
		return rollback(ctx, conn, err)
	}
	if err := ctx.Err(); err != nil {
		return rollback(ctx, conn, err)
	}
	if _, err := conn.ExecContext(context.WithoutCancel(ctx), "COMMIT"); err != nil {
		return rollback(ctx, conn, err)
	}
	return e.file.isThere()
}

// rollback ends the transaction, or closes the connection if that fails, and returns the given error.
func rollback(ctx context.Context, conn *sql.Conn, reason error) error {
	if _, err := conn.ExecContext(context.WithoutCancel(ctx), "ROLLBACK"); err != nil {
		_ = conn.Raw(func(any) error { return driver.ErrBadConn }) // discards a connection in an unknown state
	}
	return reason
}

type transaction struct{ conn *sql.Conn }

// Do implements sqlcore.Tx.
func (t transaction) Do(ctx context.Context, s sqlcore.Statement) error { return do(ctx, t.conn, s) }

// runner is a *sql.DB or a *sql.Conn.
type runner interface {
	ExecContext(ctx context.Context, query string, args ...any) (sql.Result, error)
	QueryContext(ctx context.Context, query string, args ...any) (*sql.Rows, error)
}

func do(ctx context.Context, r runner, s sqlcore.Statement) error {
	if s.Read == nil {
		result, err := r.ExecContext(ctx, s.SQL, s.Args...)
		if err != nil || s.Count == nil {
			return err
		}
		*s.Count, err = result.RowsAffected()
		return err
	}
	rows, err := r.QueryContext(ctx, s.SQL, s.Args...)
	if err != nil {
		return err
	}
	defer rows.Close()
	n := int64(0)
	for rows.Next() {
		if err := s.Read(rows.Scan); err != nil {
			return err
		}
		n++
	}
	if s.Count != nil {
		*s.Count = n
	}
	return errors.Join(rows.Err(), rows.Close())
}
