// Package private checks that other users cannot change files and folders.
package private

import (
	"fmt"
	"os"
)

const (
	forOthers = 0o077 // permission bits of group and others
	othersMay = 0o022 // permission bits to write
)

// Check returns an error, with the path, for a file or folder that another user owns or can write to. The superuser may own it,
// because it has access anyway. On systems without Unix permissions, such as Windows, Check accepts every existing one.
func Check(path string) error {
	info, err := os.Stat(path)
	if err != nil {
		return err
	}
	return CheckInfo(path, info)
}

// Folder creates a folder with mode 0700, or checks the existing one as Check does. An empty one gets mode 0700 if possible.
// listable reports whether other users have any permission on it.
func Folder(path string) (listable bool, err error) {
	if err := os.MkdirAll(path, 0o700); err != nil {
		return false, err
	}
	info, err := os.Stat(path)
	if err != nil {
		return false, err
	}
	if !info.IsDir() {
		return false, fmt.Errorf("%s is not a folder", path)
	}
	if !Readable(info) {
		return false, CheckInfo(path, info)
	}
	entries, err := os.ReadDir(path)
	if err != nil {
		return false, err
	}
	if len(entries) == 0 && os.Chmod(path, 0o700) == nil { //nolint:gosec // a folder is entered
		return false, Check(path)
	}
	return true, CheckInfo(path, info)
}

// CheckInfo is Check for the given information about a file.
func CheckInfo(path string, info os.FileInfo) error {
	owner, known := ownerOf(info)
	switch {
	case !known:
		return nil
	case owner != os.Geteuid() && owner != 0:
		return fmt.Errorf("%s belongs to another user (uid %d): give it to the user that runs the server (chown), or configure another path", path, owner)
	case info.Mode().Perm()&othersMay != 0:
		return fmt.Errorf("other users can write to %s (mode %#o): make it private (chmod %s), or configure another path",
			path, info.Mode().Perm(), privateMode(info))
	}
	return nil
}

// Readable reports whether other users have any permission on a file or folder.
func Readable(info os.FileInfo) bool {
	_, known := ownerOf(info)
	return known && info.Mode().Perm()&forOthers != 0
}

// Tighten gives a file mode 0600 if other users have any permission on it, and reports whether they had one.
func Tighten(path string) (was bool, err error) {
	info, err := os.Stat(path)
	if err != nil || !Readable(info) {
		return false, err
	}
	return true, os.Chmod(path, 0o600)
}

func privateMode(info os.FileInfo) string {
	if info.IsDir() {
		return "700"
	}
	return "600"
}
