package serverauth

import (
	"cmp"
	"context"
	"errors"
	"io/fs"
	"log/slog"
	"os"
	"path/filepath"
	"strings"

	"github.com/picoauth/picoauth/app"
	"github.com/picoauth/picoauth/app/config"
	"github.com/picoauth/picoauth/serverauth/keys"
	"github.com/picoauth/picoauth/serverauth/session"
	"github.com/picoauth/picoauth/serverauth/store"
)

// keys returns the store of the keys: files if there is a folder for them, else the storage.
func (s *storage) keys(ctx context.Context) (keys.Store, error) {
	s.mu.Lock()
	kept, err := s.keyFiles(ctx)
	s.mu.Unlock()
	if err == nil && kept == nil {
		kept, err = role(s, "key_storage_url", s.settings.KeyStorage, func(all *store.Stores) keys.Store { return all.Keys })
	}
	return meteredKeys{kept, s.metrics}, err
}

// keyFiles opens the key files. It returns nil if the keys are not in files. The files are opened before any storage, so that a
// start that fails because of them leaves the storage unchanged. The caller must hold mu.
func (s *storage) keyFiles(ctx context.Context) (keys.Store, error) {
	dir := s.settings.KeyFolder()
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

// checkDatabase logs a warning if there are key files, but the SQLite file of the storage is missing.
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
		s.config.Log.WarnContext(ctx, "there are keys but no database: tokens that were revoked before are valid again; restore the database, or delete the keys too",
			"database", path, "keys", s.settings.KeyFolder())
	}
	return err
}

// checkLifetimes refuses persistent keys if sessions, revocations or links are not persistent.
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
		{"link_storage_url", cmp.Or(s.settings.LinkStorage, s.settings.SessionStorage)},
	} {
		if !s.inMemory(role.text) {
			continue
		}
		if role.text == "" { // storage_url is memory, and the keys were put elsewhere
			role.setting = keysIn
		}
		return &config.Error{Key: SettingsSection + "." + role.setting, Reason: "persistent keys need persistent sessions and revocations, " +
			"otherwise revoked tokens would be valid again after a restart; set data_dir or storage_url"}
	}
	return nil
}

// KeyFolder is the folder of the key files: key_dir or, if the storage is SQLite, the folder keys in data_dir or beside the SQLite
// file. It is empty if the keys are in memory or in a database.
func (s ServerAuthSettings) KeyFolder() string {
	switch {
	case s.KeyDir != "":
		return s.KeyDir
	case s.KeyStorage != "":
		return ""
	}
	path, isFile := strings.CutPrefix(s.StorageURL(), sqliteScheme+":")
	switch {
	case !isFile:
		return ""
	case s.DataDir != "":
		return filepath.Join(s.DataDir, keyFolder)
	default:
		path, _, _ = strings.Cut(path, "?")
		return filepath.Join(filepath.Dir(path), keyFolder)
	}
}

const (
	// refreshSecret is the name of the secret that authenticates refresh tokens, sessions and links.
	refreshSecret = "refresh-token"
	// auditSecret is the name of the secret that authenticates the mint audit.
	auditSecret = "mint-audit"
)

// openRing opens the key ring that the settings describe.
func openRing(ctx context.Context, settings ServerAuthSettings, store keys.Store, clock app.Clock, log *slog.Logger) (*keys.Ring, error) {
	return keys.Open(ctx, store, keys.Config{
		Algorithm: settings.Algorithm, TokenLifetime: settings.LongestTokenTTL() + session.MaxAhead(settings.ClockSkew()), Skew: settings.ClockSkew(),
		MaxAge: keys.MaxAgeLimit, CacheTime: keys.ClientCacheTime, RotateEvery: settings.KeyRotationInterval(),
		Clock: clock, Logger: log,
	})
}
