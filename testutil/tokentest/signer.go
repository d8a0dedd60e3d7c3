package tokentest

import (
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/rsa"
	"encoding/json"
	"maps"
	"sync"
	"time"

	"github.com/picoauth/picoauth/clientauth/jose"
	"github.com/picoauth/picoauth/clientauth/verify"
)

// IssuerName and Audience are the iss and aud of Claims.
const (
	IssuerName = "https://auth.example.com"
	Audience   = "pico"
)

// Signer is a private key that makes tokens.
type Signer struct {
	Alg     string
	Private any // as jose.SigningMethod takes it
	Key     jose.Key
}

// Signers returns a key for every algorithm of package jose, by algorithm. They are the same for all tests of a process.
var Signers = sync.OnceValue(func() map[string]Signer {
	rsaKey := Must(rsa.GenerateKey(rand.Reader, 2048))
	all := map[string]Signer{}
	for _, alg := range jose.Algorithms() {
		all[alg] = newSigner(alg, rsaKey)
	}
	return all
})

// Fresh returns a new key. alg must not be an RSA algorithm.
func Fresh(alg string) Signer { return newSigner(alg, nil) }

func newSigner(alg string, rsaKey *rsa.PrivateKey) Signer {
	s := Signer{Alg: alg}
	switch jose.KeyType(alg) {
	case jose.KeyTypeRSA:
		s.Private, s.Key.Public = rsaKey, &rsaKey.PublicKey
	case jose.KeyTypeEC:
		curve := elliptic.P256()
		if alg == jose.ES384 {
			curve = elliptic.P384()
		}
		key := Must(ecdsa.GenerateKey(curve, rand.Reader))
		s.Private, s.Key.Public = key, &key.PublicKey
	case jose.KeyTypeOKP:
		public, private, _ := ed25519.GenerateKey(rand.Reader)
		s.Private, s.Key.Public = private, public
	case jose.KeyTypeAKP:
		key := Must(jose.GenerateMLDSAKey(alg))
		s.Private, s.Key.Public = key, key.Public()
	}
	s.Key.ID, s.Key.Algorithm = alg+"-"+Must(jose.Thumbprint(s.Key.Public)), alg
	return s
}

// Header returns the header of a valid token with changes, as With makes them.
func (s Signer) Header(changes Object) Object {
	return With(Object{"alg": s.Alg, "kid": s.Key.ID, "typ": "at+jwt"}, changes)
}

// Token signs claims with the header of a valid token.
func (s Signer) Token(claims Object) string { return s.Sign(s.Header(nil), claims) }

// Sign signs claims with a header.
func (s Signer) Sign(header, claims Object) string {
	return s.Raw(string(Must(json.Marshal(header))), string(Must(json.Marshal(claims))))
}

// Raw signs two texts as header and payload.
func (s Signer) Raw(header, payload string) string {
	input := jose.EncodeBase64([]byte(header)) + "." + jose.EncodeBase64([]byte(payload))
	return input + "." + jose.EncodeBase64(s.Signature(input))
}

// Signature signs a text.
func (s Signer) Signature(input string) []byte {
	method, _ := jose.SigningMethod(s.Alg)
	return Must(method.Sign(input, s.Private))
}

// KeysOf returns the public keys of signers.
func KeysOf(all ...Signer) *verify.KeyMap {
	var keys []jose.Key
	for _, s := range all {
		keys = append(keys, s.Key)
	}
	return verify.NewKeyMap(keys...)
}

// Trusting returns a configuration that trusts IssuerName with these keys and their algorithms.
func Trusting(c *Clock, all ...Signer) verify.ValidatorConfig {
	var algorithms []string
	for _, s := range all {
		algorithms = append(algorithms, s.Alg)
	}
	return verify.ValidatorConfig{
		Issuers: []verify.TrustedIssuer{{Issuer: IssuerName, Audience: Audience, Algorithms: algorithms, Keys: KeysOf(all...)}},
		Leeway:  30 * time.Second, CacheSize: 1000, Clock: c.Now,
	}
}

// Object is a JSON object.
type Object = map[string]any

// With returns a copy of base with changes; a nil value removes a member.
func With(base, changes Object) Object {
	out := maps.Clone(base)
	for name, value := range changes {
		if out[name] = value; value == nil {
			delete(out, name)
		}
	}
	return out
}

// Claims returns the claims of a token that is valid at the Epoch, for 15 minutes, with changes.
func Claims(changes Object) Object {
	return With(Object{
		"iss": IssuerName, "aud": Audience, "sub": "alice", "jti": "token-1", "sid": "session-1", "role": "wallet",
		"iat": Epoch.Unix(), "nbf": Epoch.Unix(), "exp": Epoch.Unix() + 900, "client_id": Audience,
	}, changes)
}

// Must returns value, and panics if err is not nil.
func Must[T any](value T, err error) T {
	if err != nil {
		panic(err)
	}
	return value
}
