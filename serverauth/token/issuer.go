package token

import (
	"cmp"
	"context"
	"crypto/rand"
	"encoding/base64"
	"errors"
	"fmt"
	"time"

	"github.com/picoauth/picoauth/app"
	"github.com/picoauth/picoauth/clientauth/jose"
	"github.com/picoauth/picoauth/serverauth/audit"
	"github.com/picoauth/picoauth/serverauth/internal/cores"
	"github.com/picoauth/picoauth/serverauth/keys"
)

// Issuer issues access tokens (RFC 9068) and publishes the keys that verify them.
type Issuer struct {
	config Config
}

// Config configures an [Issuer].
type Config struct {
	Issuer, Audience string            // `iss` and `aud`
	ClientID         string            // `client_id`
	Life             time.Duration     // of a token whose Request has no TTL
	Ring             *keys.Ring        // its active key signs
	Cores            cores.Cores       // limits concurrent signing; nil: one per core
	Recorder         MintRecorder      // nil: none
	Issued           func(kind string) // is called for each token; nil: none
	Clock            app.Clock         // nil: time.Now
}

// MintRecorder records every access token that was issued. It must not block.
type MintRecorder interface {
	Record(audit.Mint)
}

// NewIssuer returns an issuer.
func NewIssuer(c Config) *Issuer {
	c.Clock = app.ClockOr(c.Clock)
	if c.Cores == nil {
		c.Cores = cores.New()
	}
	return &Issuer{c}
}

// IssueAccessToken returns a signed access token.
func (i *Issuer) IssueAccessToken(ctx context.Context, r Request) (string, error) {
	token, _, err := i.Issue(ctx, r)
	return token, err
}

// Able returns an error if Issue would fail because of a claim, or because there is no key.
func (i *Issuer) Able(r Request) error {
	if _, _, err := i.claims(r); err != nil {
		return err
	}
	return i.Ready()
}

// Issue returns a signed access token and its record in the mint audit.
func (i *Issuer) Issue(ctx context.Context, r Request) (string, audit.Mint, error) {
	if r.Subject == "" {
		return "", audit.Mint{}, errors.New("token: an access token needs a subject")
	}
	if err := ctx.Err(); err != nil {
		return "", audit.Mint{}, err
	}
	claims, payload, err := i.claims(r)
	if err != nil {
		return "", audit.Mint{}, err
	}
	token, err := i.sign(ctx, payload, claims.ExpiresAt)
	if err != nil {
		return "", audit.Mint{}, fmt.Errorf("token: sign access token: %w", err)
	}
	act, err := audit.ActOf(r.Actor)
	if err != nil {
		return "", audit.Mint{}, fmt.Errorf("token: act: %w", err)
	}
	mint := audit.Mint{
		ID: claims.ID, Subject: claims.Subject, Role: claims.Role, IssuedAt: claims.IssuedAt, ExpiresAt: claims.ExpiresAt,
		Kind: r.Kind, Scope: claims.Scope, AgentID: cmp.Or(r.AgentID, r.Workload), SessionID: claims.SessionID,
		WalletID: claims.WalletID, ClientID: claims.ClientID, RequestID: cmp.Or(r.RequestID, app.RequestID(ctx)), Client: ClientOf(ctx),
		Act: act,
	}
	if i.config.Issued != nil {
		i.config.Issued(mint.Kind)
	}
	if i.config.Recorder != nil {
		i.config.Recorder.Record(mint)
	}
	return token, mint, nil
}

// SignAs signs a token that is not an access token, such as an ID token. claims returns the payload for the signing algorithm;
// expires is the claim `exp`.
func (i *Issuer) SignAs(ctx context.Context, typ string, expires int64, claims func(algorithm string) ([]byte, error)) (token string, err error) {
	ctx, span := app.StartSpan(ctx, "token.sign")
	defer func() { app.EndSpan(span, err) }()
	signer, err := i.config.Ring.Signer()
	if err != nil {
		return "", err
	}
	payload, err := claims(signer.Algorithm)
	if err != nil {
		return "", err
	}
	if waited := i.config.Cores.Compute(ctx, func() { token, err = signer.Sign(typ, payload, expires) }); waited != nil {
		return "", waited
	}
	return token, err
}

func (i *Issuer) sign(ctx context.Context, payload []byte, expires int64) (token string, err error) {
	ctx, span := app.StartSpan(ctx, "token.sign")
	defer func() { app.EndSpan(span, err) }()
	if waited := i.config.Cores.Compute(ctx, func() { token, err = i.config.Ring.Sign(keys.AccessTokenType, payload, expires) }); waited != nil {
		return "", waited
	}
	return token, err
}

// Ready returns an error while there is no key to sign with.
func (i *Issuer) Ready() error {
	_, err := i.config.Ring.Signer()
	return err
}

// JWKS is a JWK Set (RFC 7517, section 5) of public keys. (The type of go-jose refuses a set that contains a key of type AKP.)
type JWKS = jose.Set

// JWKS returns the keys that verify the issuer's tokens: the active key, pending keys, and retired keys until their tokens have
// expired.
func (i *Issuer) JWKS(ctx context.Context) (JWKS, error) {
	if err := ctx.Err(); err != nil {
		return JWKS{}, err
	}
	return JWKS{Keys: i.config.Ring.PublishedKeys()}, nil
}

// RandomID returns 128 random bits as 22 characters of base64url: a `jti` or `sid`.
func RandomID() string {
	var id [16]byte
	rand.Read(id[:]) // never fails: crypto/rand ends the program instead
	return base64.RawURLEncoding.EncodeToString(id[:])
}
