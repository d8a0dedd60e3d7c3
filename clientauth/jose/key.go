package jose

import (
	"crypto"
	"fmt"
)

// Key is a public key that verifies signatures. It is not changed after it is made, and is safe for concurrent use.
type Key struct {
	// ID is the "kid"; empty if the set has none.
	ID string
	// Algorithm is the "alg" that the key declares. If it is empty, every algorithm of its type and curve fits.
	Algorithm string
	// Public is an *rsa.PublicKey, *ecdsa.PublicKey (P-256 or P-384), ed25519.PublicKey or *[MLDSAPublicKey].
	Public crypto.PublicKey
}

// Fits reports whether the key may verify signatures of alg: its type and curve are those of alg, and the algorithm
// that it declares, if any, is alg (EdDSA and Ed25519 are two names of one). This prevents algorithm confusion.
func (k Key) Fits(alg string) bool {
	a, ok := algorithms[alg]
	if !ok || !a.fits(k.Public) {
		return false
	}
	return k.Algorithm == "" || k.Algorithm == alg || (isEd25519(k.Algorithm) && isEd25519(alg))
}

// Verify checks a signature of alg over signingInput (the ASCII header and payload of a JWS with their dot). It returns
// [ErrUnsupportedAlgorithm], [ErrKeyMismatch], or [ErrInvalidSignature]; a signature of an impossible length or range
// is refused before any public-key operation.
func (k Key) Verify(alg, signingInput string, signature []byte) error {
	a, ok := algorithms[alg]
	if !ok {
		return fmt.Errorf("%w: %.32q", ErrUnsupportedAlgorithm, alg)
	}
	if !k.Fits(alg) {
		return fmt.Errorf("%w: %s", ErrKeyMismatch, alg)
	}
	if !a.shaped(k.Public, signature) {
		return fmt.Errorf("%w: not in the form of %s", ErrInvalidSignature, alg)
	}
	if err := a.method.Verify(signingInput, signature, k.Public); err != nil {
		return fmt.Errorf("%w: %s", ErrInvalidSignature, alg)
	}
	return nil
}

// Equal reports whether both are the same key under the same id, with the same declared algorithm.
func (k Key) Equal(other Key) bool {
	public, ok := k.Public.(interface{ Equal(crypto.PublicKey) bool })
	return ok && k.ID == other.ID && k.Algorithm == other.Algorithm && public.Equal(other.Public)
}

func isEd25519(alg string) bool { return alg == EdDSA || alg == Ed25519 }
