package jose

import (
	"bytes"
	"crypto"
	"crypto/rand"
	"crypto/subtle"
	"errors"
	"fmt"
	"io"

	"github.com/cloudflare/circl/sign"
	"github.com/cloudflare/circl/sign/mldsa/mldsa44"
	"github.com/cloudflare/circl/sign/mldsa/mldsa65"
	"github.com/cloudflare/circl/sign/mldsa/mldsa87"
	"github.com/golang-jwt/jwt/v5"
)

// MLDSASeedSize is the size in bytes of the seed that an ML-DSA private key is made from (FIPS 204, "priv" in RFC 9964).
const MLDSASeedSize = 32

// mldsaSet is one parameter set of FIPS 204, always with an empty context.
type mldsaSet struct {
	sign.Scheme
	// signTo signs with the system's randomness, which the scheme's own Sign does not use.
	signTo func(key sign.PrivateKey, message, signature []byte) error
}

var mldsaSets = map[string]mldsaSet{
	MLDSA44: {mldsa44.Scheme(), func(key sign.PrivateKey, message, signature []byte) error {
		return mldsa44.SignTo(key.(*mldsa44.PrivateKey), message, nil, true, signature)
	}},
	MLDSA65: {mldsa65.Scheme(), func(key sign.PrivateKey, message, signature []byte) error {
		return mldsa65.SignTo(key.(*mldsa65.PrivateKey), message, nil, true, signature)
	}},
	MLDSA87: {mldsa87.Scheme(), func(key sign.PrivateKey, message, signature []byte) error {
		return mldsa87.SignTo(key.(*mldsa87.PrivateKey), message, nil, true, signature)
	}},
}

// MLDSAPublicKey is an ML-DSA public key (FIPS 204). It is unpacked once, so that a verification does not do it
// again, and takes about 20 to 70 KB of memory, depending on the parameter set. It is safe for concurrent use.
type MLDSAPublicKey struct {
	algorithm string
	packed    []byte
	key       sign.PublicKey
}

// NewMLDSAPublicKey unpacks a key of 1312 (ML-DSA-44), 1952 (ML-DSA-65) or 2592 bytes (ML-DSA-87). It returns
// [ErrUnsupportedAlgorithm] for another algorithm and [ErrInvalidKey] for another length.
func NewMLDSAPublicKey(alg string, packed []byte) (*MLDSAPublicKey, error) {
	set, ok := mldsaSets[alg]
	if !ok {
		return nil, fmt.Errorf("%w: %.32q", ErrUnsupportedAlgorithm, alg)
	}
	key, err := set.UnmarshalBinaryPublicKey(packed)
	if err != nil {
		return nil, fmt.Errorf("%w: an %s key has %d bytes, not %d", ErrInvalidKey, alg, set.PublicKeySize(), len(packed))
	}
	return &MLDSAPublicKey{alg, bytes.Clone(packed), key}, nil
}

// Algorithm returns ML-DSA-44, ML-DSA-65 or ML-DSA-87.
func (k *MLDSAPublicKey) Algorithm() string { return k.algorithm }

// Bytes returns a copy of the packed key.
func (k *MLDSAPublicKey) Bytes() []byte { return bytes.Clone(k.packed) }

// Verify reports whether signature is valid for message, with an empty context. It is false for a wrong length.
func (k *MLDSAPublicKey) Verify(message, signature []byte) bool {
	return k.key != nil && k.key.Scheme().Verify(k.key, message, signature, nil)
}

// Equal reports whether other is the same key of the same parameter set.
func (k *MLDSAPublicKey) Equal(other crypto.PublicKey) bool {
	o, ok := other.(*MLDSAPublicKey)
	return ok && o != nil && k.algorithm == o.algorithm && bytes.Equal(k.packed, o.packed)
}

// MLDSAPrivateKey is an ML-DSA private key with the seed from which it was made. It implements [crypto.Signer] and is
// safe for concurrent use.
type MLDSAPrivateKey struct {
	seed   [MLDSASeedSize]byte
	public *MLDSAPublicKey
	key    sign.PrivateKey
}

// NewMLDSAPrivateKey derives a key from its seed of 32 bytes. It returns [ErrUnsupportedAlgorithm] or [ErrInvalidKey].
func NewMLDSAPrivateKey(alg string, seed []byte) (*MLDSAPrivateKey, error) {
	set, ok := mldsaSets[alg]
	if !ok {
		return nil, fmt.Errorf("%w: %.32q", ErrUnsupportedAlgorithm, alg)
	}
	if len(seed) != MLDSASeedSize {
		return nil, fmt.Errorf("%w: an ML-DSA seed has %d bytes, not %d", ErrInvalidKey, MLDSASeedSize, len(seed))
	}
	public, private := set.DeriveKey(seed)
	packed, err := public.MarshalBinary()
	return &MLDSAPrivateKey{[MLDSASeedSize]byte(seed), &MLDSAPublicKey{alg, packed, public}, private}, err
}

// GenerateMLDSAKey makes a new key from the system's randomness.
func GenerateMLDSAKey(alg string) (*MLDSAPrivateKey, error) {
	var seed [MLDSASeedSize]byte
	rand.Read(seed[:]) // never fails: crypto/rand ends the program instead
	return NewMLDSAPrivateKey(alg, seed[:])
}

// Public returns the *[MLDSAPublicKey].
func (k *MLDSAPrivateKey) Public() crypto.PublicKey { return k.public }

// Seed returns a copy of the 32 bytes from which the key can be made again. They are secret.
func (k *MLDSAPrivateKey) Seed() []byte { return bytes.Clone(k.seed[:]) }

// Equal compares the seeds in constant time.
func (k *MLDSAPrivateKey) Equal(other crypto.PrivateKey) bool {
	o, ok := other.(*MLDSAPrivateKey)
	return ok && o != nil && k.public.algorithm == o.public.algorithm &&
		subtle.ConstantTimeCompare(k.seed[:], o.seed[:]) == 1
}

// Sign signs the message itself, not a digest: opts must be nil or have a zero HashFunc. Signatures are hedged with
// the system's randomness (FIPS 204 section 3.4); the reader is not used.
func (k *MLDSAPrivateKey) Sign(_ io.Reader, message []byte, opts crypto.SignerOpts) ([]byte, error) {
	if opts != nil && opts.HashFunc() != 0 {
		return nil, errors.New("jose: ML-DSA signs messages, not digests")
	}
	set := mldsaSets[k.public.algorithm]
	signature := make([]byte, set.SignatureSize())
	if err := set.signTo(k.key, message, signature); err != nil {
		return nil, fmt.Errorf("jose: %s: %w", k.public.algorithm, err)
	}
	return signature, nil
}

// mldsaMethod is an ML-DSA parameter set as a jwt.SigningMethod.
type mldsaMethod struct{ algorithm string }

func (m mldsaMethod) Alg() string { return m.algorithm }

func (m mldsaMethod) Verify(signingString string, signature []byte, key any) error {
	k, ok := key.(*MLDSAPublicKey)
	if !ok || k == nil || k.algorithm != m.algorithm {
		return jwt.ErrInvalidKeyType
	}
	if !k.Verify([]byte(signingString), signature) {
		return ErrInvalidSignature
	}
	return nil
}

func (m mldsaMethod) Sign(signingString string, key any) ([]byte, error) {
	k, ok := key.(*MLDSAPrivateKey)
	if !ok || k == nil || k.public.algorithm != m.algorithm {
		return nil, jwt.ErrInvalidKeyType
	}
	return k.Sign(nil, []byte(signingString), nil)
}
