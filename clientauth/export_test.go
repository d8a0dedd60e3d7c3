package clientauth

import "io"

// ReadRevocations is readRevocations without its limit, for the fuzz target.
func ReadRevocations(body io.Reader, apply func(...Revocation)) (*int64, error) {
	return readRevocations(body, 1<<20, apply)
}
