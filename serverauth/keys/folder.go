package keys

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"runtime"
)

const (
	folderMode = 0o700
	forOthers  = 0o077 // permission bits of group and others
	othersMay  = 0o022 // … to write
	anybodyMay = 0o002
)

var plainName = regexp.MustCompile(`^[A-Za-z0-9_.-]{1,100}$`)

// safeName reports whether an id can be a file's name: no separator, nothing hidden by a leading dot.
func safeName(id string) bool { return plainName.MatchString(id) && id[0] != '.' }

// prepareFolder makes the folder with mode 0700, or checks the one that is there. An empty one is made private; in one
// that others can write to, anybody could plant a key, so it is refused.
func (s *FileStore) prepareFolder() error {
	if s.dir == "" {
		return errors.New("no folder given")
	}
	if err := os.MkdirAll(s.dir, folderMode); err != nil {
		return err
	}
	info, err := os.Stat(s.dir)
	if err != nil {
		return err
	}
	if !info.IsDir() {
		return fmt.Errorf("%s is not a folder", s.dir)
	}
	if runtime.GOOS == "windows" {
		return nil
	}
	s.checkParent()
	if info.Mode().Perm()&forOthers == 0 {
		return nil
	}
	entries, err := os.ReadDir(s.dir)
	if err != nil {
		return err
	}
	if len(entries) == 0 && os.Chmod(s.dir, folderMode) == nil {
		return nil
	}
	if info.Mode().Perm()&othersMay != 0 {
		return fmt.Errorf("other users can write to %s (mode %#o): make it private (chmod 700), or name a folder below it",
			s.dir, info.Mode().Perm())
	}
	s.log.Warn("keys: other users can list the key folder", "folder", s.dir, "mode", info.Mode().Perm().String())
	return nil
}

// checkParent warns of a folder around this one in which anybody can put another in its place.
func (s *FileStore) checkParent() {
	parent := filepath.Dir(filepath.Clean(s.dir))
	info, err := os.Stat(parent)
	if err == nil && info.Mode().Perm()&anybodyMay != 0 && info.Mode()&os.ModeSticky == 0 {
		s.log.Warn("keys: anybody can replace the key folder: make the one around it private (chmod 700)", "folder", parent,
			"mode", info.Mode().Perm().String())
	}
}

// makePrivate gives a file mode 0600 if others could read it, as after a backup was put back, and says so.
func (s *FileStore) makePrivate(path string, info os.FileInfo) {
	if runtime.GOOS == "windows" || info.Mode().Perm()&forOthers == 0 {
		return
	}
	err := os.Chmod(path, 0o600)
	s.log.Warn("keys: other users could read a key file", "file", path, "mode", info.Mode().Perm().String(),
		"made_private", err == nil)
}

// replaceFile writes a file of mode 0600 so that after a crash at any moment either the old or the new content is
// there, and after it returned nil, the new.
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

// syncFolder makes renames and deletions in a folder durable. Windows has no such call and needs none.
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
