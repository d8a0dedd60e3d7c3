package signin

import (
	"bytes"
	"crypto"
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/rand"
	"crypto/sha256"
	"encoding"
	"encoding/asn1"
	"encoding/hex"
	"errors"
	"fmt"
	"math/big"

	"github.com/decred/dcrd/dcrec/secp256k1/v4"
	secpecdsa "github.com/decred/dcrd/dcrec/secp256k1/v4/ecdsa"
	"github.com/mr-tron/base58"
	"golang.org/x/crypto/sha3"
)

// Names of the wallet algorithms.
const (
	Ed25519   = "Ed25519"
	Secp256k1 = "secp256k1"
	EIP191    = "eip191"
	MLDSA44   = "ML-DSA-44"
	MLDSA65   = "ML-DSA-65"
	MLDSA87   = "ML-DSA-87"
	// Solana is Ed25519 with a Solana address (base58). The program then signs a message that names the site.
	Solana = "solana"
)

// Wallet signs challenges with a key in the format of POST /sign-in, for programs that make the requests themselves. A [Source]
// does not need one.
type Wallet struct {
	algorithm string
	address   string // for POST /challenge
	public    []byte // nil if the request needs none
	sign      func(text []byte) ([]byte, error)
}

// NewWallet returns the wallet of a key; see [Config] for the signer and the algorithm. It returns an error if they do not fit.
func NewWallet(signer crypto.Signer, algorithm string) (*Wallet, error) {
	if signer == nil {
		return nil, errors.New("signin: Config.Signer is missing")
	}
	switch algorithm {
	case Ed25519, Solana:
		public, ok := signer.Public().(ed25519.PublicKey)
		if !ok {
			return nil, wrongKey(signer, algorithm, "an ed25519.PublicKey")
		}
		address := hex.EncodeToString(public)
		if algorithm == Solana {
			address = base58.Encode(public)
		}
		return &Wallet{Ed25519, address, public, whole(signer)}, nil
	case MLDSA44, MLDSA65, MLDSA87:
		return newMLDSAKey(signer, algorithm)
	case Secp256k1, EIP191:
		public, err := secp256k1Of(signer)
		if err != nil {
			return nil, wrongKey(signer, algorithm, "a key of the curve secp256k1")
		}
		if algorithm == EIP191 {
			return newEthereumKey(signer, public), nil
		}
		raw := public.SerializeCompressed()
		return &Wallet{algorithm, hex.EncodeToString(raw), raw, func(text []byte) ([]byte, error) {
			digest := sha256.Sum256(text)
			parts, err := signDigest(signer, digest[:], crypto.SHA256)
			if err != nil {
				return nil, err
			}
			return asn1.Marshal(parts) // DER is the only format that Python's server reads
		}}, nil
	default:
		return nil, unknownAlgorithm(algorithm)
	}
}

// Algorithm returns the name of the wallet algorithm for requests.
func (w *Wallet) Algorithm() string { return w.algorithm }

// Address returns the address for POST /challenge.
func (w *Wallet) Address() string { return w.address }

// PublicKey returns the raw key; nil if a request needs none.
func (w *Wallet) PublicKey() []byte { return bytes.Clone(w.public) }

// Sign signs a challenge or its message. It returns the raw signature, which a request contains as hex.
func (w *Wallet) Sign(text []byte) ([]byte, error) { return w.sign(text) }

func wrongKey(signer crypto.Signer, algorithm, wanted string) error {
	return fmt.Errorf("signin: Config.Signer has a public key of type %T; %s needs %s", signer.Public(), algorithm, wanted)
}

func newMLDSAKey(signer crypto.Signer, algorithm string) (*Wallet, error) {
	public, ok := signer.Public().(encoding.BinaryMarshaler)
	if !ok {
		return nil, wrongKey(signer, algorithm, "a key with MarshalBinary")
	}
	raw, err := public.MarshalBinary()
	if size := mldsaSchemes[algorithm].PublicKeySize(); err != nil || len(raw) != size {
		return nil, wrongKey(signer, algorithm, fmt.Sprintf("one of %d bytes", size))
	}
	return &Wallet{algorithm, hex.EncodeToString(raw), raw, whole(signer)}, nil
}

