package postgres_test

import (
	"bytes"
	"context"
	"errors"
	"log/slog"
	"net"
	"net/url"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"

	"github.com/picoauth/picoauth/serverauth"
	"github.com/picoauth/picoauth/serverauth/keys"
	"github.com/picoauth/picoauth/serverauth/sqlstore/postgres"
	"github.com/picoauth/picoauth/testutil/services"
)

const password = "pa55-w0rd"

func TestInvalidURLs(t *testing.T) {
	for name, text := range map[string]string{
		"a slash in the password": "postgres://user:" + password + "/more@localhost/db",
		"a space":                 "postgres://user:" + password + " x@localhost/db",
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
		"a lost challenge key":           lostChallengeKey,
		"round trips":                    roundTrips,
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
			items := []serverauth.Revocation{{Sub: "x", RevokedAt: 1, Exp: time.Now().Unix() + 60}}
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

func noEncryptionKey(t *testing.T, server *services.Server) {
	c := config(t, server.NewDatabase(t), time.Now)
	c.EncryptionKey = nil
	s, err := postgres.New().Open(t.Context(), c)
	if err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	_, err = keys.Open(t.Context(), s.Keys, keys.DefaultConfig())
	if err == nil || !strings.Contains(err.Error(), "server_auth.key_encryption_key") {
		t.Errorf("got %v", err)
	}
	if err := s.Keys.Update(t.Context(), func(r []keys.Record) ([]keys.Record, error) { return r, nil }); err == nil {
		t.Error("it updates keys")
	}
	if nonce, err := s.Challenges.Create(t.Context(), "a", time.Minute); err != nil || len(nonce) != 64 {
		t.Errorf("the other stores do not work: %v", err)
	}
}

func secretRecord(name string) keys.Record {
	return keys.Record{ID: "secret." + name, Kind: keys.KindSecret, CreatedAt: time.Unix(1, 0).UTC(), Private: []byte("PLAINTEXT-PLAINTEXT-PLAINTEXT-32")}
}

func putKey(t *testing.T, s *serverauth.Stores, r keys.Record) {
	t.Helper()
	err := s.Keys.Update(t.Context(), func(before []keys.Record) ([]keys.Record, error) { return append(before, r), nil })
	if err != nil {
		t.Fatal(err)
	}
}

func otherEncryptionKey(t *testing.T, server *services.Server) {
	url := server.NewDatabase(t)
	s := open(t, postgres.New(), url, time.Now)
	putKey(t, s, secretRecord("a"))
	nonce, err := s.Challenges.Create(t.Context(), "a", time.Minute)
	if err != nil {
		t.Fatal(err)
	}
	c := config(t, url, time.Now)
	if c.EncryptionKey, err = keys.ParseEncryptionKey(strings.Repeat("4567", 16)); err != nil {
		t.Fatal(err)
	}
	if _, err := postgres.New().Open(t.Context(), c); !errors.Is(err, keys.ErrWrongKey) {
		t.Errorf("got %v", err)
	}
	if won, err := open(t, postgres.New(), url, time.Now).Challenges.Validate(t.Context(), "a", nonce); err != nil || !won {
		t.Errorf("the one with the wrong key has replaced the key of the challenges: %v, %v", won, err)
	}
}

// A damaged record is left out, reported, and kept for the operator; a new one can take its place.
func damagedKey(t *testing.T, server *services.Server) {
	url := server.NewDatabase(t)
	putKey(t, open(t, postgres.New(), url, time.Now), secretRecord("a"))
	putKey(t, open(t, postgres.New(), url, time.Now), secretRecord("b"))
	execute(t, url, `UPDATE picoauth_key SET record = substr(record, 1, 50) WHERE id = 'secret.a'`)
	var log bytes.Buffer
	c := config(t, url, time.Now)
	c.Log = slog.New(slog.NewTextHandler(&log, nil))
	s, err := postgres.New().Open(t.Context(), c)
	if err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	for range 3 {
		records, err := s.Keys.Load(t.Context())
		if err != nil || len(records) != 1 || records[0].ID != "secret.b" {
			t.Fatalf("got %v, %v", records, err)
		}
	}
	if n := strings.Count(log.String(), "secret.a"); n != 1 {
		t.Errorf("it was reported %d times: %s", n, log.String())
	}
	putKey(t, s, secretRecord("a"))
	if records, err := s.Keys.Load(t.Context()); err != nil || len(records) != 2 {
		t.Errorf("got %v, %v", records, err)
	}
	execute(t, url, `DO $$ BEGIN ASSERT (SELECT count(*) FROM picoauth_key WHERE aside_ms > 0) = 1; END $$`)
}

func secretsAreSealed(t *testing.T, server *services.Server) {
	url := server.NewDatabase(t)
	putKey(t, open(t, postgres.New(), url, time.Now), secretRecord("a"))
	execute(t, url, `DO $$ BEGIN
		ASSERT (SELECT count(*) FROM picoauth_key WHERE position('PLAINTEXT' IN encode(record, 'escape')) > 0
			OR position(encode('PLAINTEXT-PLAINTEXT-PLAINTEXT-32', 'base64') IN encode(record, 'escape')) > 0) = 0;
		ASSERT (SELECT count(*) FROM picoauth_key WHERE position('sealed' IN encode(record, 'escape')) > 0) = 1;
		ASSERT (SELECT count(*) FROM picoauth_secret WHERE position('sealed' IN encode(record, 'escape')) > 0) = 1;
	END $$`)
}

func lostChallengeKey(t *testing.T, server *services.Server) {
	url := server.NewDatabase(t)
	open(t, postgres.New(), url, time.Now)
	execute(t, url, `UPDATE picoauth_secret SET record = substr(record, 1, 50)`)
	one, other := open(t, postgres.New(), url, time.Now), open(t, postgres.New(), url, time.Now)
	nonce, err := one.Challenges.Create(t.Context(), "a", time.Minute)
	if err != nil {
		t.Fatal(err)
	}
	if won, err := other.Challenges.Validate(t.Context(), "a", nonce); err != nil || !won {
		t.Errorf("accepted: %v, %v", won, err)
	}
}

// counted counts the packets that are sent.
type counted struct {
	net.Conn
	sent *atomic.Int64
}

func (c counted) Write(p []byte) (int, error) {
	c.sent.Add(1)
	return c.Conn.Write(p)
}

// A packet that is sent and answered is a round trip.
func roundTrips(t *testing.T, server *services.Server) {
	var sent atomic.Int64
	backend := postgres.Dialing(func(ctx context.Context, network, address string) (net.Conn, error) {
		conn, err := (&net.Dialer{}).DialContext(ctx, network, address)
		return counted{conn, &sent}, err
	})
	u, err := url.Parse(server.NewDatabase(t))
	if err != nil {
		t.Fatal(err)
	}
	query := u.Query()
	query.Set("pool_max_conns", "1")
	u.RawQuery = query.Encode()
	s := open(t, backend, u.String(), time.Now)
	page, err := s.Revocations.Since(t.Context(), 0)
	if err != nil {
		t.Fatal(err)
	}
	for name, call := range map[string]struct {
		most int64
		do   func() error
	}{
		"challenge": {0, func() error { _, err := s.Challenges.Create(t.Context(), "a", time.Minute); return err }},
		"spend": {1, func() error {
			nonce, _ := s.Challenges.Create(t.Context(), "a", time.Minute)
			_, err := s.Challenges.Validate(t.Context(), "a", nonce)
			return err
		}},
		"create": {1, func() error {
			row := serverauth.Session{ID: time.Now().String(), Subject: serverauth.Subject{ID: "a", WalletID: "b"}, StartedAt: 1}
			_, err := s.Sessions.Create(t.Context(), row)
			return err
		}},
		"rotate": {2, func() error {
			row := serverauth.Session{ID: time.Now().String(), ExpiresAt: 1e15, EndsAt: 1e15}
			if _, err := s.Sessions.Create(t.Context(), row); err != nil {
				return err
			}
			sent.Store(0)
			_, _, err := s.Sessions.Rotate(t.Context(), serverauth.Rotation{SessionID: row.ID, Now: 5, TTL: 5})
			return err
		}},
		"revoke": {1, func() error {
			_, err := s.Revocations.Add(t.Context(), []serverauth.Revocation{{JTI: time.Now().String(), Exp: time.Now().Unix() + 60}})
			return err
		}},
		"end of a subject": {1, func() error { _, err := s.Sessions.EndSubject(t.Context(), []string{"a", "b"}, 5); return err }},
		"denylist":         {1, func() error { _, err := s.Revocations.Since(t.Context(), page.Seq); return err }},
		"keys":             {1, func() error { _, err := s.Keys.Load(t.Context()); return err }},
	} {
		for range 2 { // the first time the statements are prepared
			sent.Store(0)
			if err := call.do(); err != nil {
				t.Fatalf("%s: %v", name, err)
			}
		}
		if got := sent.Load(); got != call.most {
			t.Errorf("%s: %d round trips, not %d", name, got, call.most)
		}
	}
}
