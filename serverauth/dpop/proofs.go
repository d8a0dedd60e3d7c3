package dpop

import (
	"context"
	"crypto/subtle"
	"errors"
	"net/http"
	"time"

	"github.com/picoauth/picoauth/app"
	"github.com/picoauth/picoauth/clientauth/verify"
	"github.com/picoauth/picoauth/serverauth/store"
)

// Config configures [Proofs].
type Config struct {
	// Issuer is the server's public URL. The htu of a proof begins with it or with the result of Origin.
	Issuer string
	// Algorithms are the allowed algorithms of proofs; nil: [verify.DefaultProofAlgorithms]. An empty list refuses every proof.
	Algorithms []string
	// Leeway is how far the clocks of clients may differ from that of the server.
	Leeway time.Duration
	// Origin returns the scheme and host that the client of a request sees; nil: those of the connection. See clientauth.OriginOf.
	Origin func(*http.Request) string
	// Used remembers used proofs for all instances of the issuer; nil: in memory.
	Used  store.UsedStore
	Clock app.Clock // nil: the system's
}

// Proofs verifies the proofs of token requests. It is safe for concurrent use.
type Proofs struct {
	config   verify.DPoPConfig
	verifier *verify.ProofVerifier
}

// New returns an error for an unknown algorithm.
func New(c Config) (*Proofs, error) {
	if c.Algorithms == nil {
		c.Algorithms = verify.DefaultProofAlgorithms()
	}
	p := &Proofs{config: verify.DPoPConfig{Algorithms: c.Algorithms, Origins: func(r *http.Request) []string {
		if c.Origin == nil {
			return append(verify.ConnectionOrigins(r), c.Issuer)
		}
		return []string{c.Origin(r), c.Issuer}
	}}}
	if c.Used != nil {
		p.config.Used = used{c.Used, c.Leeway + time.Second}
	}
	var err error
	p.verifier, err = verify.NewProofVerifier(p.config, c.Leeway, app.ClockOr(c.Clock))
	return p, err
}

// Config returns the configuration for a validator of tokens that come to the issuer with a proof.
func (p *Proofs) Config() verify.DPoPConfig { return p.config }

// Read verifies the proof of a request and does not mark it as used. A request without one has the zero [Proof]. An
// invalid proof is a problem with the status 400 and the code invalid_dpop_proof.
func (p *Proofs) Read(r *http.Request) (Proof, error) {
	proof, err := p.verifier.Read(r)
	if err != nil {
		return Proof{}, invalidProof(err)
	}
	return Proof{proof}, nil
}

// Proof is a valid proof that is not marked as used yet, or none.
type Proof struct{ proof *verify.Proof }

// Key returns the thumbprint of the proof's key (RFC 7638), or "" if there is no proof.
func (p Proof) Key() string {
	if p.proof == nil {
		return ""
	}
	return p.proof.Thumbprint()
}

// Spend marks the proof as used. If it was used before, the error is the problem of [Proofs.Read]; any other error means
// that this cannot be determined at present. Without a proof it does nothing.
func (p Proof) Spend(ctx context.Context) error {
	if p.proof == nil {
		return nil
	}
	err := p.proof.Spend(ctx)
	if errors.Is(err, verify.ErrInvalidProof) {
		return invalidProof(err)
	}
	return err
}

// Fits returns [ErrKeyMismatch] unless the proof is of the key with this thumbprint; empty: no proof is required.
func (p Proof) Fits(thumbprint string) error {
	if thumbprint == "" || subtle.ConstantTimeCompare([]byte(p.Key()), []byte(thumbprint)) == 1 {
		return nil
	}
	return ErrKeyMismatch
}

// ErrKeyMismatch is the problem for a request that needs a proof of a certain key and has none, or one of another key.
var ErrKeyMismatch = app.NewProblem(http.StatusUnauthorized, "dpop_key_mismatch", "the DPoP proof is missing or of another key")

func invalidProof(err error) *app.Problem {
	problem := app.NewProblem(http.StatusBadRequest, "invalid_dpop_proof", "the DPoP proof is not valid")
	problem.Hint = verify.Hint(err)
	return problem
}
