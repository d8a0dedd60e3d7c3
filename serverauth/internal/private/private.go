// Package private tells whether files and folders are this user's alone to change.
package private

import (
	"fmt"
	"os"
)

const (
	forOthers = 0o077 // permission bits of group and others
	othersMay = 0o022 // … to write
)

// Check returns an error, with the name, for a file or folder that another user owns or may write. The superuser's is as good as
// one's own, since nothing is kept from him. Where permissions are no bits, as on Windows, it checks nothing.
func Check(path string) error {
	info, err := os.Stat(path)
	if err != nil {
		return err
	}
	return CheckInfo(path, info)
}

// Folder makes a folder private, or checks the one that is there: an empty one of this user's own is made private too. It tells whether
// other users can list it.
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

// CheckInfo is Check of what is known about a file already.
func CheckInfo(path string, info os.FileInfo) error {
	owner, known := ownerOf(info)
	switch {
	case !known:
		return nil
	case owner != os.Geteuid() && owner != 0:
		return fmt.Errorf("%s belongs to another user (uid %d): make it that of the user who runs the server (chown), or name another", path, owner)
	case info.Mode().Perm()&othersMay != 0:
		return fmt.Errorf("other users can write to %s (mode %#o): make it private (chmod %s), or name another",
			path, info.Mode().Perm(), privateMode(info))
	}
	return nil
}

// Readable tells whether other users may read a file or list a folder.
func Readable(info os.FileInfo) bool {
	_, known := ownerOf(info)
	return known && info.Mode().Perm()&forOthers != 0
}

// Tighten makes a file this user's alone, and tells whether others could read it before.
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
