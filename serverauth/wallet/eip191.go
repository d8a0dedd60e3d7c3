package wallet

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"strconv"

	"github.com/decred/dcrd/dcrec/secp256k1/v4"
	"github.com/decred/dcrd/dcrec/secp256k1/v4/ecdsa"
)

// EIP191Algorithm is the name of the [EIP191] scheme.
const EIP191Algorithm = "eip191"

type eip191Scheme struct{}

// EIP191 is the signature that Ethereum wallets make with personal_sign: ECDSA
// on secp256k1 over the Keccak-256 of a prefix and the message (ERC-191,
// version 0x45).
//
// A signature is 65 bytes, r‖s‖v with v 0, 1, 27 or 28, or the 64 bytes of
// EIP-2098, where the top bit of s encodes v. s must be at most half the order.
// The key is recovered from the signature and returned uncompressed. The
// publicKey given to Verify may be the 20-byte address or the SEC1 key that it
// must match, or empty to match any.
//
// An address is 0x and 40 hex digits; the canonical one has its EIP-55
// checksum. The key was recovered and not claimed: an address of another key is
// therefore both an ErrInvalidSignature and an ErrAddressMismatch.
func EIP191() Scheme { return builtin{eip191Scheme{}} }

func (eip191Scheme) Algorithm() string { return EIP191Algorithm }

func (eip191Scheme) Verify(_ context.Context, _ ChainID, publicKey, message, signature []byte) ([]byte, error) {
	matches, err := eip191Expectation(publicKey)
	if err != nil {
		return nil, err
	}
	compact, err := eip191Compact(signature)
	if err != nil {
		return nil, err
	}
	digest := PersonalHash(message)
	key, _, err := ecdsa.RecoverCompact(compact[:], digest[:])
	if err != nil {
		return nil, fmt.Errorf("%w: %w", ErrInvalidSignature, err)
	}
	if !matches(key) {
		return nil, ErrInvalidSignature
	}
	return key.SerializeUncompressed(), nil
}

func (eip191Scheme) identify(address Address, key []byte) (Identity, error) {
	signer, err := parseSEC1(key)
	if err != nil {
		return Identity{}, ErrAddressMismatch
	}
	id, err := identifyEthereum(address, signer)
	if errors.Is(err, ErrAddressMismatch) {
		err = fmt.Errorf("%w: %w", ErrInvalidSignature, err)
	}
	return id, err
}

// eip191Expectation returns the check of the recovered key against the
// publicKey given to Verify.
func eip191Expectation(publicKey []byte) (matches func(*secp256k1.PublicKey) bool, err error) {
	switch len(publicKey) {
	case 0:
		return func(*secp256k1.PublicKey) bool { return true }, nil
	case 20:
		return func(key *secp256k1.PublicKey) bool {
			address := ethereumAddressOf(key)
			return bytes.Equal(address[:], publicKey)
		}, nil
	default:
		expected, err := parseSEC1(publicKey)
		if err != nil {
			return nil, err
		}
		return expected.IsEqual, nil
	}
}

// eip191Compact turns a signature of 65 or 64 bytes into the form that
// RecoverCompact reads: 27 plus the parity of R's y, then r‖s.
func eip191Compact(signature []byte) (compact [65]byte, err error) {
	switch len(signature) {
	case 65:
		v := signature[64]
		if v < 27 {
			v += 27
		}
		if v != 27 && v != 28 {
			return compact, &FormError{fmt.Sprintf("the signature has a v of %d and must have 0, 1, 27 or 28", signature[64])}
		}
		compact[0] = v
		copy(compact[1:], signature[:64])
	case 64:
		copy(compact[1:], signature)
		compact[0] = 27 + compact[33]>>7
		compact[33] &= 0x7f
	default:
		return compact, signatureLength(signature, "65 (r, s and v), or 64 (EIP-2098)")
	}
	_, err = parseRS(compact[1:])
	return compact, err
}

// PersonalHash returns the hash of a message that personal_sign signs and that a contract wallet is asked about.
func PersonalHash(message []byte) [32]byte {
	prefix := strconv.AppendInt([]byte("\x19Ethereum Signed Message:\n"), int64(len(message)), 10)
	return keccak256(prefix, message)
}

// IsSignedByKey reports whether the key of address made an [EIP191] signature. This includes signatures that are refused
// because s is high (anyone can compute that from the low s) or because another public key came with them. The chain is not
// asked about such a signature: it would treat the address as an account without code.
func IsSignedByKey(address Address, message, signature []byte) bool {
	if isRecovered(address, message, signature) {
		return true
	}
	var s secp256k1.ModNScalar
	if len(signature) != 65 || s.SetByteSlice(signature[32:64]) || !s.IsOverHalfOrder() {
		return false
	}
	low := bytes.Clone(signature)
	s.Negate()
	s.PutBytesUnchecked(low[32:64])
	if low[64] >= 27 {
		low[64] = 27 + 28 - low[64]
	} else {
		low[64] = 1 - low[64]
	}
	return isRecovered(address, message, low)
}

func isRecovered(address Address, message, signature []byte) bool {
	key, err := eip191Scheme{}.Verify(context.Background(), ChainID{}, nil, message, signature)
	if err != nil {
		return false
	}
	_, err = eip191Scheme{}.identify(address, key)
	return err == nil
}
