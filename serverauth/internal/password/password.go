// Package password checks passwords and client secrets against the configured ones: plain text, or an argon2id or bcrypt hash.
package password

import (
	"crypto/sha256"
	"crypto/subtle"
	"encoding/base64"
	"errors"
	"fmt"
	"strings"

	"golang.org/x/crypto/argon2"
	"golang.org/x/crypto/bcrypt"
)

// Limits of the parameters of a hash: with smaller ones it is invalid, with larger ones one login would overload the server.
const (
	minArgonMemory = 8           // KiB per thread (RFC 9106, section 3.1)
	maxArgonMemory = 1024 * 1024 // KiB: 1 GiB
	maxArgonTime   = 64
	maxBcryptCost  = 16
)

// Check reports whether a password is the right one. Its running time does not reveal the right one.
type Check func(password string) bool

// ErrHash is returned for a text that begins with $ and is not a valid hash.
var ErrHash = errors.New("begins with $, but is not a valid argon2id or bcrypt hash")

// IsHash reports whether a configured password is a hash (it begins with $) and not the password itself.
func IsHash(configured string) bool { return strings.HasPrefix(configured, "$") }

// New reads a configured password: an argon2id or bcrypt hash, or plain text. It returns ErrHash for an invalid or any
// other hash.
func New(configured string) (Check, error) {
	switch {
	case strings.HasPrefix(configured, "$argon2id$"):
		return argon2idCheck(configured)
	case strings.HasPrefix(configured, "$2"):
		return bcryptCheck(configured)
	case IsHash(configured):
		return nil, ErrHash
	default:
		return plainCheck(configured), nil
	}
}

func plainCheck(configured string) Check {
	want := sha256.Sum256([]byte(configured))
	return func(password string) bool {
		got := sha256.Sum256([]byte(password))
		return subtle.ConstantTimeCompare(got[:], want[:]) == 1
	}
}

func bcryptCheck(configured string) (Check, error) {
	cost, err := bcrypt.Cost([]byte(configured))
	if err != nil || len(configured) != 60 || cost > maxBcryptCost {
		return nil, ErrHash
	}
	return func(password string) bool {
		return bcrypt.CompareHashAndPassword([]byte(configured), []byte(password)) == nil
	}, nil
}

// argon2idCheck parses a PHC string, $argon2id$v=19$m=65536,t=3,p=4$salt$hash, with base64 without padding.
func argon2idCheck(configured string) (Check, error) {
	part := strings.Split(configured, "$")
	if len(part) != 6 || part[2] != fmt.Sprintf("v=%d", argon2.Version) {
		return nil, ErrHash
	}
	var memory, time uint32
	var threads uint8
	if _, err := fmt.Sscanf(part[3], "m=%d,t=%d,p=%d", &memory, &time, &threads); err != nil ||
		part[3] != fmt.Sprintf("m=%d,t=%d,p=%d", memory, time, threads) {
		return nil, ErrHash
	}
	salt, saltErr := base64.RawStdEncoding.Strict().DecodeString(part[4])
	want, hashErr := base64.RawStdEncoding.Strict().DecodeString(part[5])
	if saltErr != nil || hashErr != nil || len(salt) < 8 || len(want) < 16 || len(want) > 128 || threads == 0 || time == 0 ||
		time > maxArgonTime || memory < minArgonMemory*uint32(threads) || memory > maxArgonMemory {
		return nil, ErrHash
	}
	return func(password string) bool {
		got := argon2.IDKey([]byte(password), salt, time, memory, threads, uint32(len(want)))
		return subtle.ConstantTimeCompare(got, want) == 1
	}, nil
}
