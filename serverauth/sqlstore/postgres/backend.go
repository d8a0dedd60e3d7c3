package postgres

import (
	"context"
	"errors"
	"fmt"
	"strconv"
	"strings"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"

	"github.com/picoauth/picoauth/app/storageurl"
	"github.com/picoauth/picoauth/serverauth/sqlstore/internal/sqlcore"
	"github.com/picoauth/picoauth/serverauth/store"
)

// Backend opens PostgreSQL databases.
type Backend struct {
	dial     pgconn.DialFunc // for tests that break connections; nil: the default
	patience time.Duration   // for tests on a busy machine; 0: the default
}

var _ store.Backend = (*Backend)(nil)

// New returns the backend.
func New() *Backend { return &Backend{} }

// Schemes implements store.Backend.
func (*Backend) Schemes() []string { return []string{"postgres", "postgresql"} }

// CheckURL returns an error for a URL that Open refuses without opening anything.
func (*Backend) CheckURL(url string) error {
	_, _, err := parse(url)
	return err
}

// Open implements store.Backend. Without an encryption key the key store returns an error that names the setting, and all other
// stores work.
func (b *Backend) Open(ctx context.Context, c store.BackendConfig) (*store.Stores, error) {
	config, connections, err := parse(c.URL)
	if err != nil {
		return nil, err
	}
	if b.dial != nil {
		config.DialFunc = b.dial
	}
	pooled, err := isPooled(ctx, config)
	if err != nil {
		return nil, fmt.Errorf("postgres: %w", err)
	}
	if pooled && !strings.Contains(c.URL, execMode+"=") {
		config.DefaultQueryExecMode = pgx.QueryExecModeExec
	}
	w := newWatcher(config.Copy())
	e := newEngine(config, connections, w.close)
	e.pooled = pooled
	stores, err := sqlcore.Open(ctx, e, c, sqlcore.Options{WithKeys: true, Patience: b.patience})
	switch {
	case err != nil && pooled && isStatementPool(err):
		return nil, fmt.Errorf("postgres: %w: the connection pooler must pool by transaction or session (pool_mode of PgBouncer)", err)
	case err != nil:
		return nil, fmt.Errorf("postgres: %w", err)
	case pooled:
		c.Log.InfoContext(ctx, "PostgreSQL is behind a connection pooler: revocations reach other instances by polling, once a second")
	default:
		stores.Watch = w.watch
	}
	return stores, nil
}

const (
	// maxConnections is the maximum number of connections of a process, unless the URL has pool_max_conns.
	maxConnections = 16
	connectTimeout = 3 * time.Second
)

// parse reads a URL. It does not return the driver's error, which may contain parts of the URL, such as a password with a slash.
func parse(url string) (config *pgx.ConnConfig, connections int, err error) {
	if err := storageurl.Check(url); err != nil {
		return nil, 0, fmt.Errorf("postgres: the URL %w", err)
	}
	config, err = pgx.ParseConfig(url)
	if err != nil {
		return nil, 0, errors.New("postgres: the URL is not valid: write postgres://user:password@host:port/database?sslmode=…, " +
			"with special characters of the password as %XX")
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

// execMode is the URL parameter that determines how statements are sent.
const execMode = "default_query_exec_mode"
