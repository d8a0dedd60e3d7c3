package main

import (
	"archive/tar"
	"context"
	"database/sql"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"time"

	"github.com/spf13/cobra"
	_ "modernc.org/sqlite" // the driver that the storage uses

	"github.com/picoauth/picoauth/serverauth"
)

// Names in an archive.
const (
	databaseEntry = "picoauth.db"
	keysEntry     = "keys/"
)

// keyFileName matches the name of a key file. Such a name cannot lead out of its folder.
var keyFileName = regexp.MustCompile(`^[A-Za-z0-9_-][A-Za-z0-9._-]{0,127}\.json$`)

// place is where a server with SQLite keeps all its data: the path of the database and the folder of the keys.
type place struct{ database, keys string }

// placeOf returns the place of a server. It refuses other storages, which have backup tools of their own.
func placeOf(s serverauth.ServerAuthSettings) (place, error) {
	path, isFile := strings.CutPrefix(s.StorageURL(), "sqlite:")
	if !isFile || s.ChallengeStorage+s.SessionStorage+s.RevocationStorage+s.MintStorage+s.KeyStorage+s.LinkStorage != "" {
		return place{}, errors.New("this command is for a server that keeps everything in SQLite; back up PostgreSQL with pg_dump, Redis with its snapshot, and key_dir with tar")
	}
	return place{strings.TrimPrefix(path, "//"), s.KeyFolder()}, nil
}

// placeIn returns the place that a configuration names.
func placeIn(config string) (place, error) {
	s, err := settingsOf(config)
	if err != nil {
		return place{}, err
	}
	return placeOf(s)
}

func newBackup() *cobra.Command {
	c := &cobra.Command{
		Use:   "backup FILE",
		Short: "Write the SQLite database and the keys to one archive, also while the server runs",
		Long: "The archive is a tar file that only this user can read, with a consistent copy of the database and the key files. The keys in it are\n" +
			"encrypted if key_encryption_key is set; keep that key elsewhere.",
		Example: "  picoauth backup /backups/picoauth-$(date +%F).tar",
		Args:    cobra.ExactArgs(1),
	}
	config := configFlag(c)
	c.RunE = func(c *cobra.Command, arguments []string) error {
		from, err := placeIn(*config)
		if err != nil {
			return err
		}
		size, err := from.backup(c, arguments[0])
		if err != nil {
			return err
		}
		return say(c, map[string]any{"file": arguments[0], "bytes": size},
			"Wrote %s (%d bytes). Restore it with: picoauth restore %[1]s --end sessions\n", arguments[0], size)
	}
	return c
}

// size returns the size of the database in bytes. The database must exist.
func (p place) size() (int64, error) {
	info, err := os.Stat(p.database)
	if err != nil {
		return 0, fmt.Errorf("%w; check that --config is that of the server, and that this is the server's working folder", err)
	}
	return info.Size(), nil
}

// backup writes the archive and returns its size in bytes. After an error there is no archive.
func (p place) backup(c *cobra.Command, path string) (size int64, err error) {
	all, err := p.size()
	if err != nil {
		return 0, err
	}
	work, err := os.MkdirTemp(filepath.Dir(path), ".picoauth-backup-") // with mode 0700
	if err != nil {
		return 0, err
	}
	defer func() { _ = os.RemoveAll(work) }()
	snapshot := filepath.Join(work, databaseEntry)
	stop := progress(c, "copying the database", func() float64 { return copied(snapshot) / float64(max(all, 1)) })
	err = snapshotOf(c.Context(), p.database, snapshot)
	if stop(); err != nil {
		return 0, fmt.Errorf("copy the database: %w", err)
	}
	file, err := os.OpenFile(path, os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o600)
	if errors.Is(err, fs.ErrExist) {
		return 0, fmt.Errorf("%s exists already; name another file, or move it away", path)
	}
	if err != nil {
		return 0, err
	}
	archive := tar.NewWriter(file)
	// The keys are copied after the database: an additional new key does no harm.
	err = errors.Join(addFile(archive, databaseEntry, snapshot), p.addKeys(archive), archive.Close())
	size, seekErr := file.Seek(0, io.SeekCurrent)
	if err = errors.Join(err, seekErr, file.Sync(), file.Close()); err != nil {
		_ = os.Remove(path)
	}
	return size, err
}

// copied returns the size of a file in bytes, 0 if it does not exist yet.
func copied(path string) float64 {
	if info, err := os.Stat(path); err == nil {
		return float64(info.Size())
	}
	return 0
}

// snapshotOf makes a consistent copy of a database, also during writes.
func snapshotOf(ctx context.Context, from, to string) error {
	database, err := sql.Open("sqlite", "file:"+filepath.ToSlash(from)+"?mode=rw&_pragma=busy_timeout(10000)")
	if err != nil {
		return err
	}
	defer func() { _ = database.Close() }()
	_, err = database.ExecContext(ctx, "VACUUM INTO ?", to)
	return err
}

func (p place) addKeys(archive *tar.Writer) error {
	entries, err := os.ReadDir(p.keys)
	if err != nil {
		return err
	}
	for _, entry := range entries {
		if entry.Type().IsRegular() && keyFileName.MatchString(entry.Name()) {
			if err := addFile(archive, keysEntry+entry.Name(), filepath.Join(p.keys, entry.Name())); err != nil {
				return err
			}
		}
	}
	return nil
}

func addFile(archive *tar.Writer, name, path string) error {
	file, err := os.Open(path)
	if err != nil {
		return err
	}
	defer func() { _ = file.Close() }()
	info, err := file.Stat()
	if err != nil {
		return err
	}
	if err := archive.WriteHeader(&tar.Header{Name: name, Mode: 0o600, Size: info.Size(), ModTime: time.Now().Truncate(time.Second)}); err != nil {
		return err
	}
	_, err = io.Copy(archive, file)
	return err
}
