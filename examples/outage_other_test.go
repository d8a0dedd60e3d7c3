//go:build !linux

package examples_test

import "testing"

func smallDisk(t *testing.T) string {
	t.Helper()
	t.Skip("!!!! a small file system is mounted on Linux only: what a full disk does was NOT tested !!!!")
	return ""
}
