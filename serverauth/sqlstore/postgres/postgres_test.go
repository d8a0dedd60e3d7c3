package postgres_test

import (
	"context"
	"log/slog"
	"net"
	"strings"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"

	"github.com/picoauth/picoauth/app"
	"github.com/picoauth/picoauth/serverauth/keys"
	"github.com/picoauth/picoauth/serverauth/sqlstore/postgres"
	"github.com/picoauth/picoauth/serverauth/store"
	"github.com/picoauth/picoauth/testutil/services"
	"github.com/picoauth/picoauth/testutil/storetest"
)

func config(tb testing.TB, url string, clock app.Clock) store.BackendConfig {
	tb.Helper()
	key, err := keys.ParseEncryptionKey(strings.Repeat("0123", 16))
	if err != nil {
		tb.Fatal(err)
	}
	return store.BackendConfig{
		URL: url, AccessTokenTTL: 15 * time.Minute, ClockSkew: time.Minute, EncryptionKey: key, Clock: clock, Log: slog.New(slog.DiscardHandler),
	}
}

func open(tb testing.TB, backend store.Backend, url string, clock app.Clock) *store.Stores {
	tb.Helper()
	stores, err := backend.Open(tb.Context(), config(tb, url, clock))
	if err != nil {
		tb.Fatal(err)
	}
	tb.Cleanup(func() {
		if err := stores.Close(); err != nil {
			tb.Error(err)
		}
	})
	return stores
}

func TestStores(t *testing.T) {
	server := services.Postgres(t, "fsync=off") // its crash is not the machine's
	quiet := &settler{url: server.URL()}
	storetest.Backend(t, func(tb testing.TB, clock app.Clock) storetest.Storage[*store.Stores] {
		url := server.NewDatabase(tb)
		faults := &storetest.NetFaults{}
		backend := postgres.Dialing(faults.Dialer((&net.Dialer{}).DialContext))
		return storetest.Storage[*store.Stores]{
			Open:   func(tb testing.TB) *store.Stores { return open(tb, backend, url, clock) },
			Crash:  func(tb testing.TB) { server.Restart(tb) },
			Copy:   func(tb testing.TB) func() { return copyTables(tb, url) },
			Faults: faults,
			Settle: quiet.settle, OwnClock: true,
		}
	})
}

// settler waits until a server does nothing for anybody. It keeps its connection as long as the server does.
type settler struct {
	url  string
	conn *pgx.Conn
}

func (s *settler) settle(tb testing.TB) {
	tb.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), 10*time.Second)
	defer cancel()
	for busy, tries := 1, 0; busy > 0; {
		err := s.count(ctx, &busy)
		if tries++; err != nil && tries > 2 {
			tb.Fatal(err)
		}
	}
}

func (s *settler) count(ctx context.Context, busy *int) (err error) {
	if s.conn == nil || s.conn.IsClosed() {
		if s.conn, err = pgx.Connect(ctx, s.url); err != nil {
			return err
		}
	}
	return s.conn.QueryRow(ctx, `SELECT count(*) FROM pg_stat_activity
		WHERE backend_type = 'client backend' AND pid <> pg_backend_pid() AND state <> 'idle'`).Scan(busy)
}
