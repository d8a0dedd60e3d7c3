package wallet

import (
	"bytes"
	"context"
	"crypto/ed25519"
	"encoding/hex"
	"slices"

	"github.com/mr-tron/base58"

	"github.com/picoauth/picoauth/clientauth/jose"
)

// Ed25519Algorithm is the name of the [Ed25519] scheme.
const Ed25519Algorithm = "Ed25519"

type ed25519Scheme struct{}

// Ed25519 is RFC 8032 Ed25519 (pure, no context) over the message itself,
// which is what Solana wallets produce with signMessage. Keys are 32 bytes,
// signatures 64.
//
// Keys of low order are refused, because a signature for one proves nothing.
// Keys and signatures must be in canonical encoding, so that no signature has a
// second valid form.
//
// An address is the key in hex, or in base58 as on Solana; the canonical
// address keeps the form that was given.
func Ed25519() Scheme { return builtin{ed25519Scheme{}} }

func (ed25519Scheme) Algorithm() string { return Ed25519Algorithm }

func (ed25519Scheme) Verify(_ context.Context, _ ChainID, publicKey, message, signature []byte) ([]byte, error) {
	if len(publicKey) != ed25519.PublicKeySize {
		return nil, keyLength(publicKey, "32")
	}
	if len(signature) != ed25519.SignatureSize {
		return nil, signatureLength(signature, "64")
	}
	if err := checkEd25519Key(publicKey); err != nil {
		return nil, err
	}
	if !ed25519.Verify(publicKey, message, signature) {
		return nil, ErrInvalidSignature
	}
	return publicKey, nil
}

func (ed25519Scheme) identify(address Address, key []byte) (Identity, error) {
	if len(key) != ed25519.PublicKeySize {
		return Identity{}, ErrAddressMismatch
	}
	id := Identity{WalletID: jose.ThumbprintOKP(jose.Ed25519, key)}
	switch {
	case isHexOf(address.text, key):
		id.Address = hex.EncodeToString(key)
	case bytes.Equal(address.SolanaKey(), key):
		id.Address, id.Chain = base58.Encode(key), NamespaceSolana
	default:
		return Identity{}, ErrAddressMismatch
	}
	return id, nil
}

// fieldPrime is 2^255-19, big endian.
var fieldPrime = [32]byte{
	0x7f, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff,
	0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xed,
}

// lowOrderY are the y coordinates, little endian, of the eight points whose
// order divides the cofactor. The sign of x does not matter.
var lowOrderY = [][32]byte{
	{0x01}, // order 1, the neutral element
	{ // order 2: p-1
		0xec, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff,
		0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0x7f,
	},
	{}, // order 4
	{ // order 8
		0x26, 0xe8, 0x95, 0x8f, 0xc2, 0xb2, 0x27, 0xb0, 0x45, 0xc3, 0xf4, 0x89, 0xf2, 0xef, 0x98, 0xf0,
		0xd5, 0xdf, 0xac, 0x05, 0xd3, 0xc6, 0x33, 0x39, 0xb1, 0x38, 0x02, 0x88, 0x6d, 0x53, 0xfc, 0x05,
	},
	{ // order 8
		0xc7, 0x17, 0x6a, 0x70, 0x3d, 0x4d, 0xd8, 0x4f, 0xba, 0x3c, 0x0b, 0x76, 0x0d, 0x10, 0x67, 0x0f,
		0x2a, 0x20, 0x53, 0xfa, 0x2c, 0x39, 0xcc, 0xc6, 0x4e, 0xc7, 0xfd, 0x77, 0x92, 0xac, 0x03, 0x7a,
	},
}

// checkEd25519Key refuses keys of low order and keys whose y is not reduced
// (RFC 8032, 5.1.3, step 1). publicKey has 32 bytes. ed25519.Verify checks
// whether it is on the curve.
func checkEd25519Key(publicKey []byte) error {
	y := [32]byte(publicKey)
	y[31] &= 0x7f // the sign of x
	bigEndian := y
	slices.Reverse(bigEndian[:])
	if bytes.Compare(bigEndian[:], fieldPrime[:]) >= 0 {
		return &FormError{"the public key is not canonical: its y is not below 2^255-19"}
	}
	if slices.Contains(lowOrderY, y) {
		return ErrLowOrderKey
	}
	return nil
}
