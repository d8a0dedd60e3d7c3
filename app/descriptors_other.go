//go:build !unix

package app

// descriptorLimit is 0: not known.
func descriptorLimit() int { return 0 }
