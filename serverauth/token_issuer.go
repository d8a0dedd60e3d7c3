package serverauth

import (
	"context"
	"crypto/rand"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"time"

	"github.com/picoauth/picoauth/app"
	"github.com/picoauth/picoauth/clientauth/jose"
	"github.com/picoauth/picoauth/serverauth/keys"
)

// accessTokenType is the `typ` of an access token's header (RFC 9068, section 2.1).
const accessTokenType = "at+jwt"

// TokenIssuer makes access tokens (RFC 9068) and publishes the keys that verify them.
type TokenIssuer struct {
	settings ServerAuthSettings
	ring     *keys.Ring
	audit    MintRecorder
	now      app.Clock
	metrics  *Instruments
}

// MintRecorder is told of every access token that was made. It must not block.
type MintRecorder interface {
	Record(Mint)
}

// NewTokenIssuer returns an issuer that signs with the ring's active key. The recorder may be nil.
func NewTokenIssuer(settings ServerAuthSettings, ring *keys.Ring, audit MintRecorder, clock ...app.Clock) *TokenIssuer {
	return &TokenIssuer{settings: settings, ring: ring, audit: audit, now: clockOr(clock...)}
}

// AccessTokenRequest says what an access token shall hold. Only Subject is required.
type AccessTokenRequest struct {
	Subject   string        // `sub`
	Role      string        // `role`; empty: left out
	Groups    []string      // `groups`
	Scope     string        // `scope`
	SessionID string        // `sid`
	TTL       time.Duration // 0: access_token_expire_minutes
	IssuedAt  time.Time     // zero: now. A flow gives the instant at which it began.

	Kind    string  // in the mint audit: KindWallet, KindAdmin, KindFleet, or a word of the app's
	AgentID string  // `agent_id`, of fleet tokens
	Wallet  Subject // of wallets: `algorithm`, `wallet_address`, `wallet_id`, `account`

	// Extra holds free claims; a reserved name is an error.
	Extra map[string]any
}

// accessClaims is the wire form of an access token's claims.
type accessClaims struct {
	Issuer        string   `json:"iss"`
	Subject       string   `json:"sub"`
	Audience      string   `json:"aud"`
	ExpiresAt     int64    `json:"exp"`
	NotBefore     int64    `json:"nbf"`
	IssuedAt      int64    `json:"iat"`
	ID            string   `json:"jti"`
	ClientID      string   `json:"client_id"`
	SessionID     string   `json:"sid,omitempty"`
	Role          string   `json:"role,omitempty"`
	Groups        []string `json:"groups,omitempty"`
	Scope         string   `json:"scope,omitempty"`
	AgentID       string   `json:"agent_id,omitempty"`
	Algorithm     string   `json:"algorithm,omitempty"`
	WalletAddress string   `json:"wallet_address,omitempty"`
	WalletID      string   `json:"wallet_id,omitempty"`
	Account       string   `json:"account,omitempty"`
}

// IssueAccessToken returns a signed access token.
func (i *TokenIssuer) IssueAccessToken(ctx context.Context, r AccessTokenRequest) (string, error) {
	token, _, err := i.issue(ctx, r)
	return token, err
}

// issue also returns what was minted.
func (i *TokenIssuer) issue(ctx context.Context, r AccessTokenRequest) (string, Mint, error) {
	if r.Subject == "" {
		return "", Mint{}, errors.New("serverauth: an access token needs a subject")
	}
	if err := ctx.Err(); err != nil {
		return "", Mint{}, err
	}
	claims := i.claims(r)
	payload, err := encodeClaims(claims, r.Extra)
	if err != nil {
		return "", Mint{}, err
	}
	_, span := app.StartSpan(ctx, "token.sign")
	token, err := i.ring.Sign(accessTokenType, payload, claims.ExpiresAt)
	app.EndSpan(span, err)
	if err != nil {
		return "", Mint{}, fmt.Errorf("serverauth: sign access token: %w", err)
	}
	mint := Mint{
		ID: claims.ID, Subject: claims.Subject, Role: claims.Role, IssuedAt: claims.IssuedAt, ExpiresAt: claims.ExpiresAt,
		Kind: r.Kind, Scope: claims.Scope, AgentID: r.AgentID, SessionID: claims.SessionID,
		WalletID: claims.WalletID,
	}
	i.metrics.issued(mint.Kind)
	if i.audit != nil {
		i.audit.Record(mint)
	}
	return token, mint, nil
}

func (i *TokenIssuer) claims(r AccessTokenRequest) accessClaims {
	if r.TTL == 0 {
		r.TTL = i.settings.AccessTokenTTL()
	}
	if r.IssuedAt.IsZero() {
		r.IssuedAt = i.now()
	}
	return accessClaims{
		Issuer:        i.settings.Issuer,
		Subject:       r.Subject,
		Audience:      i.settings.Audience,
		ExpiresAt:     r.IssuedAt.Add(r.TTL).Unix(),
		NotBefore:     r.IssuedAt.Unix(),
		IssuedAt:      r.IssuedAt.Unix(),
		ID:            randomID(),
		ClientID:      i.settings.ClientIDOrAudience(),
		SessionID:     r.SessionID,
		Role:          r.Role,
		Groups:        r.Groups,
		Scope:         r.Scope,
		AgentID:       r.AgentID,
		Algorithm:     r.Wallet.Algorithm,
		WalletAddress: r.Wallet.WalletAddress(),
		WalletID:      r.Wallet.WalletID,
		Account:       r.Wallet.Account,
	}
}

// encodeClaims appends the free claims to the issuer's own.
func encodeClaims(claims accessClaims, extra map[string]any) ([]byte, error) {
	payload, err := app.AppendJSON(make([]byte, 0, 1024), claims)
	if err != nil || len(extra) == 0 {
		return payload, err
	}
	if err := checkFreeClaims(extra); err != nil {
		return nil, err
	}
	free, err := json.Marshal(extra)
	if err != nil {
		return nil, fmt.Errorf("serverauth: free claims: %w", err)
	}
	payload[len(payload)-1] = ','
	return append(payload, free[1:]...), nil
}

// JWKS is a JSON Web Key Set (RFC 7517, section 5) of public keys. go-jose's own refuses a set that holds an AKP key.
type JWKS = jose.Set

// JWKS returns the keys that verify the issuer's tokens: those that sign, that will sign, and that have signed what
// has not yet expired.
func (i *TokenIssuer) JWKS(ctx context.Context) (JWKS, error) {
	if err := ctx.Err(); err != nil {
		return JWKS{}, err
	}
	return JWKS{Keys: i.ring.PublishedKeys()}, nil
}

// randomID returns 128 random bits as 22 characters of base64url: a `jti` or `sid`.
func randomID() string {
	var id [16]byte
	rand.Read(id[:]) // never fails: crypto/rand ends the program instead
	return base64.RawURLEncoding.EncodeToString(id[:])
}
