package jose

import (
	"crypto"
	"crypto/sha256"
	"fmt"

	gojose "github.com/go-jose/go-jose/v4"
)

// Thumbprint returns the RFC 7638 SHA-256 thumbprint of a public key, 43 characters of base64url. It returns
// [ErrUnsupportedKey] for a type that [Key] cannot hold.
func Thumbprint(pub crypto.PublicKey) (string, error) {
	if k, isAKP := pub.(*MLDSAPublicKey); isAKP {
		return ThumbprintAKP(k.algorithm, k.packed), nil
	}
	if err := checkClassical(pub); err != nil {
		return "", err
	}
	sum, err := (&gojose.JSONWebKey{Key: pub}).Thumbprint(crypto.SHA256)
	if err != nil {
		return "", fmt.Errorf("%w: %w", ErrInvalidKey, err)
	}
	return EncodeBase64(sum), nil
}

// ThumbprintEC returns the thumbprint of an EC key from its curve name and its coordinates as fixed-size big-endian
// bytes (32 each for P-256 and secp256k1).
func ThumbprintEC(crv string, x, y []byte) string {
	return thumbprint([]byte(`{"crv":"` + crv + `","kty":"EC","x":"` + EncodeBase64(x) + `","y":"` + EncodeBase64(y) + `"}`))
}

// ThumbprintOKP returns the thumbprint of an octet key pair (RFC 8037), for instance crv "Ed25519" with its 32 bytes.
func ThumbprintOKP(crv string, x []byte) string {
	return thumbprint([]byte(`{"crv":"` + crv + `","kty":"OKP","x":"` + EncodeBase64(x) + `"}`))
}

// ThumbprintAKP returns the thumbprint of an algorithm key pair (RFC 9964) from its packed public key.
func ThumbprintAKP(alg string, public []byte) string {
	members := make([]byte, 0, 64+base64URL.EncodedLen(len(public)))
	members = append(append(append(members, `{"alg":"`...), alg...), `","kty":"AKP","pub":"`...)
	members = append(base64URL.AppendEncode(members, public), `"}`...)
	return thumbprint(members)
}

func thumbprint(members []byte) string {
	sum := sha256.Sum256(members)
	return EncodeBase64(sum[:])
}
