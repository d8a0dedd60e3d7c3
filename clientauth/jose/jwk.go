package jose

import (
	"crypto"
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/elliptic"
	"crypto/rsa"
	"encoding/json"
	"fmt"
	"math/big"
	"slices"
)

// Sizes of RSA moduli in bits: below the first a key is too weak, above the second a verification too costly.
const (
	minRSABits = 2048
	maxRSABits = 8192
)

// jwk is the JSON form of a public key (RFC 7517, 7518 section 6, 8037, 9964).
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

// privateMembers hold or stand for a private part, in any key type.
var privateMembers = []string{"d", "p", "q", "dp", "dq", "qi", "oth", "k", "priv"}

// MarshalJSON writes the public JWK with use "sig". A private part cannot come out: a Key holds none.
func (k Key) MarshalJSON() ([]byte, error) {
	j := jwk{Use: "sig", Algorithm: k.Algorithm, ID: k.ID}
	switch pub := k.Public.(type) {
	case *rsa.PublicKey:
		j.KeyType, j.N, j.E = KeyTypeRSA, EncodeBase64(pub.N.Bytes()), EncodeBase64(big.NewInt(int64(pub.E)).Bytes())
	case *ecdsa.PublicKey:
		crv, x, y, err := coordinates(pub)
		if err != nil {
			return nil, err
		}
		j.KeyType, j.Curve, j.X, j.Y = KeyTypeEC, crv, EncodeBase64(x), EncodeBase64(y)
	case ed25519.PublicKey:
		j.KeyType, j.Curve, j.X = KeyTypeOKP, Ed25519, EncodeBase64(pub)
	case *MLDSAPublicKey:
		j.KeyType, j.Algorithm, j.Public = KeyTypeAKP, pub.algorithm, EncodeBase64(pub.packed)
	default:
		return nil, fmt.Errorf("%w: %T", ErrUnsupportedKey, k.Public)
	}
	return json.Marshal(j)
}

// UnmarshalJSON reads one public JWK. It returns [ErrUnsupportedKey] for a type, curve or algorithm that is not known
// here, and [ErrInvalidKey] for a broken or weak key, one that is not for signatures, and one that carries a private
// part: whoever published that lets everyone sign.
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
	if j.Use != "" && j.Use != "sig" || j.Operations != nil && !slices.Contains(j.Operations, "verify") {
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
	case KeyTypeRSA:
		return j.rsa()
	case KeyTypeEC:
		return j.ec()
	case KeyTypeOKP:
		return j.okp()
	case KeyTypeAKP:
		return j.akp()
	case "":
		return nil, fmt.Errorf("%w: it has no kty", ErrInvalidKey)
	}
	return nil, fmt.Errorf("%w: type %.16q", ErrUnsupportedKey, j.KeyType)
}

func (j jwk) rsa() (crypto.PublicKey, error) {
	n, err := member("n", j.N)
	if err != nil {
		return nil, err
	}
	e, err := member("e", j.E)
	if err != nil {
		return nil, err
	}
	modulus, exponent := new(big.Int).SetBytes(n), new(big.Int).SetBytes(e)
	if bits := modulus.BitLen(); bits < minRSABits || bits > maxRSABits || modulus.Bit(0) == 0 {
		return nil, fmt.Errorf("%w: an RSA modulus is odd and has %d to %d bits, not %d", ErrInvalidKey, minRSABits, maxRSABits, bits)
	}
	if exponent.BitLen() > 31 || exponent.Int64() < 3 || exponent.Bit(0) == 0 {
		return nil, fmt.Errorf("%w: RSA exponent", ErrInvalidKey)
	}
	return &rsa.PublicKey{N: modulus, E: int(exponent.Int64())}, nil
}

func (j jwk) ec() (crypto.PublicKey, error) {
	var curve elliptic.Curve
	switch j.Curve {
	case "P-256":
		curve = elliptic.P256()
	case "P-384":
		curve = elliptic.P384()
	default:
		return nil, fmt.Errorf("%w: curve %.16q", ErrUnsupportedKey, j.Curve)
	}
	x, err := member("x", j.X)
	if err != nil {
		return nil, err
	}
	y, err := member("y", j.Y)
	if err != nil {
		return nil, err
	}
	if size := (curve.Params().BitSize + 7) / 8; len(x) != size || len(y) != size {
		return nil, fmt.Errorf("%w: a coordinate of %s has %d bytes", ErrInvalidKey, j.Curve, size)
	}
	key, err := ecdsa.ParseUncompressedPublicKey(curve, slices.Concat([]byte{4}, x, y))
	if err != nil {
		return nil, fmt.Errorf("%w: not a point of %s", ErrInvalidKey, j.Curve)
	}
	return key, nil
}

func (j jwk) okp() (crypto.PublicKey, error) {
	if j.Curve != Ed25519 {
		return nil, fmt.Errorf("%w: curve %.16q", ErrUnsupportedKey, j.Curve)
	}
	x, err := member("x", j.X)
	if err != nil {
		return nil, err
	}
	if len(x) != ed25519.PublicKeySize {
		return nil, fmt.Errorf("%w: an Ed25519 key has %d bytes, not %d", ErrInvalidKey, ed25519.PublicKeySize, len(x))
	}
	return ed25519.PublicKey(x), nil
}

func (j jwk) akp() (crypto.PublicKey, error) {
	if _, ok := mldsaSets[j.Algorithm]; !ok {
		return nil, fmt.Errorf("%w: AKP algorithm %.32q", ErrUnsupportedKey, j.Algorithm)
	}
	packed, err := member("pub", j.Public)
	if err != nil {
		return nil, err
	}
	return NewMLDSAPublicKey(j.Algorithm, packed)
}

// member decodes a required base64url member.
func member(name, text string) ([]byte, error) {
	data, err := DecodeBase64(text)
	if err != nil || len(data) == 0 {
		return nil, fmt.Errorf("%w: member %q is not base64url", ErrInvalidKey, name)
	}
	return data, nil
}

// coordinates splits an EC key into its curve name and fixed-size coordinates.
func coordinates(k *ecdsa.PublicKey) (crv string, x, y []byte, err error) {
	if k.Curve != elliptic.P256() && k.Curve != elliptic.P384() {
		return "", nil, nil, fmt.Errorf("%w: curve", ErrUnsupportedKey)
	}
	point, err := k.Bytes()
	if err != nil {
		return "", nil, nil, fmt.Errorf("%w: %w", ErrInvalidKey, err)
	}
	half := (len(point) - 1) / 2
	return k.Curve.Params().Name, point[1 : 1+half], point[1+half:], nil
}
