package serverauth

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"

	"github.com/picoauth/picoauth/serverauth/keys"
)

func (s *storage) keys(ctx context.Context) (keys.Store, error) {
	store, err := s.keyStore(ctx)
	return meteredKeys{store, s.metrics}, err
}

// keyStore is files where there is a folder for them, and else in the storage.
func (s *storage) keyStore(ctx context.Context) (keys.Store, error) {
	s.mu.Lock()
	files, err := s.keyFiles(ctx)
	s.mu.Unlock()
	if err != nil || files != nil {
		return files, err
	}
	return role(s, "key_storage_url", s.settings.KeyStorage, func(all *Stores) keys.Store { return all.Keys })
}

// keyFiles opens the files of keys, or returns nil where they are in none. They are opened before any storage is, which
// is then untouched by a start that they refuse. The caller holds mu.
func (s *storage) keyFiles(ctx context.Context) (keys.Store, error) {
	dir := s.keyFolder()
	if err := s.checkLifetimes(dir); err != nil || dir == "" || s.files != nil {
		return s.files, err
	}
	files, err := keys.OpenFileStore(ctx, dir, s.config.EncryptionKey, s.config.Log)
	if err != nil {
		return nil, err
	}
	s.files = files
	return files, s.checkDatabase(ctx)
}

// checkDatabase warns where keys have lost the SQLite file that they are beside.
func (s *storage) checkDatabase(ctx context.Context) error {
	path, isFile := strings.CutPrefix(s.settings.StorageURL(), sqliteScheme+":")
	if !isFile {
		return nil
	}
	if _, err := os.Stat(path); !errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	records, err := s.files.Load(ctx)
	if len(records) > 0 {
		s.config.Log.WarnContext(ctx, "there are keys but no database: what was revoked before is valid again; remove the keys too, or put the database back",
			"database", path, "keys", s.keyFolder())
	}
	return err
}

// checkLifetimes refuses keys that outlive the process where sessions or revocations do not.
func (s *storage) checkLifetimes(dir string) error {
	keysIn := "key_dir"
	if dir == "" {
		if s.inMemory(s.settings.KeyStorage) {
			return nil
		}
		keysIn = "key_storage_url"
	}
	for _, role := range []struct{ setting, text string }{
		{"revocation_storage_url", s.settings.RevocationStorage}, {"session_storage_url", s.settings.SessionStorage},
	} {
		if !s.inMemory(role.text) {
			continue
		}
		if role.text == "" { // storage_url is memory, and the keys were put elsewhere
			role.setting = keysIn
		}
		return fmt.Errorf("%s.%s: keys that outlive the process need sessions and revocations that do too, "+
			"else revoked tokens would live again after a restart; set data_dir or storage_url", SettingsSection, role.setting)
	}
	return nil
}

// keyFolder is key_dir, or the folder beside a SQLite file; empty where keys are in memory or in a database.
func (s *storage) keyFolder() string {
	switch {
	case s.settings.KeyDir != "":
		return s.settings.KeyDir
	case s.settings.KeyStorage != "":
		return ""
	}
	path, isFile := strings.CutPrefix(s.settings.StorageURL(), sqliteScheme+":")
	switch {
	case !isFile:
		return ""
	case s.settings.DataDir != "":
		return filepath.Join(s.settings.DataDir, keyFolder)
	default:
		path, _, _ = strings.Cut(path, "?")
		return filepath.Join(filepath.Dir(path), keyFolder)
	}
}
