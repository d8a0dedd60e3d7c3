package verify

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"slices"
	"time"

	"github.com/picoauth/picoauth/clientauth/jose"
)

// proofReader checks proofs as in RFC 9449, section 4.3, except for their jti.
type proofReader struct {
	algorithms []string
	origins    func(*http.Request) []string
	clock      clock
	leeway     int64 // seconds
	used       ProofStore
	nonces     *proofNonces // nil: none are required
}

func newProofReader(cfg DPoPConfig, now clock, leeway int64) (proofReader, error) {
	p := proofReader{slices.Clone(cfg.Algorithms), cfg.Origins, now, leeway, cfg.Used, nil}
	if cfg.Nonces {
		p.nonces = newProofNonces(cfg.NonceKey)
	}
	if cfg.Algorithms == nil {
		p.algorithms = DefaultProofAlgorithms()
	}
	if p.origins == nil {
		p.origins = ConnectionOrigins
	}
	if p.used == nil {
		p.used = newUsedProofs(cfg.CacheSize)
	}
	if cfg.CacheSize < 0 {
		return p, errors.New("clientauth: the size of the cache of DPoP proofs cannot be negative")
	}
	for _, alg := range p.algorithms {
		if jose.KeyType(alg) == "" {
			return p, fmt.Errorf("clientauth: algorithm %q is not supported for DPoP proofs", alg)
		}
	}
	return p, nil
}

// accepts reports whether the algorithm is allowed for proofs. EdDSA and Ed25519 are two names of one algorithm (RFC 9864).
func (p *proofReader) accepts(alg string) bool {
	return slices.Contains(p.algorithms, alg) || alg == jose.Ed25519 && slices.Contains(p.algorithms, jose.EdDSA)
}

// read checks a proof. It must be for the token, and of the key to which the token is bound. token and bound are nil for a
// token request.
func (p *proofReader) read(r *http.Request, token *string, bound *binding) (*Proof, error) {
	sent := r.Header[headerDPoP]
	if len(sent) != 1 {
		return nil, explain(ErrInvalidProof, "%d DPoP headers came; only one is allowed", len(sent))
	}
	parts, known, err := p.parse(sent[0], bound)
	if err != nil {
		return nil, err
	}
	claims, err := proofClaims(parts, token != nil)
	if err != nil {
		return nil, err
	}
	if err := claims.matches(r, p.origins(r)); err != nil {
		return nil, err
	}
	if err := claims.isOf(token); err != nil {
		return nil, err
	}
	now := p.clock.Now()
	if age := now.Unix() - claims.issued; age > p.leeway || age < -p.leeway {
		return nil, explain(ErrInvalidProof, "it was made at %s; here it is %s", timeText(claims.issued), timeText(now.Unix()))
	}
	key, thumbprint, err := bound.keyOf(parts, known)
	if err != nil {
		return nil, err
	}
	if err := key.Verify(parts.Algorithm, parts.SigningInput, parts.Signature); err != nil {
		return nil, explain(ErrInvalidProof, "its signature was not made with the key in jwk: %w", err)
	}
	if known == nil {
		bound.remember(parts, key)
	}
	proof := &Proof{reader: p, thumbprint: thumbprint, id: claims.id, issued: claims.issued}
	if p.nonces != nil {
		proof.nonce, err = p.nonces.check(r.Context(), claims.nonce, now, p.leeway)
	}
	return proof, err
}

// Proof is a DPoP proof that is valid, provided that it was not used before; see Spend.
type Proof struct {
	reader     *proofReader
	thumbprint string
	id         string
	issued     int64
	nonce      string // for the next proof, if that of this one is old
}

// Thumbprint returns the thumbprint of the key (RFC 7638, SHA-256), the value of cnf.jkt.
func (p *Proof) Thumbprint() string { return p.thumbprint }

// Spend marks the proof as used. It returns [ErrInvalidProof] if the proof was used before, and [ErrProofsUnavailable] if that
// cannot be determined at present.
func (p *Proof) Spend(ctx context.Context) error {
	until := time.Unix(p.issued+p.reader.leeway, 0)
	switch fresh, err := p.reader.used.Spend(ctx, p.thumbprint, p.id, until, p.reader.clock.Now()); {
	case err != nil && !errors.Is(err, ErrProofsUnavailable):
		return because(ErrProofsUnavailable, "%w", err)
	case err != nil:
		return err
	case !fresh:
		return explain(ErrInvalidProof, "its jti was used before")
	}
	return nil
}

// ProofVerifier verifies the proofs of token requests, at an authorization server. It is safe for concurrent use.
type ProofVerifier struct{ proofReader }

// NewProofVerifier returns a verifier. leeway is for the claim iat of proofs, rounded down to seconds. clock nil: the system's.
// [DPoPConfig].Required is ignored.
func NewProofVerifier(cfg DPoPConfig, leeway time.Duration, clock func() time.Time) (*ProofVerifier, error) {
	reader, err := newProofReader(cfg, clock, int64(leeway/time.Second))
	if err != nil {
		return nil, err
	}
	return &ProofVerifier{reader}, nil
}

// Read verifies the proof of a request. It returns nil for a request without one, [ErrInvalidProof] for an invalid one, and
// [ErrProofNonce] for one without a valid nonce, if nonces are required. It does not mark the proof as used.
func (v *ProofVerifier) Read(r *http.Request) (*Proof, error) {
	if len(r.Header[headerDPoP]) == 0 {
		return nil, nil
	}
	return v.read(r, nil, nil)
}
