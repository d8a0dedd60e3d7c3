package serverauth

import (
	"crypto/rand"
	"crypto/subtle"
	"encoding/binary"
	"encoding/hex"
	"time"
)

// The 32 bytes of a nonce: 6 of expiry (Unix milliseconds, big endian), 10 of randomness, 16 of HMAC-SHA-256 over
// those 16 and the address.
const (
	nonceExpirySize = 6
	nonceIDSize     = 16
	nonceSize       = 32
	// NonceKeySize is the size of a NonceMinter's key in bytes.
	NonceKeySize = 32
)

// NonceID is what is unique of a nonce: its expiry and its randomness. A store remembers it to know what is spent. As bytes
// the ids sort by expiry.
type NonceID [nonceIDSize]byte

// NonceMinter makes nonces that authenticate themselves: whoever holds the key can tell whether a nonce is genuine,
// whose it is and when it expires, without having remembered it. Stores that several processes share share the key.
type NonceMinter struct {
	macs *macs
}

// NewNonceMinter returns a minter for a secret key.
func NewNonceMinter(key [NonceKeySize]byte) *NonceMinter { return &NonceMinter{newMACs(key[:])} }

// Mint returns a nonce for address, 64 lowercase hex characters.
func (m *NonceMinter) Mint(address string, expires time.Time) string {
	var nonce [nonceSize]byte
	binary.BigEndian.PutUint64(nonce[:8], uint64(expires.UnixMilli())<<16)
	rand.Read(nonce[nonceExpirySize:nonceIDSize]) // never fails: crypto/rand ends the program instead
	m.seal(&nonce, address)
	var text [2 * nonceSize]byte
	hex.Encode(text[:], nonce[:])
	return string(text[:])
}

// Open returns the identity and the expiry of a nonce that this key made for this address. Whether it has expired
// is for the caller to say.
func (m *NonceMinter) Open(address, text string) (id NonceID, expires time.Time, ok bool) {
	var nonce, genuine [nonceSize]byte
	var digits [2 * nonceSize]byte
	if len(text) != len(digits) {
		return id, expires, false
	}
	copy(digits[:], text)
	if _, err := hex.Decode(nonce[:], digits[:]); err != nil {
		return id, expires, false
	}
	copy(id[:], nonce[:nonceIDSize])
	copy(genuine[:], id[:])
	m.seal(&genuine, address)
	if subtle.ConstantTimeCompare(nonce[:], genuine[:]) != 1 {
		return NonceID{}, expires, false
	}
	return id, time.UnixMilli(int64(binary.BigEndian.Uint64(nonce[:8]) >> 16)), true
}

func (m *NonceMinter) seal(nonce *[nonceSize]byte, address string) {
	sum := m.macs.of(nonce[:nonceIDSize], address)
	copy(nonce[nonceIDSize:], sum[:])
}
