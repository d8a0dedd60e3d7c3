package keys_test

import (
	"bytes"
	"context"
	"errors"
	"log/slog"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/picoauth/picoauth/serverauth/keys"
)

func openFiles(t testing.TB, dir string, key *keys.EncryptionKey) *keys.FileStore {
	t.Helper()
	store, err := keys.OpenFileStore(context.Background(), dir, key, nil)
	if err != nil {
		t.Fatal(err)
	}
	return store
}

func TestFileStore(t *testing.T) {
	for mode, key := range map[string]*keys.EncryptionKey{"plain": nil, "sealed": encryptionKey(t)} {
		t.Run(mode, func(t *testing.T) {
			testStore(t, func(t *testing.T) func() keys.Store {
				dir := filepath.Join(t.TempDir(), "keys")
				return func() keys.Store { return openFiles(t, dir, key) }
			})
		})
	}
}

func TestFilesArePrivate(t *testing.T) {
	parent := t.TempDir()
	dir := filepath.Join(parent, "a", "keys")
	put(t, openFiles(t, dir, nil), fullRecord(t, "EdDSA"))
	check := func(path string, want os.FileMode) {
		info, err := os.Stat(path)
		if err != nil {
			t.Fatal(err)
		}
		if got := info.Mode().Perm(); got != want {
			t.Errorf("%s has mode %#o, not %#o", path, got, want)
		}
	}
	check(dir, 0o700)
	entries, err := os.ReadDir(dir)
	if err != nil {
		t.Fatal(err)
	}
	for _, entry := range entries {
		path := filepath.Join(dir, entry.Name())
		check(path, 0o600)
		if err := os.Chmod(path, 0o644); err != nil { // as a backup might have put it back
			t.Fatal(err)
		}
	}
	load(t, openFiles(t, dir, nil))
	for _, entry := range entries {
		if strings.HasSuffix(entry.Name(), ".json") {
			check(filepath.Join(dir, entry.Name()), 0o600)
		}
	}
	if err := os.Chmod(parent, 0o755); err != nil {
		t.Fatal(err)
	}
	empty := filepath.Join(parent, "empty")
	if err := os.Mkdir(empty, 0o755); err != nil {
		t.Fatal(err)
	}
	openFiles(t, empty, nil)
	check(empty, 0o700)
}

func TestFolderThatOthersCanReplaceIsWarnedOf(t *testing.T) {
	for mode, warned := range map[os.FileMode]bool{0o700: false, 0o755: false, 0o777: true, 0o777 | os.ModeSticky: false} {
		parent, log := t.TempDir(), &bytes.Buffer{}
		if err := os.Chmod(parent, mode); err != nil {
			t.Fatal(err)
		}
		logger := slog.New(slog.NewTextHandler(log, nil))
		if _, err := keys.OpenFileStore(t.Context(), filepath.Join(parent, "keys"), nil, logger); err != nil {
			t.Fatal(err)
		}
		if got := strings.Contains(log.String(), "every user can replace the key folder"); got != warned {
			t.Errorf("%v: %s", mode, log)
		}
	}
}

func TestFolderThatOthersCanWriteIsRefused(t *testing.T) {
	dir := t.TempDir()
	if err := os.WriteFile(filepath.Join(dir, "theirs"), nil, 0o600); err != nil {
		t.Fatal(err)
	}
	if err := os.Chmod(dir, 0o777); err != nil {
		t.Fatal(err)
	}
	_, err := keys.OpenFileStore(t.Context(), dir, nil, nil)
	if err == nil || !strings.Contains(err.Error(), dir) || !strings.Contains(err.Error(), "key_dir") {
		t.Fatalf("got %v", err)
	}
}

func TestWrongEncryptionIsRefusedAndNothingTouched(t *testing.T) {
	key := encryptionKey(t)
	const otherHex = "00000000000000000000000000000000000000000000000000000000000000ff"
	other, err := keys.ParseEncryptionKey(otherHex)
	if err != nil {
		t.Fatal(err)
	}
	tests := []struct {
		name            string
		written, opened *keys.EncryptionKey
		want            error
	}{
		{"encrypted files without the key", key, nil, keys.ErrKeyRequired},
		{"plain files with a key", nil, key, keys.ErrNotEncrypted},
		{"another key", key, other, keys.ErrWrongKey},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			dir := filepath.Join(t.TempDir(), "keys")
			record := fullRecord(t, "EdDSA")
			put(t, openFiles(t, dir, test.written), record, secretRecord("refresh"))
			before := snapshot(t, dir)
			_, err := keys.OpenFileStore(t.Context(), dir, test.opened, nil)
			if !errors.Is(err, test.want) {
				t.Fatalf("got %v", err)
			}
			for _, part := range []string{dir, ".json", "server_auth.key_encryption_key"} {
				if !strings.Contains(err.Error(), part) {
					t.Errorf("%q is not in: %v", part, err)
				}
			}
			if strings.Contains(err.Error(), otherHex) {
				t.Errorf("the key is in: %v", err)
			}
			if after := snapshot(t, dir); !sameFiles(before, after) {
				t.Error("files were touched")
			}
			if got := load(t, openFiles(t, dir, test.written)); !got[record.ID].Equal(record) {
				t.Error("the key is gone")
			}
		})
	}
}

func TestStrayTempFilesAreCleaned(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "a[b") // no pattern either
	record := fullRecord(t, "EdDSA")
	put(t, openFiles(t, dir, nil), record)
	stray := filepath.Join(dir, ".tmp-123")
	if err := os.WriteFile(stray, []byte("{"), 0o600); err != nil {
		t.Fatal(err)
	}
	if got := load(t, openFiles(t, dir, nil)); len(got) != 1 {
		t.Fatalf("got %v", got)
	}
	if _, err := os.Stat(stray); !errors.Is(err, os.ErrNotExist) {
		t.Fatalf("it is still there: %v", err)
	}
}

func TestOtherFilesAreLeftAlone(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "keys")
	store := openFiles(t, dir, nil)
	for _, name := range []string{"README", "old.json.bak", "x.json.corrupt"} {
		if err := os.WriteFile(filepath.Join(dir, name), []byte("mine"), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	if err := os.Mkdir(filepath.Join(dir, "folder.json"), 0o700); err != nil {
		t.Fatal(err)
	}
	before := snapshot(t, dir)
	if got := load(t, store); len(got) != 0 || !sameFiles(before, snapshot(t, dir)) {
		t.Fatalf("got %v", got)
	}
}

// snapshot maps the files of a folder to their content.
func snapshot(t testing.TB, dir string) map[string][]byte {
	t.Helper()
	files := map[string][]byte{}
	entries, err := os.ReadDir(dir)
	if err != nil {
		t.Fatal(err)
	}
	for _, entry := range entries {
		if entry.IsDir() {
			continue
		}
		data, err := os.ReadFile(filepath.Join(dir, entry.Name()))
		if err != nil {
			t.Fatal(err)
		}
		files[entry.Name()] = data
	}
	return files
}

func sameFiles(a, b map[string][]byte) bool {
	if len(a) != len(b) {
		return false
	}
	for name, data := range a {
		if other, found := b[name]; !found || !bytes.Equal(data, other) {
			return false
		}
	}
	return true
}
