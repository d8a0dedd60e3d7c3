package verify

import (
	"context"
	"crypto/sha256"
	"crypto/subtle"
	"net/http"
	"strings"
	"sync/atomic"

	"github.com/picoauth/picoauth/clientauth/jose"
)

// DPoPConfig configures the validation of DPoP proofs (RFC 9449). A token with cnf.jkt is accepted only with a proof of that
// key, whatever is configured.
type DPoPConfig struct {
	// Required refuses tokens that are not bound to a key.
	Required bool
	// Algorithms are the allowed algorithms of proofs; nil: ES256, EdDSA, RS256 and PS256. An empty list refuses every proof.
	// EdDSA also allows its other name, Ed25519.
	Algorithms []string
	// Origins returns the scheme and host under which the client sees the service, such as https://api.example.com, followed by
	// a path if a proxy removes one; several if each of them is possible. nil: those of the connection and the header Host,
	// which is wrong behind a proxy that terminates TLS.
	Origins func(*http.Request) []string
	// CacheSize is the number of used proofs that are remembered in memory, each for at most twice the leeway; 0: 100,000. While the
	// cache is full, the reply to requests with a proof is 503.
	CacheSize int
	// Nonces requires a nonce of this service in proofs; replies contain it (RFC 9449, section 9).
	Nonces bool
	// NonceKey returns the key with which all instances of the service make nonces, 16 bytes or more; nil: a random key of this
	// process. It is called for every use.
	NonceKey func(context.Context) ([]byte, error)
	// Used remembers used proofs for several instances of the service; nil: in memory.
	Used ProofStore
}

// DefaultProofAlgorithms returns the default of [DPoPConfig].Algorithms.
func DefaultProofAlgorithms() []string {
	return []string{jose.ES256, jose.EdDSA, jose.RS256, jose.PS256}
}

// DefaultProofCacheSize is the default of [DPoPConfig].CacheSize.
const DefaultProofCacheSize = 100_000

// binding is the key to which a token is bound.
type binding struct {
	thumbprint string // cnf.jkt (RFC 9449 section 6.1)
	// last is the key of the last valid proof, because clients send the same key with every request.
	last atomic.Pointer[proofKey]
}

// binding returns the binding in the claim cnf, or nil. A jkt that is not a thumbprint is an [ErrMalformedToken].
func (c claimSet) binding() (*binding, error) {
	confirmation, isObject := c["cnf"].(map[string]any)
	if !isObject {
		if c["cnf"] != nil {
			return nil, explain(ErrMalformedToken, "claim \"cnf\" is not an object")
		}
		return nil, nil
	}
	raw, present := confirmation["jkt"]
	if !present {
		return nil, nil
	}
	thumbprint, _ := raw.(string)
	if sum, err := jose.DecodeBase64(thumbprint); err != nil || len(sum) != sha256.Size {
		return nil, explain(ErrMalformedToken, "claim \"cnf.jkt\" is not a thumbprint")
	}
	return &binding{thumbprint: thumbprint}, nil
}

// proofChecker checks that a bound token comes with a proof of its key.
type proofChecker struct {
	proofReader
	required  bool
	challenge string
}

func newProofChecker(cfg DPoPConfig, validator *TokenValidator) (*proofChecker, error) {
	reader, err := newProofReader(cfg, validator.clock, validator.leeway)
	if err != nil {
		return nil, err
	}
	return &proofChecker{reader, cfg.Required, schemeDPoP + " algs=" + quoted(strings.Join(reader.algorithms, " "))}, nil
}

// check returns nil for an unbound token that is sent as a bearer token, unless proofs are required, and for a bound token with
// a valid proof, which it marks as used. It also returns the nonce for the client's next proofs, if a new one is needed.
func (p *proofChecker) check(r *http.Request, scheme, token string, bound *binding) (nonce string, err error) {
	switch {
	case scheme == schemeBearer && bound == nil && !p.required:
		return "", nil
	case scheme == schemeBearer:
		return "", explain(ErrTokenBinding, "it came as a bearer token")
	case bound == nil:
		return "", explain(ErrTokenBinding, "it is not bound to a key: it has no cnf.jkt")
	}
	proof, err := p.read(r, &token, bound)
	if err != nil {
		return "", err
	}
	return proof.nonce, proof.Spend(r.Context())
}

// sameText compares in constant time.
func sameText(a, b string) bool { return subtle.ConstantTimeCompare([]byte(a), []byte(b)) == 1 }
