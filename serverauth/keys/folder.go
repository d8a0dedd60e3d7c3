package keys

import (
	"errors"
	"os"
	"path/filepath"
	"regexp"
	"runtime"

	"github.com/picoauth/picoauth/serverauth/internal/private"
)

// anybodyMay is the permission bit that allows all users to write.
const anybodyMay = 0o002

var plainName = regexp.MustCompile(`^[A-Za-z0-9_.-]{1,100}$`)

// safeName reports whether an id can be a file name: without separators and without a leading dot.
func safeName(id string) bool { return plainName.MatchString(id) && id[0] != '.' }

// prepareFolder creates the folder with mode 0700, or checks the existing one. An empty one gets mode 0700. One that another user
// owns or can write to is refused, because that user could add a key.
func (s *FileStore) prepareFolder() error {
	if s.dir == "" {
		return errors.New("no folder given")
	}
	listable, err := private.Folder(s.dir)
	if err != nil {
		return err
	}
	s.checkParent()
	if listable {
		s.log.Warn("keys: other users can list the key folder: make it private (chmod 700)", "folder", s.dir)
	}
	return nil
}

// checkParent logs a warning if all users can replace the folder, because they may write to its parent.
func (s *FileStore) checkParent() {
	if runtime.GOOS == "windows" {
		return
	}
	parent := filepath.Dir(filepath.Clean(s.dir))
	info, err := os.Stat(parent)
	if err == nil && info.Mode().Perm()&anybodyMay != 0 && info.Mode()&os.ModeSticky == 0 {
		s.log.Warn("keys: every user can replace the key folder: make its parent folder private (chmod 700)", "folder", parent,
			"mode", info.Mode().Perm().String())
	}
}

// makePrivate sets mode 0600 on a file that others can read, for example after a backup was restored, and logs that. A file that
// another user owns or can write to is refused.
func (s *FileStore) makePrivate(path string, info os.FileInfo) error {
	if err := private.CheckInfo(path, info); err != nil || !private.Readable(info) {
		return err
	}
	err := os.Chmod(path, 0o600)
	s.log.Warn("keys: other users could read a key file", "file", path, "mode", info.Mode().Perm().String(),
		"made_private", err == nil)
	return nil
}

// replaceFile replaces a file atomically, with mode 0600: after a crash it has either the old or the new content, and after
// replaceFile has returned nil, the new content.
func replaceFile(path string, data []byte) (err error) {
	temp, err := os.CreateTemp(filepath.Dir(path), tempPrefix+"*") // mode 0600
	if err != nil {
		return err
	}
	defer func() {
		if err != nil {
			temp.Close()
			os.Remove(temp.Name())
		}
	}()
	if _, err := temp.Write(data); err != nil {
		return err
	}
	if err := temp.Sync(); err != nil {
		return err
	}
	if err := temp.Close(); err != nil {
		return err
	}
	if err := os.Rename(temp.Name(), path); err != nil {
		return err
	}
	return syncFolder(filepath.Dir(path))
}

// syncFolder makes renames and deletions in a folder durable. Windows does not have or need such a call.
func syncFolder(dir string) error {
	if runtime.GOOS == "windows" {
		return nil
	}
	folder, err := os.Open(dir)
	if err != nil {
		return err
	}
	defer folder.Close()
	return folder.Sync()
}
