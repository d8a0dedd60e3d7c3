package signin

import (
	"cmp"
	"crypto"
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/rsa"
	"crypto/sha256"
	"crypto/x509"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"time"

	"github.com/picoauth/picoauth/clientauth/jose"
)

// headerProof is the header with a proof (RFC 9449), headerNonce the one with the nonce for the next proof.
const (
	headerProof = "DPoP"
	headerNonce = "DPoP-Nonce"
)

// proofKey is a key that signs JWTs: DPoP proofs, to which tokens are bound, or client assertions.
type proofKey struct {
	signer     crypto.Signer
	algorithm  string
	jwk        json.RawMessage // public
	thumbprint string
}

func (k *proofKey) thumbprintOrNone() string {
	if k == nil {
		return ""
	}
	return k.thumbprint
}

// errNoKey is returned for a DPoP token if the source does not have its key.
var errNoKey = errors.New("signin: the token is bound to a key that is not the source's; set Config.DPoP")

// keptName is the name of the key of a state file in errors.
const keptName = "the key of the state file"

// newProofKey returns the proof key of a signer with a key of P-256, Ed25519 or RSA. The name is that of the signer in errors.
func newProofKey(signer crypto.Signer, name string) (*proofKey, error) {
	k := &proofKey{signer: signer}
	switch public := signer.Public().(type) {
	case *ecdsa.PublicKey:
		k.algorithm = jose.ES256
		if public.Curve != elliptic.P256() {
			return nil, fmt.Errorf("signin: %s has a curve that is not P-256", name)
		}
	case ed25519.PublicKey:
		k.algorithm = jose.EdDSA
	case *rsa.PublicKey:
		k.algorithm = jose.RS256
	default:
		return nil, fmt.Errorf("signin: %s has a public key of type %T; it must be of P-256, Ed25519 or RSA", name, public)
	}
	var err error
	if k.thumbprint, err = jose.Thumbprint(signer.Public()); err != nil {
		return nil, fmt.Errorf("signin: %s: %w", name, err)
	}
	k.jwk, err = jose.Key{Public: signer.Public()}.MarshalJSON()
	return k, err
}

// generateProofKey makes a key. The text is the key in the form of the state file.
func generateProofKey() (*proofKey, string, error) {
	private, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		return nil, "", err
	}
	text, err := x509.MarshalPKCS8PrivateKey(private)
	if err != nil {
		return nil, "", err
	}
	key, err := newProofKey(private, keptName)
	return key, base64.StdEncoding.EncodeToString(text), err
}

// parseProofKey reads a key from the state file.
func parseProofKey(text string) (*proofKey, error) {
	der, err := base64.StdEncoding.DecodeString(text)
	if err != nil {
		return nil, err
	}
	private, err := x509.ParsePKCS8PrivateKey(der)
	if err != nil {
		return nil, err
	}
	signer, isSigner := private.(crypto.Signer)
	if !isSigner {
		return nil, errors.New("the key in the state file cannot sign")
	}
	return newProofKey(signer, keptName)
}

// prove adds a proof to the header of a request. token is the access token of the request, empty if the request is for tokens. learned
// are the nonces that servers sent.
func (k *proofKey) prove(r *http.Request, token string, learned *nonces) error {
	claims := map[string]any{"jti": rand.Text(), "htm": r.Method, "htu": targetOf(r), "iat": time.Now().Unix()}
	if token != "" {
		sum := sha256.Sum256([]byte(token))
		claims["ath"] = jose.EncodeBase64(sum[:])
	}
	if nonce := learned.of(r.URL); nonce != "" {
		claims["nonce"] = nonce
	}
	proof, err := k.jwt(map[string]any{"typ": "dpop+jwt", "alg": k.algorithm, "jwk": k.jwk}, claims)
	r.Header.Set(headerProof, proof)
	return err
}

// jwt returns a JWT signed with the key.
func (k *proofKey) jwt(header, claims map[string]any) (string, error) {
	first, err := json.Marshal(header)
	if err != nil {
		return "", err
	}
	payload, err := json.Marshal(claims)
	if err != nil {
		return "", err
	}
	input := jose.EncodeBase64(first) + "." + jose.EncodeBase64(payload)
	signature, err := k.sign([]byte(input))
	if err != nil {
		return "", fmt.Errorf("signin: sign a JWT: %w", err)
	}
	return input + "." + jose.EncodeBase64(signature), nil
}

func (k *proofKey) sign(input []byte) ([]byte, error) {
	if k.algorithm == jose.EdDSA {
		return k.signer.Sign(rand.Reader, input, crypto.Hash(0))
	}
	digest := sha256.Sum256(input)
	signature, err := k.signer.Sign(rand.Reader, digest[:], crypto.SHA256)
	if err != nil || k.algorithm == jose.RS256 {
		return signature, err
	}
	parts, err := parseDER(signature, elliptic.P256().Params().N)
	if err != nil {
		return nil, err
	}
	return parts.raw(), nil
}

// targetOf returns the URL of a request as the claim htu contains it: as the server sees it, with the host of the header Host if the
// request sets another, and without user, query and fragment.
func targetOf(r *http.Request) string {
	u := url.URL{Scheme: r.URL.Scheme, Opaque: r.URL.Opaque, Host: cmp.Or(r.Host, r.URL.Host), Path: r.URL.Path, RawPath: r.URL.RawPath}
	return u.String()
}
