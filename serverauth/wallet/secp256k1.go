package wallet

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"fmt"

	"github.com/decred/dcrd/dcrec/secp256k1/v4"
	"github.com/decred/dcrd/dcrec/secp256k1/v4/ecdsa"

	"github.com/picoauth/picoauth/clientauth/jose"
)

// Secp256k1Algorithm is the name of the [Secp256k1] scheme.
const Secp256k1Algorithm = "secp256k1"

type secp256k1Scheme struct{}

// Secp256k1 is ECDSA on secp256k1 over the SHA-256 of the message. Ethereum
// wallets use [EIP191] instead.
//
// A public key is SEC1, 33 bytes compressed or 65 uncompressed. A signature of
// exactly 64 bytes is r‖s; one of any other length is strict DER. (A DER
// signature of 64 bytes would need an r or s shorter by several bytes, which
// does not happen in practice.) s must be at most half the order, so that no
// signature has a second valid form.
//
// Verify returns the key uncompressed, so that its y is not computed again.
//
// An address is the key in hex, in either form, or the Ethereum address of the
// key.
func Secp256k1() Scheme { return builtin{secp256k1Scheme{}} }

func (secp256k1Scheme) Algorithm() string { return Secp256k1Algorithm }

func (secp256k1Scheme) Verify(_ context.Context, _ ChainID, publicKey, message, signature []byte) ([]byte, error) {
	key, err := parseSEC1(publicKey)
	if err != nil {
		return nil, err
	}
	sig, err := parseECDSA(signature)
	if err != nil {
		return nil, err
	}
	digest := sha256.Sum256(message)
	if !sig.Verify(digest[:], key) {
		return nil, ErrInvalidSignature
	}
	return key.SerializeUncompressed(), nil
}

func (secp256k1Scheme) identify(address Address, key []byte) (Identity, error) {
	signer, err := parseSEC1(key)
	if err != nil {
		return Identity{}, ErrAddressMismatch
	}
	if address.kind == Ethereum {
		return identifyEthereum(address, signer)
	}
	compressed := signer.SerializeCompressed()
	if !isHexOf(address.text, compressed) && !isHexOf(address.text, signer.SerializeUncompressed()) {
		return Identity{}, ErrAddressMismatch
	}
	return Identity{Address: hex.EncodeToString(compressed), WalletID: thumbprintSecp256k1(signer)}, nil
}

func thumbprintSecp256k1(key *secp256k1.PublicKey) string {
	point := key.SerializeUncompressed()
	return jose.ThumbprintEC("secp256k1", point[1:33], point[33:])
}

// parseSEC1 parses a compressed or uncompressed point. It refuses the hybrid
// form (06, 07) and the point at infinity.
func parseSEC1(key []byte) (*secp256k1.PublicKey, error) {
	switch {
	case len(key) == secp256k1.PubKeyBytesLenCompressed:
	case len(key) == secp256k1.PubKeyBytesLenUncompressed && key[0] == secp256k1.PubKeyFormatUncompressed:
	case len(key) == secp256k1.PubKeyBytesLenUncompressed:
		return nil, &FormError{fmt.Sprintf("the public key has 65 bytes that begin with %02x and must begin with 04", key[0])}
	default:
		return nil, keyLength(key, "33, or 65 that begin with 04 (SEC1)")
	}
	parsed, err := secp256k1.ParsePubKey(key)
	if err != nil {
		return nil, &FormError{"the public key is not a point of the curve secp256k1 in SEC1 form"}
	}
	return parsed, nil
}

// The lengths of DER signatures on a 256-bit curve, in bytes.
const (
	minDERSignature = 8
	maxDERSignature = 72
)

// parseECDSA parses r‖s (64 bytes) or DER (any other length), with 0 < r < n
// and 0 < s ≤ n/2.
func parseECDSA(signature []byte) (*ecdsa.Signature, error) {
	if len(signature) == 64 {
		return parseRS(signature)
	}
	if len(signature) < minDERSignature || len(signature) > maxDERSignature || !beginsAsDER(signature) {
		return nil, signatureLength(signature, "64 (r and s, without v), or be DER")
	}
	sig, err := ecdsa.ParseDERSignature(signature)
	if err != nil {
		return nil, &FormError{"the signature begins like DER, but is not an ECDSA signature in DER"}
	}
	if s := sig.S(); s.IsOverHalfOrder() {
		return nil, ErrHighS
	}
	return sig, nil
}

// beginsAsDER reports whether the first two bytes are those of a DER sequence
// that fills the signature. If not, the signature is not damaged DER but
// another form, such as r, s and v in 65 bytes.
func beginsAsDER(signature []byte) bool {
	return signature[0] == 0x30 && int(signature[1]) == len(signature)-2
}

// parseRS reads the 64 bytes of r‖s.
func parseRS(signature []byte) (*ecdsa.Signature, error) {
	var r, s secp256k1.ModNScalar
	if r.SetByteSlice(signature[:32]) || s.SetByteSlice(signature[32:64]) || r.IsZero() || s.IsZero() {
		return nil, &FormError{"the signature has an r or s that is 0 or not below the order of secp256k1"}
	}
	if s.IsOverHalfOrder() {
		return nil, ErrHighS
	}
	return ecdsa.NewSignature(&r, &s), nil
}
