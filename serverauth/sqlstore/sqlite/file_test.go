package sqlite_test

import (
	"context"
	"database/sql"
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"testing"
	"time"

	"github.com/picoauth/picoauth/serverauth/sqlstore/sqlite"
	"github.com/picoauth/picoauth/serverauth/store"
	"github.com/picoauth/picoauth/testutil/services"
)

// A file that was deleted or replaced while it is open: nothing is answered that a restart would not have.
func TestFileTakenAway(t *testing.T) {
	for name, take := range map[string]func(path string) error{
		"deleted": func(path string) error { return os.Remove(path) },
		"replaced": func(path string) error {
			return errors.Join(os.Rename(path, path+".old"), os.WriteFile(path, nil, 0o600))
		},
		"log deleted": func(path string) error { return os.Remove(path + "-wal") },
	} {
		t.Run(name, func(t *testing.T) {
			path := filepath.Join(t.TempDir(), "auth.db")
			s, err := sqlite.New().Open(t.Context(), config("sqlite:"+path, time.Now))
			if err != nil {
				t.Fatal(err)
			}
			defer s.Close()
			if err := s.Ready(t.Context()); err != nil {
				t.Fatal(err)
			}
			if err := take(path); err != nil {
				t.Fatal(err)
			}
			if _, err := s.Revocations.Add(t.Context(), []store.Revocation{{JTI: "a", Exp: 1e10}}); err == nil {
				t.Error("a revocation is answered")
			}
			if _, err := s.Sessions.Create(t.Context(), store.Session{ID: "a"}); err == nil {
				t.Error("a session is answered")
			}
			if err := s.Ready(t.Context()); err == nil || !strings.Contains(err.Error(), "restart") {
				t.Errorf("ready: %v", err)
			}
		})
	}
}

// Every table that requests use is tried, and the store that it belongs to is named.
func TestReadyTriesEveryTable(t *testing.T) {
	path := filepath.Join(t.TempDir(), "auth.db")
	s := open(t, sqlite.New(), path, time.Now)
	admin, err := sql.Open("sqlite", path)
	if err != nil {
		t.Fatal(err)
	}
	defer admin.Close()
	for table, store := range map[string]string{
		"picoauth_challenge_spent": "challenges", "picoauth_secret": "challenges", "picoauth_session": "sessions",
		"picoauth_session_cut_off": "sessions", "picoauth_revocation": "revocations", "picoauth_revocation_head": "revocations",
		"picoauth_mint": "mints", "picoauth_link": "links",
	} {
		for _, change := range [][2]string{
			{"ALTER TABLE " + table + " RENAME TO away", "ALTER TABLE away RENAME TO " + table},
			{"CREATE TRIGGER no BEFORE UPDATE ON " + table + " BEGIN SELECT RAISE(ABORT, 'no'); END;" +
				"CREATE TRIGGER never BEFORE INSERT ON " + table + " BEGIN SELECT RAISE(ABORT, 'no'); END", "DROP TRIGGER no; DROP TRIGGER never"},
		} {
			if _, err := admin.Exec(change[0]); err != nil {
				t.Fatal(err)
			}
			if err := s.Ready(t.Context()); err == nil || !strings.Contains(err.Error(), store+":") {
				t.Errorf("%s: %v", change[0], err)
			}
			if _, err := admin.Exec(change[1]); err != nil {
				t.Fatal(err)
			}
			if err := s.Ready(t.Context()); err != nil {
				t.Errorf("%s: it does not recover: %v", change[0], err)
			}
		}
	}
}

func TestFileOfOthers(t *testing.T) {
	if runtime.GOOS == "windows" {
		services.Missing(t, "permissions are no bits there, so NOTHING of this test was run")
	}
	start := func(path string) error {
		s, err := sqlite.New().Open(context.Background(), config("sqlite:"+path, time.Now))
		if err == nil {
			err = s.Close()
		}
		return err
	}
	made := func(t *testing.T) string {
		path := filepath.Join(t.TempDir(), "data", "auth.db")
		if err := start(path); err != nil {
			t.Fatal(err)
		}
		return path
	}
	for name, test := range map[string]struct {
		change func(path string) error
		named  string // of the file that the error names; empty: it starts
	}{
		"readable file":         {func(path string) error { return os.Chmod(path, 0o644) }, ""},
		"writable file":         {func(path string) error { return os.Chmod(path, 0o666) }, "auth.db "},
		"writable by the group": {func(path string) error { return os.Chmod(path, 0o620) }, "auth.db "},
		"writable folder":       {func(path string) error { return os.Chmod(filepath.Dir(path), 0o777) }, "data "},
		"listable folder":       {func(path string) error { return os.Chmod(filepath.Dir(path), 0o755) }, ""},
		"writable log": {func(path string) error {
			return errors.Join(os.WriteFile(path+"-wal", nil, 0o600), os.Chmod(path+"-wal", 0o666))
		}, "auth.db-wal "},
	} {
		t.Run(name, func(t *testing.T) {
			path := made(t)
			if err := test.change(path); err != nil {
				t.Fatal(err)
			}
			err := start(path)
			if (test.named != "") != (err != nil) || err != nil && !strings.Contains(err.Error(), test.named) {
				t.Fatalf("got %v", err)
			}
			if info, err := os.Stat(path); test.named == "" && (err != nil || info.Mode().Perm() != 0o600) {
				t.Errorf("mode %v, %v", info.Mode(), err)
			}
		})
	}
	t.Run("of another user", func(t *testing.T) {
		if os.Getuid() != 0 {
			services.Missing(t, "only root can give files away: files of other users were NOT tested")
		}
		const nobody = 65534
		for _, name := range []string{"auth.db", "."} {
			path := made(t)
			if err := os.Chown(filepath.Join(filepath.Dir(path), name), nobody, nobody); err != nil {
				t.Fatal(err)
			}
			if err := start(path); err == nil || !strings.Contains(err.Error(), "another user") {
				t.Errorf("%s: %v", name, err)
			}
		}
	})
	if err := start(filepath.Join(t.TempDir(), "new", "auth.db")); errors.Is(err, fs.ErrNotExist) {
		t.Error(err)
	}
}
