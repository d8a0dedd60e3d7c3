package sqlite_test

import (
	"database/sql"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/picoauth/picoauth/serverauth/keys"
	"github.com/picoauth/picoauth/serverauth/sqlstore/sqlite"
	"github.com/picoauth/picoauth/serverauth/store"
	"github.com/picoauth/picoauth/testutil/services"
)

func TestURLs(t *testing.T) {
	dir := t.TempDir()
	t.Chdir(dir)
	for _, test := range []struct {
		url  string
		file string // empty: an error
	}{
		{"sqlite:auth.db", "auth.db"},
		{"sqlite:new/folder/auth.db", "new/folder/auth.db"},
		{"sqlite:./a b%20c+&=ñ;.db", "a b%20c+&=ñ;.db"},
		{"sqlite:" + dir + "/absolute.db", "absolute.db"},
		{"sqlite://" + dir + "/slashes.db", "slashes.db"},
		{"sqlite:../" + filepath.Base(dir) + "/up.db", "up.db"},
		{"sqlite://host/auth.db", ""},
		{"sqlite:", ""},
		{"sqlite::memory:", ""},
		{"sqlite:auth.db?mode=memory", ""},
		{"sqlite:a#b", ""},
		{"sqlite:" + dir, ""},
		{"sqlite:/proc/nowhere/auth.db", ""},
		{"file:auth.db", ""},
		{"auth.db", ""},
	} {
		t.Run(strings.ReplaceAll(test.url, dir, "DIR"), func(t *testing.T) {
			s, err := sqlite.New().Open(t.Context(), config(test.url, time.Now))
			if test.file == "" {
				if err == nil || !strings.HasPrefix(err.Error(), "sqlite: ") {
					t.Fatalf("got %v", err)
				}
				return
			}
			if err != nil {
				t.Fatal(err)
			}
			defer s.Close()
			for _, suffix := range []string{"", "-wal", "-shm"} {
				info, err := os.Stat(test.file + suffix)
				if err != nil || info.Mode().Perm() != 0o600 {
					t.Errorf("%v, %v", info, err)
				}
			}
			if s.Keys != nil || s.Watch != nil {
				t.Error("it has keys, or watches")
			}
		})
	}
}

// execute runs SQL as somebody beside the stores.
func execute(t *testing.T, path, query string) {
	t.Helper()
	db, err := sql.Open("sqlite", path)
	if err != nil {
		t.Fatal(err)
	}
	defer db.Close()
	if _, err := db.Exec(query); err != nil {
		t.Fatal(err)
	}
}

func TestNewerSchema(t *testing.T) {
	path := filepath.Join(t.TempDir(), "auth.db")
	open(t, sqlite.New(), path, time.Now)
	execute(t, path, `UPDATE picoauth_schema SET version = 1000`)
	_, err := sqlite.New().Open(t.Context(), config("sqlite:"+path, time.Now))
	if err == nil || !strings.Contains(err.Error(), "schema version 1000") {
		t.Errorf("got %v", err)
	}
}

func TestNotADatabase(t *testing.T) {
	path := filepath.Join(t.TempDir(), "auth.db")
	if err := os.WriteFile(path, []byte(strings.Repeat("this is a diary. ", 1000)), 0o600); err != nil {
		t.Fatal(err)
	}
	if _, err := sqlite.New().Open(t.Context(), config("sqlite:"+path, time.Now)); err == nil {
		t.Error("a diary is opened")
	}
}

// TestSettings: what is answered is on the disk.
func TestSettings(t *testing.T) {
	source := sqlite.WriterDataSource("auth.db")
	for _, want := range []string{"synchronous(FULL)", "journal_mode(WAL)"} {
		if !strings.Contains(source, want) {
			t.Errorf("%s is not in %s", want, source)
		}
	}
}

