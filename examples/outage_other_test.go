//go:build !linux

package examples_test

import (
	"testing"

	"github.com/picoauth/picoauth/testutil/services"
)

func smallDisk(t *testing.T) string {
	t.Helper()
	services.Missing(t, "a small file system is mounted on Linux only: what a full disk does was NOT tested")
	return ""
}
