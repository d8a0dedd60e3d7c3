package postgres_test

import (
	"bytes"
	"context"
	"fmt"
	"log/slog"
	"net"
	"net/url"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"

	"github.com/picoauth/picoauth/app"
	"github.com/picoauth/picoauth/serverauth"
	"github.com/picoauth/picoauth/serverauth/sqlstore/postgres"
	"github.com/picoauth/picoauth/serverauth/store"
	"github.com/picoauth/picoauth/testutil"
	"github.com/picoauth/picoauth/testutil/services"
	"github.com/picoauth/picoauth/testutil/storetest"
)

// Behind a pooler that gives each transaction another connection, with no setting, the stores keep what they promise.
func TestStoresBehindPgBouncer(t *testing.T) {
	server := services.Postgres(t, "fsync=off", "synchronous_commit=off", "default_transaction_isolation=serializable")
	bouncer := services.PgBouncer(t, server, "pool_mode=transaction", "default_pool_size=5", "server_idle_timeout=3")
	storetest.Backend(t, func(tb testing.TB, clock app.Clock) storetest.Storage[*store.Stores] {
		url := bouncer.NewDatabase(tb)
		faults := &storetest.NetFaults{}
		backend := postgres.Dialing(faults.Dialer((&net.Dialer{}).DialContext))
		return storetest.Storage[*store.Stores]{
			Open: func(tb testing.TB) *store.Stores { return open(tb, backend, url, clock) },
			Copy: func(tb testing.TB) func() { return copyTables(tb, url) }, OwnClock: true,
		}
	})
}

// Two instances behind PgBouncer: 40 sign-ins by 8 clients, each with 3 refreshes at the other instance, all succeed.
func TestSignInsBehindPgBouncer(t *testing.T) {
	server := services.Postgres(t, "fsync=off")
	for _, mode := range []string{"transaction", "session"} {
		t.Run(mode, func(t *testing.T) {
			bouncer := services.PgBouncer(t, server, "pool_mode="+mode, "default_pool_size=40")
			if mode == "transaction" {
				bouncer = services.PgBouncer(t, server, "pool_mode=transaction", "default_pool_size=5")
			}
			url := bouncer.NewDatabase(t)
			apps := [2]*testutil.App{instance(t, url), instance(t, url)}
			var clients sync.WaitGroup
			for range 8 {
				clients.Go(func() {
					for range 5 {
						if err := signInAndRefresh(t.Context(), apps); err != nil {
							t.Error(err)
						}
					}
				})
			}
			clients.Wait()
			if err := testutil.Get(t.Context(), apps[0].URL+"/readyz", "", nil); err != nil {
				t.Error(err)
			}
		})
	}
}

func instance(t *testing.T, url string) *testutil.App {
	t.Helper()
	return testutil.NewApp(t, serverauth.Module, postgres.Module, app.ConfigMap(map[string]any{"server_auth": map[string]any{
		"storage_url": url, "key_encryption_key": strings.Repeat("0123", 16), "algorithm": "EdDSA", "rate_limit_per_minute": 0,
	}}))
}

func signInAndRefresh(ctx context.Context, apps [2]*testutil.App) error {
	wallet, err := testutil.NewWallet("Ed25519")
	if err != nil {
		return err
	}
	api := func(i int, path string) string { return apps[i%2].URL + serverauth.Prefix + path }
	var challenge testutil.Challenge
	ask := map[string]string{"address": wallet.Address, "algorithm": wallet.Algorithm}
	if err := testutil.Post(ctx, api(0, "/challenge"), ask, &challenge); err != nil {
		return err
	}
	request, err := testutil.SignInRequest(wallet, challenge)
	if err != nil {
		return err
	}
	var tokens serverauth.Tokens
	if err := testutil.Post(ctx, api(1, "/sign-in"), request, &tokens); err != nil {
		return err
	}
	for i := range 3 {
		if err := testutil.Post(ctx, api(i, "/refresh"), map[string]string{"refresh_token": tokens.RefreshToken}, &tokens); err != nil {
			return fmt.Errorf("refresh: %w", err)
		}
	}
	return nil
}

