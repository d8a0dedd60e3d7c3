package postgres_test

import (
	"context"
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"

	"github.com/picoauth/picoauth/serverauth/audit"
	"github.com/picoauth/picoauth/serverauth/sqlstore/postgres"
	"github.com/picoauth/picoauth/serverauth/store"
	"github.com/picoauth/picoauth/testutil/services"
)

const password = "pa55-w0rd"

func TestInvalidURLs(t *testing.T) {
	for name, text := range map[string]string{
		"a slash in the password": "postgres://user:" + password + "/more@localhost/db",
		"a space":                 "postgres://user:" + password + " x@localhost/db",
		"an @ in the password":    "postgres://user:first@" + password + "@127.0.0.1:1/db",
		"a question mark":         "postgres://user:" + password + "?x@localhost/db",
		"a hash":                  "postgres://user:" + password + "#x@localhost/db",
		"a digit and a slash":     "postgres://user:1/" + password + "@localhost/db",
		"a percent sign":          "postgres://user:" + password + "%@localhost/db",
		"a port":                  "postgres://user:" + password + "@localhost:port/db",
		"sslmode":                 "postgres://user:" + password + "@localhost/db?sslmode=" + password,
		"connect_timeout":         "postgres://user:" + password + "@localhost/db?connect_timeout=soon",
		"pool_max_conns":          "postgres://user:" + password + "@localhost/db?pool_max_conns=" + password,
		"a certificate":           "postgres://user:" + password + "@localhost/db?sslmode=verify-ca&sslrootcert=/nowhere/" + password,
		"nothing listens":         "postgres://user:" + password + "@127.0.0.1:1/db?sslmode=disable",
		"no such host":            "postgres://user:" + password + "@host.invalid/db",
		"no such socket":          "postgres://user:" + password + "@/db?host=/nowhere",
	} {
		t.Run(name, func(t *testing.T) {
			_, err := postgres.New().Open(t.Context(), config(t, text, time.Now))
			if err == nil || !strings.HasPrefix(err.Error(), "postgres: ") || strings.Contains(err.Error(), password) {
				t.Errorf("got %v", err)
			}
		})
	}
}

// execute runs SQL as somebody beside the stores.
func execute(t *testing.T, url, sql string, args ...any) {
	t.Helper()
	conn, err := pgx.Connect(t.Context(), url)
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close(context.Background())
	if _, err := conn.Exec(t.Context(), sql, args...); err != nil {
		t.Fatal(err)
	}
}

func TestBackend(t *testing.T) {
	server := services.Postgres(t, "fsync=off")
	for name, run := range map[string]func(t *testing.T, server *services.Server){
		"a wrong password":               wrongPassword,
		"a newer schema":                 newerSchema,
		"a user who may not make tables": mayNotCreate,
		"a database with other defaults": otherDefaults,
		"no encryption key":              noEncryptionKey,
		"another encryption key":         otherEncryptionKey,
		"a damaged key":                  damagedKey,
		"secrets are sealed":             secretsAreSealed,
		"ready tries every table":        readyTriesEveryTable,
		"ready while a table is locked":  readyWhileATableIsLocked,
		"a lost challenge key":           lostChallengeKey,
		"round trips":                    roundTrips,
		"closed while it watches":        closedWhileWatching,
		"without prepared statements":    withoutPrepared,
	} {
		t.Run(name, func(t *testing.T) { run(t, server) })
	}
}

func wrongPassword(t *testing.T, server *services.Server) {
	u, err := url.Parse(server.URL())
	if err != nil {
		t.Fatal(err)
	}
	u.User = url.UserPassword(u.User.Username(), password)
	_, err = postgres.New().Open(t.Context(), config(t, u.String(), time.Now))
	if err == nil || !strings.Contains(err.Error(), "authentication failed") || strings.Contains(err.Error(), password) {
		t.Errorf("got %v", err)
	}
}

func newerSchema(t *testing.T, server *services.Server) {
	url := server.NewDatabase(t)
	open(t, postgres.New(), url, time.Now)
	execute(t, url, `UPDATE picoauth_schema SET version = 1000`)
	_, err := postgres.New().Open(t.Context(), config(t, url, time.Now))
	if err == nil || !strings.Contains(err.Error(), "schema version 1000") {
		t.Errorf("got %v", err)
	}
}

