package store

import (
	"crypto/sha256"
	"encoding/base64"
	"strings"

	"github.com/picoauth/picoauth/serverauth/internal/mac"
)

// Purpose is the purpose of a nonce. The empty one is a sign-in; any other is made by NewPurpose. A nonce is created and
// validated with its purpose and its address together (Owner), so that it is not valid for any other purpose, and is not used
// up when it is presented for one.
type Purpose string

// purposeSize is the length of a Purpose that is not empty: purposeMark and a SHA-256 digest in base64url.
const purposeSize = len(purposeMark) + 43

// purposeMark is a prefix that no address has, because white space around addresses is removed.
const purposeMark = " "

// NewPurpose returns a purpose. name identifies the kind of use; bound are values to which the nonce is bound besides its
// address, such as the subject to which a wallet is added. Two purposes are equal only if name and values are equal.
func NewPurpose(name string, bound ...string) Purpose {
	digest := sha256.Sum256(mac.Fields{}.Texts(name).Texts(bound...))
	return Purpose(purposeMark + base64.RawURLEncoding.EncodeToString(digest[:]))
}

// Owner returns the address for a ChallengeStore: an address together with the purpose. For a sign-in it is the address itself.
func (p Purpose) Owner(address string) string {
	if p == "" && strings.HasPrefix(address, purposeMark) {
		return purposeMark + purposeMark + address // not a Purpose: there a base64url character comes after the first mark
	}
	return string(p) + address
}

// purposeOf returns the purpose in a result of Owner.
func purposeOf(owner string) Purpose {
	if len(owner) < purposeSize || !strings.HasPrefix(owner, purposeMark) || strings.HasPrefix(owner[len(purposeMark):], purposeMark) {
		return ""
	}
	return Purpose(owner[:purposeSize])
}