// What is committed is safe, whatever the database's default is and whichever connection the pooler took; and nothing of it
// stays on a connection, which is others' too.
func TestDurableBehindPgBouncer(t *testing.T) {
	server := services.Postgres(t, "fsync=off", "synchronous_commit=off")
	bouncer := services.PgBouncer(t, server, "pool_mode=transaction", "default_pool_size=3")
	text := bouncer.NewDatabase(t)
	var log bytes.Buffer
	c := config(t, text, time.Now)
	c.Log = slog.New(slog.NewTextHandler(&log, nil))
	s, err := postgres.New().Open(t.Context(), c)
	if err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	if s.Watch != nil || !strings.Contains(log.String(), "by polling") {
		t.Errorf("it relies on LISTEN, or does not say that it polls: %s", log.String())
	}
	// The table writes down under which setting it was written.
	execute(t, direct(t, server, text), `CREATE TABLE seen (setting TEXT, isolation TEXT);
		CREATE FUNCTION note() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN
			INSERT INTO seen VALUES (current_setting('synchronous_commit'), current_setting('transaction_isolation')); RETURN NEW; END $$;
		CREATE TRIGGER note BEFORE INSERT ON picoauth_session FOR EACH ROW EXECUTE FUNCTION note()`)
	var writers sync.WaitGroup
	for i := range 20 {
		writers.Go(func() {
			if _, err := s.Sessions.Create(t.Context(), store.Session{ID: fmt.Sprint(i), StartedAt: 1, ExpiresAt: 1e15, EndsAt: 1e15}); err != nil {
				t.Error(err)
			}
		})
	}
	writers.Wait()
	execute(t, direct(t, server, text), `DO $$ BEGIN
		ASSERT (SELECT count(*) FROM seen WHERE setting = 'on' AND isolation = 'read committed') = 20, (SELECT string_agg(seen::text, ' ') FROM seen);
	END $$`)
	conn, err := pgx.Connect(t.Context(), text+"&default_query_exec_mode=simple_protocol")
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close(context.Background())
	for range 5 {
		var setting string
		if err := conn.QueryRow(t.Context(), "SELECT current_setting('synchronous_commit')").Scan(&setting); err != nil || setting != "off" {
			t.Errorf("another client finds %q, %v", setting, err)
		}
	}
}

// direct is the URL of a pooled database at the server itself.
func direct(t *testing.T, server *services.Server, pooled string) string {
	t.Helper()
	u, err := url.Parse(pooled)
	if err != nil {
		t.Fatal(err)
	}
	u.Host = server.Addr()
	return u.String()
}

// Statement pooling cannot work, and the error says what does.
func TestStatementPooling(t *testing.T) {
	server := services.Postgres(t, "fsync=off")
	bouncer := services.PgBouncer(t, server, "pool_mode=statement")
	s, err := postgres.New().Open(t.Context(), config(t, bouncer.NewDatabase(t), time.Now))
	if err == nil {
		s.Close()
	}
	if err == nil || !strings.Contains(err.Error(), "pool_mode") {
		t.Errorf("got %v", err)
	}
}

// A server with fewer connections than the pool would open is waited for, not an error at once.
func TestFewerConnectionsThanThePool(t *testing.T) {
	server := services.Postgres(t, "fsync=off", "max_connections=8", "superuser_reserved_connections=0", "autovacuum=off", "max_wal_senders=0")
	s := open(t, postgres.New(), server.URL(), time.Now)
	var calls sync.WaitGroup
	for i := range 200 {
		calls.Go(func() {
			if _, err := s.Sessions.Create(t.Context(), store.Session{ID: fmt.Sprint(i), StartedAt: 1, ExpiresAt: 1e15, EndsAt: 1e15}); err != nil {
				t.Error(err)
			}
		})
	}
	calls.Wait()
}
