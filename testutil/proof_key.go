package testutil

import (
	"crypto"
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/rsa"
	"crypto/sha256"
	"encoding/json"
	"fmt"
	"maps"
	"time"

	"github.com/golang-jwt/jwt/v5"

	"github.com/picoauth/picoauth/clientauth/jose"
)

// ProofKey is the key of a client that proves with each request that it holds it: DPoP, RFC 9449.
type ProofKey struct {
	private   crypto.Signer
	algorithm string
}

// NewProofKey makes a key for ES256, EdDSA, RS256 or PS256. It panics for another algorithm.
func NewProofKey(algorithm string) ProofKey {
	var key crypto.Signer
	var err error
	switch algorithm {
	case jose.ES256:
		key, err = ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	case jose.EdDSA:
		_, key, err = ed25519.GenerateKey(rand.Reader)
	case jose.RS256, jose.PS256:
		key, err = rsa.GenerateKey(rand.Reader, 2048)
	default:
		err = fmt.Errorf("no algorithm %q", algorithm)
	}
	if err != nil {
		panic("testutil: proof key: " + err.Error())
	}
	return ProofKey{key, algorithm}
}

// Thumbprint is what cnf.jkt of a token names.
func (k ProofKey) Thumbprint() string {
	thumbprint, err := jose.Thumbprint(k.private.Public())
	if err != nil {
		panic("testutil: proof key: " + err.Error())
	}
	return thumbprint
}

// Proof is the value of the header DPoP for a request. With a token it has its hash (ath). Claims take the place of those
// that it would have; one that is nil is left out.
func (k ProofKey) Proof(method, url, token string, claims map[string]any) string {
	all := jwt.MapClaims{"jti": rand.Text(), "htm": method, "htu": url, "iat": time.Now().Unix()}
	if token != "" {
		sum := sha256.Sum256([]byte(token))
		all["ath"] = jose.EncodeBase64(sum[:])
	}
	maps.Copy(all, claims)
	maps.DeleteFunc(all, func(_ string, value any) bool { return value == nil })
	return k.Sign(map[string]any{"jwk": k.JWK()}, all)
}

// JWK is the public key as a proof holds it.
func (k ProofKey) JWK() map[string]any {
	text, err := jose.Key{Public: k.private.Public()}.MarshalJSON()
	var members map[string]any
	if err == nil {
		err = json.Unmarshal(text, &members)
	}
	if err != nil {
		panic("testutil: proof key: " + err.Error())
	}
	delete(members, "use")
	return members
}

// Sign makes a proof of any header and claims. What the header does not have is that of a proof, but for the key.
func (k ProofKey) Sign(header, claims map[string]any) string {
	method, _ := jose.SigningMethod(k.algorithm)
	proof := jwt.NewWithClaims(method, jwt.MapClaims(claims))
	proof.Header["typ"] = "dpop+jwt"
	maps.Copy(proof.Header, header)
	text, err := proof.SignedString(k.private)
	if err != nil {
		panic("testutil: proof key: " + err.Error())
	}
	return text
}
