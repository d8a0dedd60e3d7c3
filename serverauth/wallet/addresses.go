package wallet

import (
	"crypto/ed25519"
	"strings"

	"github.com/mr-tron/base58"
)

// AddressKind is the kind of an address by its form, before any key is known.
type AddressKind int

const (
	// Raw is an address without a chain: a key in hex, a thumbprint, or an
	// unknown form.
	Raw AddressKind = iota
	// Ethereum is 0x and 40 hex digits.
	Ethereum
	// Solana is base58 of 32 bytes.
	Solana
)

// Namespace returns the CAIP-2 namespace of the kind's chains, or "" for Raw.
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

// solanaKey returns the 32-byte Ed25519 key of a Solana address; ok reports
// whether address is one.
func solanaKey(address string) (key []byte, ok bool) {
	if len(address) < minSolanaAddress || len(address) > maxSolanaAddress {
		return nil, false
	}
	key, err := base58.Decode(address)
	return key, err == nil && len(key) == ed25519.PublicKeySize
}

// hexDigits strips an optional 0x and returns the rest with the classes of its
// characters. They include noHex unless the rest is hex of one or more bytes.
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

// The classes in hexValues. The four lower bits are the value of the digit.
const (
	upperHex = 0x10
	noHex    = 0x20
)

// hexValues has the value and class of each character. An ML-DSA key has
// thousands of digits, so they are read without a branch.
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
