package postgres_test

import (
	"bytes"
	"errors"
	"log/slog"
	"strings"
	"testing"
	"time"

	"github.com/picoauth/picoauth/serverauth/keys"
	"github.com/picoauth/picoauth/serverauth/sqlstore/postgres"
	"github.com/picoauth/picoauth/serverauth/store"
	"github.com/picoauth/picoauth/testutil/services"
)

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

func putKey(t *testing.T, s *store.Stores, r keys.Record) {
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
