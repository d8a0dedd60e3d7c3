package postgres

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"

	"github.com/picoauth/picoauth/serverauth/sqlstore/internal/sqlcore"
)

// The stores rely on two things, whatever the defaults of the database are: each statement sees what was committed before
// it, and what was committed survives a crash. A connection of one's own is told so once. Behind a connection pooler each
// transaction may be on another one, so that each is told (see asTransaction).
const durable = `SELECT set_config('synchronous_commit', 'on', %t) WHERE current_setting('synchronous_commit') = 'off'`

// prepareSession prepares a connection of one's own, and leaves one of a pooler as it is: it is others' too.
func prepareSession(ctx context.Context, conn *pgconn.PgConn) error {
	own := fmt.Sprintf(` AND pg_backend_pid() = %d`, conn.PID())
	return conn.Exec(ctx, `SELECT set_config('default_transaction_isolation', 'read committed', false) WHERE true`+own+`;`+
		fmt.Sprintf(durable, false)+own).Close()
}

// isPooled tells whether a connection pooler, such as PgBouncer, is between this program and the server: it gives its
// clients process ids of its own.
func isPooled(ctx context.Context, config *pgx.ConnConfig) (pooled bool, err error) {
	err = patiently(ctx, func() error {
		conn, err := pgx.ConnectConfig(ctx, config)
		if err != nil {
			return err
		}
		pid := int64(0)
		err = conn.QueryRow(ctx, `SELECT pg_backend_pid()`, pgx.QueryExecModeSimpleProtocol).Scan(&pid)
		pooled = pid != int64(conn.PgConn().PID())
		return errors.Join(err, conn.Close(ctx))
	})
	return pooled, err
}

// isStatementPool tells whether a pooler refused a transaction.
func isStatementPool(err error) bool {
	return strings.Contains(err.Error(), "statement pooling mode") || strings.Contains(err.Error(), "Statement mode")
}

// asTransaction puts a script between a BEGIN and a COMMIT that do for it what prepareSession does for a connection. It is
// sent in one round trip all the same.
func asTransaction(script []sqlcore.Statement) []sqlcore.Statement {
	all := make([]sqlcore.Statement, 0, len(script)+3)
	all = append(all, sqlcore.Statement{SQL: `BEGIN ISOLATION LEVEL READ COMMITTED`}, sqlcore.Statement{SQL: fmt.Sprintf(durable, true)})
	return append(append(all, script...), sqlcore.Statement{SQL: `COMMIT`})
}

// connectPause is the time between two attempts to connect to a server that has no connection left.
const connectPause = 20 * time.Millisecond

// patiently makes a call again while the server, or the pooler, has no connection left, until the context ends.
func patiently(ctx context.Context, connect func() error) error {
	for {
		err := connect()
		var refused *pgconn.PgError
		if !errors.As(err, &refused) || refused.Code != tooManyConnections && !strings.Contains(refused.Message, "no more connections allowed") {
			return err
		}
		select {
		case <-time.After(connectPause):
		case <-ctx.Done():
			return err
		}
	}
}

// tooManyConnections is the SQLSTATE of a server that has no connection left.
const tooManyConnections = "53300"