// TestReady: a change that failed makes it red until another one succeeds, although it can be read all the time.
func TestReady(t *testing.T) {
	broken := &faults{}
	s := open(t, sqlite.Wrapped(broken.wrap), filepath.Join(t.TempDir(), "auth.db"), time.Now)
	revoke := func() error {
		_, err := s.Revocations.Add(t.Context(), []store.Revocation{{Sub: "x", Exp: 1e10}})
		return err
	}
	broken.Arm(3, false)
	if err := revoke(); err == nil || !broken.Disarm() {
		t.Fatal("nothing failed")
	}
	broken.Arm(1, false)
	if err := s.Ready(t.Context()); err == nil {
		t.Error("it is ready after a change has failed, and one more")
	}
	broken.Disarm()
	if err := s.Ready(t.Context()); err != nil {
		t.Errorf("it does not recover: %v", err)
	}
	if err := revoke(); err != nil {
		t.Error(err)
	}
}

// A full disk is an error that passes when there is room again.
func TestDiskFull(t *testing.T) {
	dir := t.TempDir()
	if out, err := exec.Command("mount", "-t", "tmpfs", "-o", "size=512k", "tmpfs", dir).CombinedOutput(); err != nil {
		services.Missing(t, fmt.Sprintf("no small disk can be made here, which only root may (%s): what a full disk does was NOT tested", out))
	}
	t.Cleanup(func() {
		if out, err := exec.Command("umount", "-l", dir).CombinedOutput(); err != nil {
			t.Errorf("%s", out)
		}
	})
	s := open(t, sqlite.New(), filepath.Join(dir, "auth.db"), time.Now)
	ballast := filepath.Join(dir, "ballast")
	if err := os.WriteFile(ballast, make([]byte, 128<<10), 0o600); err != nil {
		t.Fatal(err)
	}
	answered := map[string]bool{}
	item := store.Revocation{Reason: strings.Repeat("x", 4000), Exp: 1e10}
	revoke := func(n int) error {
		item.JTI = time.Now().String() + strings.Repeat("x", n%7)
		_, err := s.Revocations.Add(t.Context(), []store.Revocation{item})
		if err == nil {
			answered[item.JTI] = true
		}
		return err
	}
	var full error
	for n := 0; full == nil; n++ {
		if full = revoke(n); n > 1000 {
			t.Fatal("the disk is never full")
		}
	}
	t.Logf("after %d: %v", len(answered), full)
	if err := s.Ready(t.Context()); err == nil {
		t.Error("it is ready although the disk is full")
	}
	if err := os.Remove(ballast); err != nil {
		t.Fatal(err)
	}
	if err := s.Ready(t.Context()); err != nil {
		t.Errorf("it does not recover: %v", err)
	}
	if err := revoke(0); err != nil {
		t.Errorf("it does not recover: %v", err)
	}
	page, err := s.Revocations.Since(t.Context(), 0, 0, 5000)
	if err != nil || len(page.Items) != len(answered) {
		t.Errorf("%d items of %d, %v", len(page.Items), len(answered), err)
	}
	for _, item := range page.Items {
		if !answered[item.JTI] {
			t.Errorf("%s is there, and was not answered", item.JTI)
		}
	}
}

// A process without the encryption key takes nothing from those that have it.
func TestChallengesOfProcessesWithTheEncryptionKey(t *testing.T) {
	path := filepath.Join(t.TempDir(), "auth.db")
	plain := config("sqlite:"+path, time.Now)
	sealed := plain
	var err error
	if sealed.EncryptionKey, err = keys.ParseEncryptionKey(strings.Repeat("0123", 16)); err != nil {
		t.Fatal(err)
	}
	opened := func(c store.BackendConfig) *store.Stores {
		s, err := sqlite.New().Open(t.Context(), c)
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { _ = s.Close() })
		return s
	}
	nonce, err := opened(sealed).Challenges.Create(t.Context(), "address", time.Minute)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := sqlite.New().Open(t.Context(), plain); !errors.Is(err, keys.ErrKeyRequired) {
		t.Fatalf("got %v", err)
	}
	if won, err := opened(sealed).Challenges.Validate(t.Context(), "address", nonce); err != nil || !won {
		t.Fatalf("a challenge of before is refused: %v", err)
	}
}
