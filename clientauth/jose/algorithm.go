package jose

import (
	"crypto"
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/elliptic"
	"crypto/rsa"
	"math/big"

	"github.com/golang-jwt/jwt/v5"
)

// Signature algorithms, by their names in the "alg" header: RFC 7518, RFC 8037 (EdDSA), RFC 9864 (Ed25519) and
// RFC 9964 (ML-DSA). There is no symmetric one and no "none".
const (
	RS256   = "RS256"
	RS384   = "RS384"
	RS512   = "RS512"
	PS256   = "PS256"
	ES256   = "ES256"
	ES384   = "ES384"
	EdDSA   = "EdDSA"
	Ed25519 = "Ed25519"
	MLDSA44 = "ML-DSA-44"
	MLDSA65 = "ML-DSA-65"
	MLDSA87 = "ML-DSA-87"
)

// Key types, the "kty" of a JWK.
const (
	KeyTypeRSA = "RSA"
	KeyTypeEC  = "EC"
	KeyTypeOKP = "OKP"
	KeyTypeAKP = "AKP"
)

// algorithm is what belongs to the name of an algorithm: key type, implementation and form of signatures.
type algorithm struct {
	keyType string
	method  jwt.SigningMethod
	// fits reports whether a public key is of the right Go type and curve.
	fits func(crypto.PublicKey) bool
	// shaped reports, before any expensive step, whether signature has the length and range of a signature by this key.
	shaped func(pub crypto.PublicKey, signature []byte) bool
}

var algorithms = map[string]algorithm{
	RS256:   rsaAlgorithm(jwt.SigningMethodRS256),
	RS384:   rsaAlgorithm(jwt.SigningMethodRS384),
	RS512:   rsaAlgorithm(jwt.SigningMethodRS512),
	PS256:   rsaAlgorithm(ps256),
	ES256:   ecAlgorithm(jwt.SigningMethodES256, elliptic.P256()),
	ES384:   ecAlgorithm(jwt.SigningMethodES384, elliptic.P384()),
	EdDSA:   edAlgorithm(jwt.SigningMethodEdDSA),
	Ed25519: edAlgorithm(ed25519Method{jwt.SigningMethodEdDSA}),
	MLDSA44: mldsaAlgorithm(MLDSA44),
	MLDSA65: mldsaAlgorithm(MLDSA65),
	MLDSA87: mldsaAlgorithm(MLDSA87),
}

// Algorithms lists every algorithm that can be verified, in a fixed order.
func Algorithms() []string {
	return []string{RS256, RS384, RS512, PS256, ES256, ES384, EdDSA, Ed25519, MLDSA44, MLDSA65, MLDSA87}
}

// SigningMethod returns the golang-jwt method of alg, and false for an algorithm that is not in [Algorithms]. Its
// private keys are *rsa.PrivateKey, *ecdsa.PrivateKey, ed25519.PrivateKey and *[MLDSAPrivateKey]. To verify, use
// [Key.Verify], which also binds the key to the algorithm; the methods alone do not.
func SigningMethod(alg string) (jwt.SigningMethod, bool) {
	a, ok := algorithms[alg]
	return a.method, ok
}

// KeyType returns the "kty" that alg needs (RSA, EC, OKP or AKP), or "" for an algorithm that is not supported.
func KeyType(alg string) string {
	return algorithms[alg].keyType
}

// ps256 accepts only a salt of 32 bytes (RFC 7518, section 3.5); golang-jwt's own accepts any length.
var ps256 = &jwt.SigningMethodRSAPSS{
	SigningMethodRSA: jwt.SigningMethodPS256.SigningMethodRSA,
	Options:          &rsa.PSSOptions{SaltLength: rsa.PSSSaltLengthEqualsHash},
}

// ed25519Method is EdDSA under the fully specified name of RFC 9864.
type ed25519Method struct{ *jwt.SigningMethodEd25519 }

func (ed25519Method) Alg() string { return Ed25519 }

func rsaAlgorithm(method jwt.SigningMethod) algorithm {
	return algorithm{
		keyType: KeyTypeRSA,
		method:  method,
		fits:    func(pub crypto.PublicKey) bool { k, ok := pub.(*rsa.PublicKey); return ok && k != nil },
		shaped: func(pub crypto.PublicKey, signature []byte) bool {
			return len(signature) == pub.(*rsa.PublicKey).Size()
		},
	}
}

func ecAlgorithm(method *jwt.SigningMethodECDSA, curve elliptic.Curve) algorithm {
	order := curve.Params().N
	return algorithm{
		keyType: KeyTypeEC,
		method:  method,
		fits: func(pub crypto.PublicKey) bool {
			k, ok := pub.(*ecdsa.PublicKey)
			return ok && k != nil && k.Curve == curve
		},
		shaped: func(_ crypto.PublicKey, signature []byte) bool {
			return len(signature) == 2*method.KeySize &&
				isScalar(signature[:method.KeySize], order) && isScalar(signature[method.KeySize:], order)
		},
	}
}

// isScalar reports whether 0 < value < order.
func isScalar(value []byte, order *big.Int) bool {
	v := new(big.Int).SetBytes(value)
	return v.Sign() > 0 && v.Cmp(order) < 0
}

func edAlgorithm(method jwt.SigningMethod) algorithm {
	return algorithm{
		keyType: KeyTypeOKP,
		method:  method,
		fits: func(pub crypto.PublicKey) bool {
			k, ok := pub.(ed25519.PublicKey)
			return ok && len(k) == ed25519.PublicKeySize
		},
		shaped: func(_ crypto.PublicKey, signature []byte) bool { return len(signature) == ed25519.SignatureSize },
	}
}

func mldsaAlgorithm(alg string) algorithm {
	size := mldsaSets[alg].SignatureSize()
	return algorithm{
		keyType: KeyTypeAKP,
		method:  mldsaMethod{alg},
		fits: func(pub crypto.PublicKey) bool {
			k, ok := pub.(*MLDSAPublicKey)
			return ok && k != nil && k.algorithm == alg
		},
		shaped: func(_ crypto.PublicKey, signature []byte) bool { return len(signature) == size },
	}
}
