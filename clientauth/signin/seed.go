package signin

import (
	"crypto"
	"crypto/ed25519"
	"errors"
	"fmt"
	"io"
	"strings"

	"github.com/cloudflare/circl/sign"
	"github.com/cloudflare/circl/sign/mldsa/mldsa44"
	"github.com/cloudflare/circl/sign/mldsa/mldsa65"
	"github.com/cloudflare/circl/sign/mldsa/mldsa87"
	"github.com/decred/dcrd/dcrec/secp256k1/v4"
	"github.com/decred/dcrd/dcrec/secp256k1/v4/ecdsa"
)

// SeedSize is the length of a seed in bytes.
const SeedSize = 32

// Algorithms returns the wallet algorithms for Config.Algorithm.
func Algorithms() []string {
	return []string{MLDSA44, MLDSA65, MLDSA87, Ed25519, Secp256k1, EIP191, Solana}
}

var mldsaSchemes = map[string]sign.Scheme{MLDSA44: mldsa44.Scheme(), MLDSA65: mldsa65.Scheme(), MLDSA87: mldsa87.Scheme()}

// NewSigner derives a key from a seed, for programs that keep the seed in a file. The same seed gives the same key. It returns an
// error for an unknown algorithm. For secp256k1 and eip191 the seed is the private key, so 0 and a value that is not below the order
// of the curve are errors too.
func NewSigner(algorithm string, seed [SeedSize]byte) (crypto.Signer, error) {
	switch algorithm {
	case Ed25519, Solana:
		return ed25519.NewKeyFromSeed(seed[:]), nil
	case MLDSA44, MLDSA65, MLDSA87:
		_, private := mldsaSchemes[algorithm].DeriveKey(seed[:])
		return private, nil
	case Secp256k1, EIP191:
		var scalar secp256k1.ModNScalar
		if overflow := scalar.SetBytes(&seed); overflow != 0 || scalar.IsZero() {
			return nil, errors.New("signin: the seed is not a valid secp256k1 key: it must be at least 1 and below the order of the curve")
		}
		return secp256k1Signer{secp256k1.NewPrivateKey(&scalar)}, nil
	default:
		return nil, unknownAlgorithm(algorithm)
	}
}

func unknownAlgorithm(name string) error {
	return fmt.Errorf("signin: unknown algorithm %q; use one of %s", name, strings.Join(Algorithms(), ", "))
}

// secp256k1Signer signs a digest and returns DER, as an HSM does.
type secp256k1Signer struct{ key *secp256k1.PrivateKey }

func (s secp256k1Signer) Public() crypto.PublicKey { return s.key.PubKey() }

func (s secp256k1Signer) Sign(_ io.Reader, digest []byte, _ crypto.SignerOpts) ([]byte, error) {
	return ecdsa.Sign(s.key, digest).Serialize(), nil
}
