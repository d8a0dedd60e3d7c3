package jose

import (
	"crypto"
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/elliptic"
	"crypto/rsa"
	"encoding/json"
	"errors"
	"fmt"
	"math"
	"slices"

	gojose "github.com/go-jose/go-jose/v4"
)

// Minimum and maximum size of an RSA modulus in bits: smaller keys are too weak, larger ones too slow to verify with.
const (
	minRSABits = 2048
	maxRSABits = 8192
)

// jwk has the members of a public JWK that are read (RFC 7517, 7518 section 6, 8037, 9964), without certificates.
type jwk struct {
	KeyType    string   `json:"kty"`
	Use        string   `json:"use,omitempty"`
	Operations []string `json:"key_ops,omitempty"`
	Algorithm  string   `json:"alg,omitempty"`
	ID         string   `json:"kid,omitempty"`
	Curve      string   `json:"crv,omitempty"`
	X          string   `json:"x,omitempty"`
	Y          string   `json:"y,omitempty"`
	N          string   `json:"n,omitempty"`
	E          string   `json:"e,omitempty"`
	Public     string   `json:"pub,omitempty"`
}

// privateMembers are the members that belong to a private or symmetric key, of all key types.
var privateMembers = []string{"d", "p", "q", "dp", "dq", "qi", "oth", "k", "priv"}

// signingUses are the values of use that a signature key may have: none, that of RFC 7517, or that of a SPIFFE bundle.
var signingUses = []string{"", "sig", "jwt-svid"}

// MarshalJSON returns the public JWK with use "sig". A Key has no private part.
func (k Key) MarshalJSON() ([]byte, error) {
	if pub, isAKP := k.Public.(*MLDSAPublicKey); isAKP {
		return json.Marshal(jwk{KeyType: KeyTypeAKP, Use: "sig", Algorithm: pub.algorithm, ID: k.ID, Public: EncodeBase64(pub.packed)})
	}
	if err := checkClassical(k.Public); err != nil {
		return nil, err
	}
	return gojose.JSONWebKey{Key: k.Public, KeyID: k.ID, Algorithm: k.Algorithm, Use: "sig"}.MarshalJSON()
}

// UnmarshalJSON parses one public JWK. It returns [ErrUnsupportedKey] for an unknown type, curve or algorithm. It
// returns [ErrInvalidKey] for a key that is broken, weak or not for signatures, and for one with a private part: if
// that is published, everyone can sign.
func (k *Key) UnmarshalJSON(data []byte) error {
	var members map[string]json.RawMessage
	var j jwk
	if err := json.Unmarshal(data, &members); err != nil {
		return fmt.Errorf("%w: not a JSON object", ErrInvalidKey)
	}
	if err := json.Unmarshal(data, &j); err != nil {
		return fmt.Errorf("%w: a member has the wrong type", ErrInvalidKey)
	}
	for _, name := range privateMembers {
		if _, found := members[name]; found {
			return fmt.Errorf("%w: it holds the private member %q", ErrInvalidKey, name)
		}
	}
	if !slices.Contains(signingUses, j.Use) || j.Operations != nil && !slices.Contains(j.Operations, "verify") {
		return fmt.Errorf("%w: it is not for signatures", ErrInvalidKey)
	}
	public, err := j.public()
	if err != nil {
		return err
	}
	key := Key{ID: j.ID, Algorithm: j.Algorithm, Public: public}
	if key.Algorithm != "" && !key.Fits(key.Algorithm) {
		return fmt.Errorf("%w: a %.16q key for the algorithm %.32q", ErrUnsupportedKey, j.KeyType, j.Algorithm)
	}
	*k = key
	return nil
}

func (j jwk) public() (crypto.PublicKey, error) {
	switch j.KeyType {
	case KeyTypeRSA, KeyTypeEC, KeyTypeOKP:
		return j.classical()
	case KeyTypeAKP:
		return j.akp()
	case "":
		return nil, fmt.Errorf("%w: it has no kty", ErrInvalidKey)
	}
	return nil, fmt.Errorf("%w: type %.16q", ErrUnsupportedKey, j.KeyType)
}

// classical parses the key types that go-jose knows. go-jose gets only the members of jwk and parses no certificate.
func (j jwk) classical() (crypto.PublicKey, error) {
	data, err := json.Marshal(j)
	if err != nil {
		return nil, fmt.Errorf("%w: %w", ErrInvalidKey, err)
	}
	var key gojose.JSONWebKey
	switch err := key.UnmarshalJSON(data); {
	case errors.Is(err, gojose.ErrUnsupportedKeyType):
		return nil, fmt.Errorf("%w: a %s key of curve %.16q", ErrUnsupportedKey, j.KeyType, j.Curve)
	case err != nil:
		return nil, fmt.Errorf("%w: %w", ErrInvalidKey, err)
	}
	return key.Key, checkClassical(key.Key)
}

// checkClassical refuses what go-jose accepts and we do not: weak and costly RSA keys, and curves without an algorithm.
func checkClassical(public crypto.PublicKey) error {
	switch k := public.(type) {
	case *rsa.PublicKey:
		if bits := k.N.BitLen(); bits < minRSABits || bits > maxRSABits || k.N.Bit(0) == 0 {
			return fmt.Errorf("%w: an RSA modulus must be odd and have %d to %d bits; this one has %d", ErrInvalidKey, minRSABits, maxRSABits, bits)
		}
		if k.E < 3 || k.E > math.MaxInt32 || k.E%2 == 0 {
			return fmt.Errorf("%w: wrong RSA exponent", ErrInvalidKey)
		}
		return nil
	case *ecdsa.PublicKey:
		if k.Curve != elliptic.P256() && k.Curve != elliptic.P384() {
			return fmt.Errorf("%w: a curve without an algorithm", ErrUnsupportedKey)
		}
		return nil
	case ed25519.PublicKey:
		return nil
	}
	return fmt.Errorf("%w: %T", ErrUnsupportedKey, public)
}

func (j jwk) akp() (crypto.PublicKey, error) {
	if _, ok := mldsaSets[j.Algorithm]; !ok {
		return nil, fmt.Errorf("%w: AKP algorithm %.32q", ErrUnsupportedKey, j.Algorithm)
	}
	packed, err := DecodeBase64(j.Public)
	if err != nil {
		return nil, fmt.Errorf("%w: pub is not base64url", ErrInvalidKey)
	}
	return NewMLDSAPublicKey(j.Algorithm, packed)
}