// Only the first start needs the right to create tables.
func mayNotCreate(t *testing.T, server *services.Server) {
	text := server.NewDatabase(t)
	open(t, postgres.New(), text, time.Now)
	u, err := url.Parse(text)
	if err != nil {
		t.Fatal(err)
	}
	schema := u.Query().Get("search_path")
	execute(t, text, `CREATE USER clerk PASSWORD '`+password+`'; GRANT USAGE ON SCHEMA `+schema+` TO clerk;
		GRANT SELECT, INSERT, UPDATE, DELETE ON ALL TABLES IN SCHEMA `+schema+` TO clerk`)
	u.User = url.UserPassword("clerk", password)
	for name, err := range all(t, open(t, postgres.New(), u.String(), time.Now)) {
		if err != nil {
			t.Errorf("%s: %v", name, err)
		}
	}
}

// otherDefaults: what the stores rely on does not depend on how the database was set up.
func otherDefaults(t *testing.T, server *services.Server) {
	url := server.NewDatabase(t)
	execute(t, url, `ALTER ROLE picoauth SET default_transaction_isolation = 'repeatable read';
		ALTER ROLE picoauth SET synchronous_commit = off`)
	defer execute(t, url, `ALTER ROLE picoauth RESET ALL`)
	s := open(t, postgres.New(), url, time.Now)
	done := make(chan error)
	const adders = 20
	for range adders {
		go func() { // each waits for the others' row
			items := []store.Revocation{{Sub: "x", RevokedAt: 1, Exp: time.Now().Unix() + 60}}
			_, err := s.Revocations.Add(t.Context(), items)
			done <- err
		}()
	}
	for range adders {
		if err := <-done; err != nil {
			t.Error(err)
		}
	}
}

func closedWhileWatching(t *testing.T, server *services.Server) {
	s, err := postgres.New().Open(t.Context(), config(t, server.NewDatabase(t), time.Now))
	if err != nil {
		t.Fatal(err)
	}
	ended := make(chan error)
	go func() {
		var err error
		for err == nil {
			err = s.Watch(t.Context())
		}
		ended <- err
	}()
	if err := s.Close(); err != nil {
		t.Error(err)
	}
	if err := <-ended; err == nil {
		t.Error("it watches a closed storage")
	}
}

// withoutPrepared: a pooler between server and database may not keep prepared statements.
func withoutPrepared(t *testing.T, server *services.Server) {
	for _, mode := range []string{"exec", "simple_protocol", "describe_exec", "cache_describe"} {
		s := open(t, postgres.New(), server.NewDatabase(t)+"&default_query_exec_mode="+mode, time.Now)
		for name, err := range all(t, s) {
			if err != nil {
				t.Errorf("%s: %s: %v", mode, name, err)
			}
		}
		row := store.Session{ID: "x", Subject: store.Subject{ID: "a"}, StartedAt: 6, ExpiresAt: 1e15, EndsAt: 1e15}
		if cutOff, err := s.Sessions.Create(t.Context(), row); err != nil || cutOff != 0 {
			t.Errorf("%s: %d, %v", mode, cutOff, err)
		}
		if ended, err := s.Sessions.EndSubject(t.Context(), []string{"a"}, 7); err != nil || len(ended) != 1 || ended[0] != row {
			t.Errorf("%s: %v, %v", mode, ended, err)
		}
		if cutOff, err := s.Sessions.Create(t.Context(), row); err != nil || cutOff != 7 {
			t.Errorf("%s: %d, %v", mode, cutOff, err)
		}
		mint := audit.Entry{Seq: 1, MAC: audit.MAC{1}, Mint: audit.Mint{ID: "m", ExpiresAt: 9}}
		if _, appended, err := s.Mints.Append(t.Context(), audit.Head{}, []audit.Entry{mint}); err != nil || !appended {
			t.Errorf("%s: %v, %v", mode, appended, err)
		}
		if live, err := s.Mints.Live(t.Context(), "m", "", "", 5); err != nil || len(live) != 1 {
			t.Errorf("%s: %v, %v", mode, live, err)
		}
		putKey(t, s, secretRecord("a"))
	}
}
