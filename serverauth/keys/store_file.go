package keys

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"log/slog"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"time"

	"github.com/gofrs/flock"
)

const (
	recordSuffix  = ".json"
	corruptSuffix = ".corrupt"
	tempPrefix    = ".tmp-"
	lockName      = ".lock"
	lockRetry     = 5 * time.Millisecond
)

// FileStore stores each record in a file `<id>.json` of one folder. Several processes may share the folder, on a local disk or on a
// network file system whose flock(2) works across machines. Files have mode 0600 and are replaced atomically: written to a
// temporary file, synced and renamed, and then the folder is synced. The lock is on the file `.lock`, which must not be deleted
// while a program runs.
//
// A damaged file is renamed to `<id>.json.corrupt`, logged, and left out. A file that needs another `key_encryption_key` is an
// error that names it; the file is not changed.
type FileStore struct {
	dir string
	key *EncryptionKey
	log *slog.Logger

	mu   sync.Mutex
	seen map[string]seenFile // what the last reading found, by name
}

// seenFile is a record together with the file from which it was read, to detect that the file was replaced.
type seenFile struct {
	info   fs.FileInfo
	record Record
}

var _ Store = (*FileStore)(nil)

// OpenFileStore opens the folder dir, and creates it with mode 0700 if it does not exist. With a key the records are encrypted; if
// key is nil, they are plain. It reads all files once, so that it finds a wrong or missing key: the errors are [ErrWrongKey],
// [ErrKeyRequired], [ErrNotEncrypted] and [ErrNewerFormat]. log may be nil.
func OpenFileStore(ctx context.Context, dir string, key *EncryptionKey, log *slog.Logger) (*FileStore, error) {
	if log == nil {
		log = slog.New(slog.DiscardHandler)
	}
	s := &FileStore{dir: dir, key: key, log: log, seen: map[string]seenFile{}}
	if err := s.prepareFolder(); err != nil {
		return nil, fmt.Errorf("keys: server_auth.key_dir: %w", err)
	}
	keep := func(records []Record) ([]Record, error) { return records, nil }
	if err := s.Update(ctx, keep); err != nil {
		return nil, err
	}
	return s, nil
}

// Load implements [Store]. It reads only the files that were replaced since the last call.
func (s *FileStore) Load(ctx context.Context) ([]Record, error) {
	if err := ctx.Err(); err != nil {
		return nil, err
	}
	records, damaged, err := s.read()
	if err != nil || len(damaged) == 0 {
		return records, err
	}
	unlock, err := s.lock(ctx)
	if err != nil {
		return nil, err
	}
	defer unlock()
	return s.readLocked()
}

// Update implements [Store]. It writes the changed records, one file at a time.
func (s *FileStore) Update(ctx context.Context, change func([]Record) ([]Record, error)) error {
	unlock, err := s.lock(ctx)
	if err != nil {
		return err
	}
	defer unlock()
	s.removeStrayTemps()
	before, err := s.readLocked()
	if err != nil {
		return err
	}
	after, err := change(CloneAll(before))
	if err != nil {
		return err
	}
	written, deleted := Changes(before, after)
	for _, r := range written {
		if err := s.write(r); err != nil {
			return fmt.Errorf("keys: write %s: %w", s.path(r.ID), err)
		}
	}
	for _, id := range deleted {
		if err := os.Remove(s.path(id)); err != nil && !errors.Is(err, fs.ErrNotExist) {
			return fmt.Errorf("keys: %w", err)
		}
	}
	if len(deleted) > 0 {
		return syncFolder(s.dir)
	}
	return nil
}

func (s *FileStore) write(r Record) error {
	if !safeName(r.ID) {
		return fmt.Errorf("%w: id %.64q", ErrInvalidRecord, r.ID)
	}
	data, err := EncodeRecord(r, s.key)
	if err != nil {
		return err
	}
	return replaceFile(s.path(r.ID), data)
}

func (s *FileStore) path(id string) string { return filepath.Join(s.dir, id+recordSuffix) }

