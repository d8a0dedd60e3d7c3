package postgres

import (
	"context"
	"crypto/sha256"
	"database/sql"
	"encoding/binary"
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/stdlib"

	"github.com/picoauth/picoauth/serverauth/sqlstore/internal/sqlcore"
)

// channel is the channel on which revocations are announced.
const channel = "picoauth_revocation"

// engine runs statements on a PostgreSQL server.
type engine struct {
	db     *sql.DB
	pooled bool         // there is a connection pooler in between
	close  func() error // what else Close closes
}

var _ sqlcore.Engine = (*engine)(nil)

func newEngine(config *pgx.ConnConfig, connections int, closeToo func() error) *engine {
	db := stdlib.OpenDB(*config)
	db.SetMaxOpenConns(connections)
	db.SetMaxIdleConns(connections)
	db.SetConnMaxIdleTime(5 * time.Minute)
	db.SetConnMaxLifetime(30 * time.Minute) // so that a new server behind the same name is found
	return &engine{db: db, close: closeToo}
}

// Run implements sqlcore.Engine. It sends all statements together. Without a BEGIN they are one transaction, which the server
// commits after the last one (the extended query protocol up to its Sync message).
func (e *engine) Run(ctx context.Context, script ...sqlcore.Statement) error {
	if e.pooled {
		script = asTransaction(script)
	}
	return e.with(ctx, func(conn *pgx.Conn) (err error) {
		batch := &pgx.Batch{}
		for _, s := range script {
			batch.Queue(s.SQL, s.Args...)
		}
		results := conn.SendBatch(ctx, batch)
		defer func() {
			if errClose := results.Close(); err == nil { // it waits for the commit, and returns an earlier error again
				err = errClose
			}
			if err != nil && e.pooled && !conn.IsClosed() { // the BEGIN was executed
				_, _ = conn.Exec(ctx, `ROLLBACK`)
			}
		}()
		for _, s := range script {
			rows, err := results.Query()
			if err := read(rows, err, s); err != nil {
				return err
			}
		}
		return nil
	})
}

// Read implements sqlcore.Engine.
func (e *engine) Read(ctx context.Context, script ...sqlcore.Statement) error {
	return e.Run(ctx, script...)
}

// Exclusively implements sqlcore.Engine.
func (e *engine) Exclusively(ctx context.Context, lock string, do func(sqlcore.Tx) error) error {
	return e.with(ctx, func(conn *pgx.Conn) error {
		return pgx.BeginTxFunc(ctx, conn, pgx.TxOptions{IsoLevel: pgx.ReadCommitted}, func(tx pgx.Tx) error {
			if e.pooled {
				if _, err := tx.Exec(ctx, fmt.Sprintf(durable, true)); err != nil {
					return err
				}
			}
			for _, s := range e.Lock(false, lock) {
				if err := (transaction{tx}).Do(ctx, s); err != nil {
					return err
				}
			}
			return do(transaction{tx})
		})
	})
}

// Lock implements sqlcore.Engine.
func (*engine) Lock(shared bool, names ...string) []sqlcore.Statement {
	statement := `SELECT pg_advisory_xact_lock($1)`
	if shared {
		statement = `SELECT pg_advisory_xact_lock_shared($1)`
	}
	locks := make([]sqlcore.Statement, len(names))
	for i, name := range names {
		sum := sha256.Sum256([]byte("picoauth " + name))
		locks[i] = sqlcore.Statement{SQL: statement, Args: []any{int64(binary.BigEndian.Uint64(sum[:8]))}}
	}
	return locks
}

// Announce implements sqlcore.Engine.
func (*engine) Announce() []sqlcore.Statement {
	return []sqlcore.Statement{{SQL: `SELECT pg_notify($1, '')`, Args: []any{channel}}}
}

// Clock implements sqlcore.Engine.
func (*engine) Clock() string { return `(extract(epoch FROM clock_timestamp()) * 1000)::bigint` }

// Dialect implements sqlcore.Engine.
func (*engine) Dialect() *strings.Replacer { return strings.NewReplacer() }

// HasTable implements sqlcore.Engine. It reads the catalogue as a table: functions such as to_regclass may return what they cached
// before they waited for a lock.
func (*engine) HasTable(name string) sqlcore.Statement {
	return sqlcore.Statement{
		SQL: `SELECT count(*) FROM pg_catalog.pg_tables WHERE tablename = $1 AND schemaname = ANY (current_schemas(false))`, Args: []any{name},
	}
}

// Columns implements sqlcore.Engine.
func (*engine) Columns() sqlcore.Statement {
	return sqlcore.Statement{SQL: `SELECT table_name::text, column_name::text FROM information_schema.columns
		WHERE table_schema = ANY (current_schemas(false)) AND starts_with(table_name, 'picoauth_') ORDER BY table_name COLLATE "C", column_name COLLATE "C"`}
}

// Close implements sqlcore.Engine.
func (e *engine) Close() error { return errors.Join(e.close(), e.db.Close()) }

// with calls use with a connection of the pool. If the call had to break the connection, with waits a moment until the server has
// closed it too. Then nothing of the call is running any more, and there are never more connections than the pool allows.
func (e *engine) with(ctx context.Context, use func(*pgx.Conn) error) error {
	var conn *sql.Conn
	err := patiently(ctx, func() (err error) { conn, err = e.db.Conn(ctx); return err })
	if err != nil {
		return err
	}
	defer conn.Close()
	return conn.Raw(func(c any) error {
		lent := c.(*stdlib.Conn).Conn()
		err := use(lent)
		if lent.IsClosed() {
			select {
			case <-lent.PgConn().CleanupDone():
			case <-time.After(cleanupTimeout):
			}
		}
		return err
	})
}

const cleanupTimeout = 500 * time.Millisecond

type transaction struct{ tx pgx.Tx }

// Do implements sqlcore.Tx.
func (t transaction) Do(ctx context.Context, s sqlcore.Statement) error {
	rows, err := t.tx.Query(ctx, s.SQL, s.Args...)
	return read(rows, err, s)
}

// read reads all rows that a statement returns.
func read(rows pgx.Rows, err error, s sqlcore.Statement) error {
	if err != nil {
		return err
	}
	defer rows.Close()
	for rows.Next() {
		if s.Read == nil {
			continue
		}
		if err := s.Read(rows.Scan); err != nil {
			return err
		}
	}
	rows.Close()
	if s.Count != nil {
		*s.Count = rows.CommandTag().RowsAffected()
	}
	return rows.Err()
}
