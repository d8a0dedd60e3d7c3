package examples_test

import (
	"fmt"
	"syscall"
	"testing"

	"github.com/picoauth/picoauth/testutil/services"
)

// smallDisk mounts a file system of 4 MiB, which only root may.
func smallDisk(t *testing.T) string {
	t.Helper()
	dir := t.TempDir()
	if err := syscall.Mount("tmpfs", dir, "tmpfs", 0, "size=4m"); err != nil {
		services.Missing(t, fmt.Sprintf("no small file system can be mounted (%v): what a full disk does was NOT tested", err))
	}
	t.Cleanup(func() {
		if err := syscall.Unmount(dir, syscall.MNT_DETACH); err != nil {
			t.Error(err)
		}
	})
	return dir
}