// whole returns a function that signs the text itself, not a digest of it.
func whole(signer crypto.Signer) func([]byte) ([]byte, error) {
	return func(text []byte) ([]byte, error) { return signer.Sign(rand.Reader, text, crypto.Hash(0)) }
}

func secp256k1Of(signer crypto.Signer) (*secp256k1.PublicKey, error) {
	switch public := signer.Public().(type) {
	case *secp256k1.PublicKey:
		return public, nil
	case *ecdsa.PublicKey:
		if public.Curve == nil || public.Curve.Params().N.Cmp(secp256k1.Params().N) != 0 {
			return nil, errors.New("another curve")
		}
		raw := make([]byte, 65)
		raw[0] = 4
		public.X.FillBytes(raw[1:33]) //nolint:staticcheck // Bytes knows no curve but the standard library's
		public.Y.FillBytes(raw[33:])  //nolint:staticcheck // likewise
		return secp256k1.ParsePubKey(raw)
	default:
		return nil, errors.New("another kind of key")
	}
}

// newEthereumKey returns a key that signs like personal_sign (EIP-191).
func newEthereumKey(signer crypto.Signer, public *secp256k1.PublicKey) *Wallet {
	address := "0x" + hex.EncodeToString(keccak256(public.SerializeUncompressed()[1:])[12:])
	return &Wallet{EIP191, address, nil, func(text []byte) ([]byte, error) {
		digest := keccak256(fmt.Appendf(nil, "\x19Ethereum Signed Message:\n%d%s", len(text), text))
		parts, err := signDigest(signer, digest, crypto.Hash(0))
		if err != nil {
			return nil, err
		}
		for v := byte(27); v <= 28; v++ { // the signer does not return the parity: find the one that yields the key
			compact := append([]byte{v}, parts.raw()...)
			if found, _, err := secpecdsa.RecoverCompact(compact, digest); err == nil && found.IsEqual(public) {
				return append(compact[1:], v), nil
			}
		}
		return nil, errors.New("signin: the signature does not fit the signer's public key")
	}}
}

// dsaSignature is Ecdsa-Sig-Value (RFC 3279, section 2.2.3).
type dsaSignature struct{ R, S *big.Int }

// parseDER reads the signature that a signer made with a curve of the given order.
func parseDER(der []byte, order *big.Int) (parts dsaSignature, err error) {
	if rest, err := asn1.Unmarshal(der, &parts); err != nil || len(rest) > 0 {
		return parts, errors.New("the signer's signature is not DER")
	}
	if parts.R.Sign() <= 0 || parts.S.Sign() <= 0 || parts.R.Cmp(order) >= 0 || parts.S.Cmp(order) >= 0 {
		return parts, errors.New("the signer's signature is out of range")
	}
	return parts, nil
}

// raw returns r and s of 32 bytes each.
func (d dsaSignature) raw() []byte {
	return append(d.R.FillBytes(make([]byte, 32)), d.S.FillBytes(make([]byte, 32))...)
}

// signDigest returns a signature whose s is in the lower half, as servers require.
func signDigest(signer crypto.Signer, digest []byte, hash crypto.Hash) (parts dsaSignature, err error) {
	der, err := signer.Sign(rand.Reader, digest, hash)
	if err != nil {
		return parts, err
	}
	order := secp256k1.Params().N
	if parts, err = parseDER(der, order); err != nil {
		return parts, fmt.Errorf("signin: %w", err)
	}
	if new(big.Int).Lsh(parts.S, 1).Cmp(order) > 0 {
		parts.S.Sub(order, parts.S)
	}
	return parts, nil
}

func keccak256(text []byte) []byte {
	hash := sha3.NewLegacyKeccak256()
	hash.Write(text)
	return hash.Sum(nil)
}
