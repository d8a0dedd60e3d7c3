package keys

import (
	"crypto"
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/rsa"
	"crypto/x509"
	"encoding/json"
	"fmt"
	"slices"

	"github.com/golang-jwt/jwt/v5"
	"golang.org/x/sync/errgroup"

	"github.com/picoauth/picoauth/clientauth/jose"
)

// rsaBits is the size of new RSA keys.
const rsaBits = 2048

var signingAlgorithms = []string{jose.RS256, jose.ES256, jose.EdDSA, jose.MLDSA44, jose.MLDSA65, jose.MLDSA87}

// Algorithms lists the algorithms that a ring can sign with.
func Algorithms() []string { return slices.Clone(signingAlgorithms) }

// material is the decoded key of a record, with expanded ML-DSA keys and precomputed RSA values.
type material struct {
	key     *jose.Key
	jwk     json.RawMessage
	method  jwt.SigningMethod
	private crypto.Signer // nil when the record has no private part
}

// newMaterial decodes and validates the record of a key.
func newMaterial(r Record) (*material, error) {
	m := &material{key: new(jose.Key), jwk: r.Public}
	if err := m.readPublic(r); err != nil {
		return nil, fmt.Errorf("%w: public part: %w", ErrInvalidRecord, err)
	}
	if r.TokenLifetime <= 0 {
		return nil, fmt.Errorf("%w: no token lifetime", ErrInvalidRecord)
	}
	if len(r.Private) == 0 {
		return m, nil
	}
	if !r.CompromisedAt.IsZero() {
		return nil, fmt.Errorf("%w: a compromised key must not have a private part", ErrInvalidRecord)
	}
	if err := m.readPrivate(r); err != nil {
		return nil, fmt.Errorf("%w: private part: %w", ErrInvalidRecord, err)
	}
	return m, nil
}

func (m *material) readPublic(r Record) error {
	if !slices.Contains(signingAlgorithms, r.Algorithm) {
		return fmt.Errorf("unsupported algorithm %.32q", r.Algorithm)
	}
	m.method, _ = jose.SigningMethod(r.Algorithm)
	if err := json.Unmarshal(r.Public, m.key); err != nil {
		return err
	}
	if m.key.ID != r.ID || m.key.Algorithm != r.Algorithm || !m.key.Fits(r.Algorithm) {
		return fmt.Errorf("it is not the key that the record names")
	}
	thumbprint, err := jose.Thumbprint(m.key.Public)
	if err != nil {
		return err
	}
	if thumbprint != r.ID {
		return fmt.Errorf("its thumbprint is not its id")
	}
	return nil
}

func (m *material) readPrivate(r Record) error {
	signer, err := parsePrivate(r.Algorithm, r.Private)
	if err != nil {
		return err
	}
	if !(jose.Key{Public: signer.Public()}).Equal(jose.Key{Public: m.key.Public}) {
		return fmt.Errorf("it does not belong to the public part")
	}
	m.private = signer
	return nil
}

func (m *material) withoutPrivate() *material {
	return &material{key: m.key, jwk: m.jwk, method: m.method}
}

func parsePrivate(algorithm string, data []byte) (crypto.Signer, error) {
	if jose.KeyType(algorithm) == jose.KeyTypeAKP {
		return jose.NewMLDSAPrivateKey(algorithm, data)
	}
	key, err := x509.ParsePKCS8PrivateKey(data)
	if err != nil {
		return nil, fmt.Errorf("not PKCS #8") // the library's error may quote the bytes
	}
	signer, ok := key.(crypto.Signer)
	if !ok {
		return nil, fmt.Errorf("not a signing key")
	}
	return signer, nil
}

// generate makes a new key for a signing algorithm. The record has no times yet.
func generate(algorithm string) (Record, error) {
	signer, err := generatePrivate(algorithm)
	if err != nil {
		return Record{}, fmt.Errorf("keys: make a key for %s: %w", algorithm, err)
	}
	thumbprint, err := jose.Thumbprint(signer.Public())
	if err != nil {
		return Record{}, fmt.Errorf("keys: make a key for %s: %w", algorithm, err)
	}
	public, err := json.Marshal(jose.Key{ID: thumbprint, Algorithm: algorithm, Public: signer.Public()})
	if err != nil {
		return Record{}, fmt.Errorf("keys: make a key for %s: %w", algorithm, err)
	}
	private, err := marshalPrivate(signer)
	if err != nil {
		return Record{}, fmt.Errorf("keys: make a key for %s: %w", algorithm, err)
	}
	return Record{ID: thumbprint, Kind: KindKey, Algorithm: algorithm, Public: public, Private: private}, nil
}

// generateAll generates keys for the algorithms concurrently.
func generateAll(algorithms []string) ([]Record, error) {
	records := make([]Record, len(algorithms))
	var group errgroup.Group
	for i, algorithm := range algorithms {
		group.Go(func() (err error) {
			records[i], err = generate(algorithm)
			return err
		})
	}
	return records, group.Wait()
}

func generatePrivate(algorithm string) (crypto.Signer, error) {
	switch jose.KeyType(algorithm) {
	case jose.KeyTypeRSA:
		return rsa.GenerateKey(rand.Reader, rsaBits)
	case jose.KeyTypeEC:
		return ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	case jose.KeyTypeOKP:
		_, private, err := ed25519.GenerateKey(rand.Reader)
		return private, err
	}
	return jose.GenerateMLDSAKey(algorithm)
}

func marshalPrivate(signer crypto.Signer) ([]byte, error) {
	if key, ok := signer.(*jose.MLDSAPrivateKey); ok {
		return key.Seed(), nil
	}
	return x509.MarshalPKCS8PrivateKey(signer)
}
