package storageurl

import (
	"errors"
	"net/url"
	"strings"
)

// ErrNotEncoded is returned for an ambiguous URL. Its text contains nothing of the URL, because a password that is not
// percent-encoded can be in any part of it.
var ErrNotEncoded = errors.New("is not scheme://user:password@host:port/…: special characters of a password must be percent-encoded " +
	"(@ as %40, : as %3A, / as %2F, ? as %3F, # as %23, % as %25, a space as %20)")

// Check returns ErrNotEncoded for a URL whose host is ambiguous: with an @ other than the one after user and password, with
// a fragment, or with an invalid character. It returns nil for a URL without a host.
func Check(text string) error {
	_, rest, hasHost := strings.Cut(text, "://")
	if !hasHost {
		return nil
	}
	authority := rest
	if end := strings.IndexAny(rest, "/?#"); end >= 0 {
		authority = rest[:end]
	}
	u, err := url.Parse(text)
	if err != nil || strings.Contains(text, "#") || strings.Count(rest, "@") != strings.Count(authority, "@") || strings.Count(authority, "@") > 1 {
		return ErrNotEncoded
	}
	for _, r := range u.Host { // what a password without an @ after it would leave there
		if r <= ' ' || r == '\\' {
			return ErrNotEncoded
		}
	}
	return nil
}
