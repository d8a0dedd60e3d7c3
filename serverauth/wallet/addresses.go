package wallet

import (
	"bytes"
	"crypto/ed25519"
	"encoding/hex"
	"strings"

	"github.com/mr-tron/base58"
)

// AddressKind is what an address looks like, before any key is known.
type AddressKind int

const (
	// Raw is anything that names a bare key: hex, a thumbprint, or nothing
	// that is known.
	Raw AddressKind = iota
	// Ethereum is 0x and 40 hex digits.
	Ethereum
	// Solana is base58 of 32 bytes.
	Solana
)

// Namespace is the CAIP-2 namespace of the kind's chains, empty for Raw.
func (k AddressKind) Namespace() string {
	switch k {
	case Ethereum:
		return NamespaceEthereum
	case Solana:
		return NamespaceSolana
	default:
		return ""
	}
}

// KindOf tells the kind of an address by its form. Some thumbprints of ML-DSA
// keys are base58 of 32 bytes by chance: where the algorithm is known, it
// decides.
func KindOf(address string) AddressKind {
	if isEthereum(address) {
		return Ethereum
	}
	if _, ok := SolanaKey(address); ok {
		return Solana
	}
	return Raw
}

// ChallengeAddress is the form of an address that a challenge belongs to. It
// needs no key, and it makes one of what libraries write differently: 0x and
// 40 hex digits are lowercased, other hex loses its 0x and is lowercased, and
// anything else stays as it is.
func ChallengeAddress(address string) string {
	if isEthereum(address) {
		return strings.ToLower(address)
	}
	if digits, ok := hexDigits(address); ok {
		return strings.ToLower(digits)
	}
	return address
}

// Solana addresses are 32 to 44 characters of base58.
const (
	minSolanaAddress = 32
	maxSolanaAddress = 44
)

// SolanaKey returns the 32-byte Ed25519 key that a Solana address is, and
// whether it is one.
func SolanaKey(address string) (key []byte, ok bool) {
	if len(address) < minSolanaAddress || len(address) > maxSolanaAddress {
		return nil, false
	}
	key, err := base58.Decode(address)
	return key, err == nil && len(key) == ed25519.PublicKeySize
}

// hexDigits strips an optional 0x and reports whether what remains is hex of
// at least one whole byte.
func hexDigits(text string) (digits string, ok bool) {
	digits = strings.TrimPrefix(text, "0x")
	if digits == "" || len(digits)%2 != 0 {
		return "", false
	}
	return digits, consistsOf(digits, isHexDigit)
}

// decodeHex reads hex in either case with or without 0x.
func decodeHex(text string) ([]byte, bool) {
	digits, ok := hexDigits(text)
	if !ok {
		return nil, false
	}
	raw, err := hex.DecodeString(digits)
	return raw, err == nil
}

// isHexOf reports whether text is key in hex.
func isHexOf(text string, key []byte) bool {
	raw, ok := decodeHex(text)
	return ok && bytes.Equal(raw, key)
}
