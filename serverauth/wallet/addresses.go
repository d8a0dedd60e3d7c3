package wallet

import (
	"crypto/ed25519"
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

// Solana addresses are 32 to 44 characters of base58.
const (
	minSolanaAddress = 32
	maxSolanaAddress = 44
)

// solanaKey returns the 32-byte Ed25519 key that a Solana address is, and
// whether it is one.
func solanaKey(address string) (key []byte, ok bool) {
	if len(address) < minSolanaAddress || len(address) > maxSolanaAddress {
		return nil, false
	}
	key, err := base58.Decode(address)
	return key, err == nil && len(key) == ed25519.PublicKeySize
}

// hexDigits strips an optional 0x and returns the classes of what remains, as
// bits among others: noHex unless it is hex of at least one whole byte.
func hexDigits(text string) (digits string, classes byte) {
	digits = strings.TrimPrefix(text, "0x")
	if digits == "" || len(digits)%2 != 0 {
		return "", noHex
	}
	for i := range len(digits) {
		classes |= hexValues[digits[i]]
	}
	return digits, classes
}

// A hexValue is a digit's value and the class of its character.
const (
	upperHex = 0x10
	noHex    = 0x20
)

// hexValues has the value of each character. A key of ML-DSA has thousands of
// digits, so they are read without a branch.
var hexValues = func() (values [256]byte) {
	for c := range values {
		values[c] = noHex
	}
	for value, c := range []byte("0123456789abcdef") {
		values[c] = byte(value)
	}
	for value, c := range []byte("ABCDEF") {
		values[c] = byte(10+value) | upperHex
	}
	return values
}()

// isHexOf reports whether text is key in hex.
func isHexOf(text string, key []byte) bool {
	digits := strings.TrimPrefix(text, "0x")
	if len(key) == 0 || len(digits) != 2*len(key) {
		return false
	}
	var classes, difference byte
	for i, b := range key {
		high, low := hexValues[digits[2*i]], hexValues[digits[2*i+1]]
		classes |= high | low
		difference |= high<<4 ^ low&0x0f ^ b
	}
	return difference == 0 && classes&noHex == 0
}
