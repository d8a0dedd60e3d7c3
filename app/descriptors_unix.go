//go:build unix

package app

import (
	"math"
	"syscall"
)

// descriptorLimit returns the number of file descriptors that the process may open; 0: not known. Go raises it to the hard limit
// when a program starts.
func descriptorLimit() int {
	var limit syscall.Rlimit
	if err := syscall.Getrlimit(syscall.RLIMIT_NOFILE, &limit); err != nil {
		return 0
	}
	return int(min(uint64(limit.Cur), math.MaxInt32)) //nolint:unconvert // it is signed on FreeBSD
}
