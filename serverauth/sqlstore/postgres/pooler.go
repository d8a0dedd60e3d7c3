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

// The stores rely on two settings, whatever the defaults of the database are: each statement sees what was committed before it,
// and commits survive a crash. A direct connection is set once. Behind a connection pooler each transaction may use another
// connection, so each transaction is set (see asTransaction).
const durable = `SELECT set_config('synchronous_commit', 'on', %t) WHERE current_setting('synchronous_commit') = 'off'`

// prepareSession sets a direct connection. It does not change a pooler's connection, because others use that too.
func prepareSession(ctx context.Context, conn *pgconn.PgConn) error {
	own := fmt.Sprintf(` AND pg_backend_pid() = %d`, conn.PID())
	return conn.Exec(ctx, `SELECT set_config('default_transaction_isolation', 'read committed', false) WHERE true`+own+`;`+
		fmt.Sprintf(durable, false)+own).Close()
}

// isPooled reports whether a connection pooler, such as PgBouncer, is between this program and the server: a pooler gives its
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

// isStatementPool reports whether a pooler refused a transaction.
func isStatementPool(err error) bool {
	return strings.Contains(err.Error(), "statement pooling mode") || strings.Contains(err.Error(), "Statement mode")
}

// asTransaction puts a script between BEGIN and COMMIT, with the settings that prepareSession makes for a connection. It is still
// sent in one round trip.
func asTransaction(script []sqlcore.Statement) []sqlcore.Statement {
	all := make([]sqlcore.Statement, 0, len(script)+3)
	all = append(all, sqlcore.Statement{SQL: `BEGIN ISOLATION LEVEL READ COMMITTED`}, sqlcore.Statement{SQL: fmt.Sprintf(durable, true)})
	return append(append(all, script...), sqlcore.Statement{SQL: `COMMIT`})
}

// connectPause is the time between two attempts to connect to a server that has no connection left.
const connectPause = 20 * time.Millisecond

// patiently repeats a call while the server, or the pooler, has no connection left, until the context ends.
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
