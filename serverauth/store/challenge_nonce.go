package store

import (
	"crypto/rand"
	"crypto/subtle"
	"encoding/binary"
	"encoding/hex"
	"time"

	"github.com/picoauth/picoauth/serverauth/internal/mac"
)

// The 32 bytes of a nonce: 6 of expiry (Unix milliseconds, big endian), 6 random ones, 4 of an HMAC-SHA-256 over these 12 and
// the purpose, by which the issuer recognises its own nonce for any address, and 16 of an HMAC-SHA-256 over these 16 and the
// address with its purpose.
const (
	nonceExpirySize = 6
	nonceSeedSize   = 12
	nonceIDSize     = 16
	nonceSize       = 32
	// NonceKeySize is the size of a NonceMinter's key in bytes.
	NonceKeySize = 32
)

// NonceID is the unique part of a nonce: its expiry, its random bytes and their short MAC. A store remembers it when the nonce
// was used. Compared as bytes, the ids are ordered by expiry.
type NonceID [nonceIDSize]byte

// NonceMinter makes nonces with a MAC: with the key it can verify a nonce, its address and its expiry without having stored it.
// Processes that share a store share the key.
type NonceMinter struct {
	macs *mac.MACs
}

// NewNonceMinter returns a minter for a secret key.
func NewNonceMinter(key [NonceKeySize]byte) *NonceMinter {
	return &NonceMinter{mac.New(mac.Fixed(key[:]))}
}

// Mint returns a nonce for address, 64 lowercase hex characters. With the empty address the nonce is for any account.
func (m *NonceMinter) Mint(address string, expires time.Time) string {
	var nonce [nonceSize]byte
	binary.BigEndian.PutUint64(nonce[:8], uint64(expires.UnixMilli())<<16)
	rand.Read(nonce[nonceExpirySize:nonceSeedSize]) // never fails: crypto/rand ends the program instead
	m.mark(&nonce, purposeOf(address))
	m.seal(&nonce, address)
	var text [2 * nonceSize]byte
	hex.Encode(text[:], nonce[:])
	return string(text[:])
}

// Open returns the id and the expiry of a nonce that was made with this key for the address; ok is false for any other text.
// The caller has to compare the expiry.
func (m *NonceMinter) Open(address, text string) (id NonceID, expires time.Time, ok bool) {
	nonce, ok := readNonce(text)
	if !ok {
		return id, expires, false
	}
	genuine := nonce
	m.seal(&genuine, address)
	if subtle.ConstantTimeCompare(nonce[:], genuine[:]) != 1 {
		return NonceID{}, expires, false
	}
	copy(id[:], nonce[:nonceIDSize])
	return id, expiryOf(nonce), true
}

// Made returns the expiry of a nonce that was made with this key for the purpose, for any address. It accepts one in 2^32
// invented nonces, so use it only for hints.
func (m *NonceMinter) Made(purpose Purpose, text string) (expires time.Time, ok bool) {
	nonce, ok := readNonce(text)
	genuine := nonce
	m.mark(&genuine, purpose)
	if !ok || subtle.ConstantTimeCompare(nonce[:], genuine[:]) != 1 {
		return time.Time{}, false
	}
	return expiryOf(nonce), true
}

func readNonce(text string) (nonce [nonceSize]byte, ok bool) {
	var digits [2 * nonceSize]byte
	if len(text) != len(digits) {
		return nonce, false
	}
	copy(digits[:], text)
	_, err := hex.Decode(nonce[:], digits[:])
	return nonce, err == nil
}

func expiryOf(nonce [nonceSize]byte) time.Time {
	return time.UnixMilli(int64(binary.BigEndian.Uint64(nonce[:8]) >> 16))
}

// mark writes the short MAC. Only 4 bytes of it are used, so that it reveals nothing about the 16 bytes of seal.
func (m *NonceMinter) mark(nonce *[nonceSize]byte, purpose Purpose) {
	sum := m.macs.Of(nonce[:nonceSeedSize], string(purpose))
	copy(nonce[nonceSeedSize:nonceIDSize], sum[:])
}

func (m *NonceMinter) seal(nonce *[nonceSize]byte, address string) {
	sum := m.macs.Of(nonce[:nonceIDSize], address)
	copy(nonce[nonceIDSize:], sum[:])
}
