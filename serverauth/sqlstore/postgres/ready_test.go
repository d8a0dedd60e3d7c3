package postgres_test

import (
	"strings"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"

	"github.com/picoauth/picoauth/serverauth/sqlstore/postgres"
	"github.com/picoauth/picoauth/testutil/services"
)

// Every table that requests use is tried, within the time of the check, and the store that it belongs to is named.
func readyTriesEveryTable(t *testing.T, server *services.Server) {
	url := server.NewDatabase(t)
	s := open(t, postgres.New(), url, time.Now)
	for table, store := range map[string]string{
		"picoauth_challenge_spent": "challenges", "picoauth_secret": "challenges", "picoauth_session": "sessions",
		"picoauth_session_cut_off": "sessions", "picoauth_revocation": "revocations", "picoauth_revocation_head": "revocations",
		"picoauth_mint": "mints", "picoauth_link": "links", "picoauth_key": "keys", "picoauth_key_version": "keys",
	} {
		execute(t, url, "ALTER TABLE "+table+" RENAME TO away")
		if err := s.Ready(t.Context()); err == nil || !strings.Contains(err.Error(), store+":") {
			t.Errorf("%s: %v", table, err)
		}
		execute(t, url, "ALTER TABLE away RENAME TO "+table)
		if err := s.Ready(t.Context()); err != nil {
			t.Errorf("%s: it does not recover: %v", table, err)
		}
	}
}

func readyWhileATableIsLocked(t *testing.T, server *services.Server) {
	url := server.NewDatabase(t)
	s := open(t, postgres.New(), url, time.Now)
	conn, err := pgx.Connect(t.Context(), url)
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close(t.Context())
	tx, err := conn.Begin(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	if _, err := tx.Exec(t.Context(), "LOCK TABLE picoauth_revocation IN ACCESS EXCLUSIVE MODE"); err != nil {
		t.Fatal(err)
	}
	began := time.Now()
	err = s.Ready(t.Context())
	if took := time.Since(began); err == nil || !strings.Contains(err.Error(), "revocations:") || took > 10*time.Second {
		t.Errorf("after %s: %v", took, err)
	}
	if err := tx.Rollback(t.Context()); err != nil {
		t.Fatal(err)
	}
	if err := s.Ready(t.Context()); err != nil {
		t.Errorf("it does not recover: %v", err)
	}
}
