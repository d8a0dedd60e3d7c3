package sqlite

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"os"
	"path/filepath"
	"sync/atomic"

	"github.com/picoauth/picoauth/serverauth/internal/private"
)

// errReplaced is returned for every change after the files at the path have been deleted or replaced: the change would be lost
// when the process ends.
var errReplaced = errors.New("the database file was deleted or replaced while it was open: restart the server")

// file is the database file and its log, and their identity when they were opened.
type file struct {
	path  string
	first atomic.Pointer[[2]os.FileInfo] // of the file and of the log; nil before the first write
}

// prepare creates the file so that nobody else can read it; SQLite gives its other files the same mode. It refuses a folder or
// file that another user owns or can write to, and makes a file private that others can read.
func prepare(ctx context.Context, path string, log *slog.Logger) error {
	if _, err := private.Folder(filepath.Dir(path)); err != nil {
		return err
	}
	for _, name := range []string{path, path + "-wal", path + "-shm", path + "-journal"} {
		err := private.Check(name)
		if err == nil {
			err = tighten(ctx, name, log)
		}
		if err != nil && !errors.Is(err, fs.ErrNotExist) {
			return err
		}
	}
	file, err := os.OpenFile(path, os.O_CREATE|os.O_RDWR, 0o600)
	if err != nil {
		return err
	}
	return file.Close()
}

func tighten(ctx context.Context, name string, log *slog.Logger) error {
	readable, err := private.Tighten(name)
	if readable && err == nil {
		log.WarnContext(ctx, "other users could read a database file: its mode is now 0600", "file", name)
	}
	return err
}

// isThere returns errReplaced unless the files at the path are still the open ones. It is called after every change, because then
// the log exists. It costs two system calls.
func (f *file) isThere() error {
	var now [2]os.FileInfo
	for i, name := range [2]string{f.path, f.path + "-wal"} {
		info, err := os.Stat(name)
		if err != nil {
			return fmt.Errorf("%w: %w", errReplaced, err)
		}
		now[i] = info
	}
	first := f.first.Load()
	if first == nil {
		f.first.CompareAndSwap(nil, &now)
		return nil
	}
	if !os.SameFile(first[0], now[0]) || !os.SameFile(first[1], now[1]) {
		return errReplaced
	}
	return nil
}
