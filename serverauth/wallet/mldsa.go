package wallet

import (
	"context"
	"strconv"

	"github.com/cloudflare/circl/sign/mldsa/mldsa44"
	"github.com/cloudflare/circl/sign/mldsa/mldsa65"
	"github.com/cloudflare/circl/sign/mldsa/mldsa87"

	"github.com/picoauth/picoauth/clientauth/jose"
)

// The names of the ML-DSA schemes, as in RFC 9964.
const (
	MLDSA44Algorithm = "ML-DSA-44"
	MLDSA65Algorithm = "ML-DSA-65"
	MLDSA87Algorithm = "ML-DSA-87"
)

// mldsaScheme is one parameter set. verify gets slices of the right lengths.
type mldsaScheme struct {
	algorithm              string
	keySize, signatureSize int
	verify                 func(publicKey, message, signature []byte) bool
}

// MLDSA44 is FIPS 204 ML-DSA-44 (pure, with an empty context and no pre-hash)
// over the message itself: keys of 1312 bytes, signatures of 2420, NIST
// security category 2.
//
// An address is the key in hex, or its RFC 7638 thumbprint; the canonical one
// is the thumbprint, since the key would not fit an HTTP header.
func MLDSA44() Scheme {
	return builtin{mldsaScheme{MLDSA44Algorithm, mldsa44.PublicKeySize, mldsa44.SignatureSize,
		verifyUnpacked((*mldsa44.PublicKey).UnmarshalBinary, mldsa44.Verify)}}
}

// MLDSA65 is MLDSA44 with keys of 1952 bytes and signatures of 3309, category
// 3. It is the default of a sign-in that names no algorithm.
func MLDSA65() Scheme {
	return builtin{mldsaScheme{MLDSA65Algorithm, mldsa65.PublicKeySize, mldsa65.SignatureSize,
		verifyUnpacked((*mldsa65.PublicKey).UnmarshalBinary, mldsa65.Verify)}}
}

// MLDSA87 is MLDSA44 with keys of 2592 bytes and signatures of 4627, category
// 5.
func MLDSA87() Scheme {
	return builtin{mldsaScheme{MLDSA87Algorithm, mldsa87.PublicKeySize, mldsa87.SignatureSize,
		verifyUnpacked((*mldsa87.PublicKey).UnmarshalBinary, mldsa87.Verify)}}
}

func (m mldsaScheme) Algorithm() string { return m.algorithm }

func (m mldsaScheme) Verify(_ context.Context, _ ChainID, publicKey, message, signature []byte) ([]byte, error) {
	if len(publicKey) != m.keySize {
		return nil, keyLength(publicKey, strconv.Itoa(m.keySize))
	}
	if len(signature) != m.signatureSize {
		return nil, signatureLength(signature, strconv.Itoa(m.signatureSize))
	}
	if !m.verify(publicKey, message, signature) {
		return nil, ErrInvalidSignature
	}
	return publicKey, nil
}

func (m mldsaScheme) identify(address Address, key []byte) (Identity, error) {
	if len(key) != m.keySize {
		return Identity{}, ErrAddressMismatch
	}
	thumbprint := jose.ThumbprintAKP(m.algorithm, key)
	if address.text != thumbprint && !isHexOf(address.text, key) {
		return Identity{}, ErrAddressMismatch
	}
	return Identity{Address: thumbprint, WalletID: thumbprint}, nil
}
