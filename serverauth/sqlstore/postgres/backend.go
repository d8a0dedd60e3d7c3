package postgres

import (
	"context"
	"errors"
	"fmt"
	"strconv"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"

	"github.com/picoauth/picoauth/serverauth"
	"github.com/picoauth/picoauth/serverauth/sqlstore/internal/sqlcore"
)

// Backend opens PostgreSQL databases.
type Backend struct {
	dial pgconn.DialFunc // of tests that break connections; nil: the usual one
}

var _ serverauth.Backend = (*Backend)(nil)

// New returns the backend.
func New() *Backend { return &Backend{} }

// Schemes implements serverauth.Backend.
func (*Backend) Schemes() []string { return []string{"postgres", "postgresql"} }

// Open implements serverauth.Backend. Without an encryption key the store of keys returns an error that names the
// setting, and all others work.
func (b *Backend) Open(ctx context.Context, c serverauth.BackendConfig) (*serverauth.Stores, error) {
	config, connections, err := parse(c.URL)
	if err != nil {
		return nil, err
	}
	if b.dial != nil {
		config.DialFunc = b.dial
	}
	w := newWatcher(config.Copy())
	stores, err := sqlcore.Open(ctx, newEngine(config, connections, w.close), c, true)
	if err != nil {
		return nil, fmt.Errorf("postgres: %w", err)
	}
	stores.Watch = w.watch
	return stores, nil
}

const (
	// maxConnections is how many connections a process opens at most, unless pool_max_conns says otherwise.
	maxConnections = 16
	connectTimeout = 3 * time.Second
)

// parse reads a URL. The driver's error may repeat parts of it, such as a password with a slash, and is not passed on.
func parse(url string) (config *pgx.ConnConfig, connections int, err error) {
	config, err = pgx.ParseConfig(url)
	if err != nil {
		return nil, 0, errors.New("postgres: the URL is not valid: it is postgres://user:password@host:port/database?sslmode=…, " +
			"and special characters of a password are written as %XX")
	}
	connections = maxConnections
	const poolSize = "pool_max_conns"
	if text, set := config.RuntimeParams[poolSize]; set {
		if connections, err = strconv.Atoi(text); err != nil || connections < 1 {
			return nil, 0, errors.New("postgres: pool_max_conns in the URL is not a positive whole number")
		}
		delete(config.RuntimeParams, poolSize)
	}
	if config.ConnectTimeout == 0 {
		config.ConnectTimeout = connectTimeout
	}
	if config.RuntimeParams["application_name"] == "" {
		config.RuntimeParams["application_name"] = "picoauth"
	}
	config.AfterConnect = prepareSession
	return config, connections, nil
}

// prepareSession makes sure of what the stores rely on, whatever the defaults of the database are: each statement sees
// what was committed before it, and what was committed survives a crash.
func prepareSession(ctx context.Context, conn *pgconn.PgConn) error {
	return conn.Exec(ctx, `SET default_transaction_isolation = 'read committed';
		SELECT set_config('synchronous_commit', 'on', false) WHERE current_setting('synchronous_commit') = 'off'`).Close()
}
