package dpop

import (
	"crypto/sha256"
	"strings"

	"github.com/picoauth/picoauth/clientauth/jose"
)

// URIs of thumbprints (RFC 9278). The prefixes are case-insensitive; the thumbprint is not.
const (
	thumbprintURN = "urn:ietf:params:oauth:jwk-thumbprint:"
	sha256URN     = thumbprintURN + "sha-256:"
)

// IsThumbprint reports whether a text can be the SHA-256 thumbprint of a key.
func IsThumbprint(text string) bool {
	sum, err := jose.DecodeBase64(text)
	return err == nil && len(sum) == sha256.Size
}

// Resource returns the URI that names a key in a message to sign.
func Resource(thumbprint string) string { return sha256URN + thumbprint }

// FitsResources returns [ErrKeyMismatch] unless the proof is of every key that the resources of a message name. A
// thumbprint with another hash than SHA-256 never matches.
func (p Proof) FitsResources(resources []string) error {
	for _, resource := range resources {
		if !hasPrefixFold(resource, thumbprintURN) {
			continue
		}
		if !hasPrefixFold(resource, sha256URN) || len(resource) == len(sha256URN) {
			return ErrKeyMismatch
		}
		if err := p.Fits(resource[len(sha256URN):]); err != nil {
			return err
		}
	}
	return nil
}

func hasPrefixFold(text, prefix string) bool {
	return len(text) >= len(prefix) && strings.EqualFold(text[:len(prefix)], prefix)
}