// lock waits for the lock of the folder, which one goroutine of one process holds at a time.
func (s *FileStore) lock(ctx context.Context) (unlock func(), err error) {
	lock := flock.New(filepath.Join(s.dir, lockName), flock.SetPermissions(0o600))
	if _, err := lock.TryLockContext(ctx, lockRetry); err != nil {
		return nil, fmt.Errorf("keys: lock %s: %w", lock.Path(), err)
	}
	return func() {
		if err := lock.Unlock(); err != nil {
			s.log.Error("keys: cannot release the lock", "file", lock.Path(), "error", err)
		}
	}, nil
}

// read returns the records, and the names of files that seem to be damaged, which is certain only with the lock.
func (s *FileStore) read() (records []Record, damaged []string, err error) {
	entries, err := os.ReadDir(s.dir)
	if err != nil {
		return nil, nil, fmt.Errorf("keys: %w", err)
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	seen := make(map[string]seenFile, len(entries))
	for _, entry := range entries {
		if !entry.Type().IsRegular() || !strings.HasSuffix(entry.Name(), recordSuffix) {
			continue
		}
		file, err := s.readFile(entry)
		switch {
		case errors.Is(err, fs.ErrNotExist): // deleted since the folder was listed
		case errors.Is(err, ErrCorrupt):
			damaged = append(damaged, entry.Name())
		case err != nil:
			return nil, nil, fmt.Errorf("keys: %s: %w", filepath.Join(s.dir, entry.Name()), err)
		default:
			seen[entry.Name()] = file
			records = append(records, file.record.Clone())
		}
	}
	s.seen = seen
	return records, damaged, nil
}

// readFile reads one file, or returns the earlier result if the file was not replaced.
func (s *FileStore) readFile(entry fs.DirEntry) (seenFile, error) {
	info, err := entry.Info()
	if err != nil {
		return seenFile{}, err
	}
	old, known := s.seen[entry.Name()]
	if known && os.SameFile(old.info, info) && old.info.ModTime().Equal(info.ModTime()) && old.info.Size() == info.Size() {
		return old, nil
	}
	path := filepath.Join(s.dir, entry.Name())
	if err := s.makePrivate(path, info); err != nil {
		return seenFile{}, err
	}
	data, err := readBounded(path)
	if err != nil {
		return seenFile{}, err
	}
	record, err := DecodeRecord(data, s.key)
	if err != nil {
		return seenFile{}, err
	}
	if record.ID+recordSuffix != entry.Name() {
		return seenFile{}, fmt.Errorf("%w: it is that of %s", ErrCorrupt, record.ID)
	}
	return seenFile{info, record}, nil
}

// readLocked reads the files with the lock held and sets damaged ones aside. A damaged file that cannot be renamed is logged and
// left out as well.
func (s *FileStore) readLocked() ([]Record, error) {
	records, damaged, err := s.read()
	if err != nil {
		return nil, err
	}
	for _, name := range damaged {
		from := filepath.Join(s.dir, name)
		if err := os.Rename(from, from+corruptSuffix); err != nil {
			s.log.Error("keys: a damaged key file is ignored, and cannot be renamed", "file", from, "error", err)
			continue
		}
		s.log.Error("keys: a damaged key file is ignored: it was renamed", "file", from, "renamed_to", from+corruptSuffix)
	}
	return records, nil
}

// removeStrayTemps deletes temporary files of a writer that crashed. The caller must hold the lock, so that no other writer is
// active.
func (s *FileStore) removeStrayTemps() {
	entries, _ := os.ReadDir(s.dir) // an unreadable folder is the next step's error
	for _, entry := range entries {
		if !strings.HasPrefix(entry.Name(), tempPrefix) {
			continue
		}
		file := filepath.Join(s.dir, entry.Name())
		if err := os.Remove(file); err != nil {
			s.log.Warn("keys: cannot delete a left-over temporary file", "file", file, "error", err)
		}
	}
}

// readBounded reads at most MaxRecordBytes+1 bytes of a file.
func readBounded(path string) ([]byte, error) {
	file, err := os.Open(path)
	if err != nil {
		return nil, err
	}
	defer file.Close()
	return io.ReadAll(io.LimitReader(file, MaxRecordBytes+1))
}
