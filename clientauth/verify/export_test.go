package verify

import "io"

// ReadRevocations is readRevocations, of a first page.
func ReadRevocations(body io.Reader, apply func(...Revocation)) (seq *int64, next string, items int, err error) {
	page, err := readRevocations(body, 0, apply)
	return page.seq, page.next, page.items, err
}

// ParseMetadata is parseMetadata.
var ParseMetadata = parseMetadata

// ClaimAt is claimSet.at.
func ClaimAt(claims map[string]any, path string) any { return claimSet(claims).at(path) }
