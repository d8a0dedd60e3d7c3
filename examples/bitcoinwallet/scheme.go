package main

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/binary"
	"fmt"

	"github.com/decred/dcrd/dcrec/secp256k1/v4"
	"github.com/decred/dcrd/dcrec/secp256k1/v4/ecdsa"
	"github.com/mr-tron/base58"
	"golang.org/x/crypto/ripemd160" //nolint:staticcheck,gosec // Bitcoin addresses are made with it

	"github.com/picoauth/picoauth/clientauth/jose"
	"github.com/picoauth/picoauth/serverauth"
	"github.com/picoauth/picoauth/serverauth/wallet"
)

// Bitcoin is the scheme of Bitcoin's signmessage: a recoverable ECDSA signature over the double SHA-256 of the message
// behind its prefix. Addresses are those that begin with 1 (P2PKH).
type Bitcoin struct{}

// NewBitcoin returns the scheme.
func NewBitcoin() serverauth.WalletScheme { return Bitcoin{} }

const (
	messagePrefix = "\x18Bitcoin Signed Message:\n"
	signatureSize = 65 // recovery code, r, s
	addressSize   = 25 // version, hash, checksum
	checksumSize  = 4
	maxAddress    = 35 // characters
)

// Algorithm implements serverauth.WalletScheme.
func (Bitcoin) Algorithm() string { return "bitcoin" }

// Verify implements serverauth.WalletScheme: it recovers the key and compares it with the one that the client sent.
func (Bitcoin) Verify(_ context.Context, _ wallet.ChainID, publicKey, message, signature []byte) ([]byte, error) {
	if len(signature) != signatureSize {
		return nil, fmt.Errorf("%w: a signature has %d bytes", wallet.ErrWrongLength, signatureSize)
	}
	var s secp256k1.ModNScalar
	if s.SetByteSlice(signature[33:]) || s.IsOverHalfOrder() {
		return nil, wallet.ErrHighS
	}
	text := append(appendCompactSize([]byte(messagePrefix), len(message)), message...)
	first := sha256.Sum256(text)
	digest := sha256.Sum256(first[:])
	key, _, err := ecdsa.RecoverCompact(signature, digest[:])
	if err != nil {
		return nil, wallet.ErrInvalidSignature
	}
	claimed, err := secp256k1.ParsePubKey(publicKey)
	if err != nil || !claimed.IsEqual(key) {
		return nil, wallet.ErrInvalidSignature
	}
	return key.SerializeCompressed(), nil
}

// Identify implements serverauth.WalletScheme.
func (Bitcoin) Identify(address string, key []byte) (wallet.Identity, error) {
	if address != Address(key) {
		return wallet.Identity{}, wallet.ErrAddressMismatch
	}
	public, err := secp256k1.ParsePubKey(key)
	if err != nil {
		return wallet.Identity{}, wallet.ErrAddressMismatch
	}
	id := jose.ThumbprintEC("secp256k1", public.X().FillBytes(make([]byte, 32)), public.Y().FillBytes(make([]byte, 32)))
	return wallet.Identity{Address: address, WalletID: id}, nil
}

// IsAddress implements serverauth.AddressScheme: no fleet session may be named like a Bitcoin wallet.
func (Bitcoin) IsAddress(text string) bool {
	raw, err := base58.Decode(text)
	if len(text) > maxAddress || err != nil || len(raw) != addressSize {
		return false
	}
	first := sha256.Sum256(raw[:addressSize-checksumSize])
	check := sha256.Sum256(first[:])
	return bytes.Equal(raw[addressSize-checksumSize:], check[:checksumSize])
}

// Address is the P2PKH address of a compressed key.
func Address(key []byte) string {
	sum := sha256.Sum256(key)
	hash := ripemd160.New() //nolint:gosec // see the import
	hash.Write(sum[:])
	payload := hash.Sum(make([]byte, 1, addressSize))
	first := sha256.Sum256(payload)
	check := sha256.Sum256(first[:])
	return base58.Encode(append(bytes.Clone(payload), check[:checksumSize]...))
}

// appendCompactSize writes a length as Bitcoin does; a message here is far below 64 KiB.
func appendCompactSize(text []byte, n int) []byte {
	if n < 0xfd {
		return append(text, byte(n))
	}
	return binary.LittleEndian.AppendUint16(append(text, 0xfd), uint16(n))
}
