package verify

import (
	"context"
	"slices"
	"time"
)

// SecurityContext is the caller of a request, as its verified token describes it. All requests with the same token share
// it: never change it, nor what its fields point to.
type SecurityContext struct {
	// Subject is the claim sub, or the issuer's SubjectClaim: the account, wallet address, session or e-mail. Use it for
	// authorization.
	Subject string
	// Issuer is the claim iss.
	Issuer string
	// Audience is the claim aud, always as a list.
	Audience []string
	// Role is the first of Roles, or empty.
	Role string
	// Roles come from the [RoleResolver]: by default the claim role, then the claim roles.
	Roles []string
	// Groups is the claim groups, or the value at the issuer's GroupsPath.
	Groups []string
	// Scopes is the claim scope (separated by spaces), scopes or scp, or the value at the issuer's ScopePath.
	Scopes []string
	// Actor is who acts for Subject, with the earlier actors: the claim act. It is nil if Subject acts itself.
	Actor *Actor
	// SessionID is the claim sid.
	SessionID string
	// TokenID is the claim jti.
	TokenID string
	// ClientID is the claim client_id.
	ClientID string
	// WalletAddress is the claim wallet_address: the canonical address of a wallet.
	WalletAddress string
	// WalletID is the claim wallet_id: the RFC 7638 thumbprint of the wallet's key.
	WalletID string
	// WalletKind is the claim wallet_kind: key, or contract for a contract wallet.
	WalletKind string
	// Account is the claim account: the CAIP-10 id of a wallet that belongs to a chain.
	Account string
	// Email is the claim email. Only the issuer knows whether the address was verified.
	Email string
	// OrganisationID is the claim org_id.
	OrganisationID string
	// Algorithm is the claim algorithm: that of the wallet's signature at the sign-in, not that of the token.
	Algorithm string
	// IssuedAt is the claim iat, or zero without one.
	IssuedAt time.Time
	// ExpiresAt is the claim exp.
	ExpiresAt time.Time
	// Claims are all claims, as encoding/json would decode them: numbers are float64.
	Claims map[string]any

	rolePath string   // of the issuer; empty: the claims role and roles
	bound    *binding // nil for a bearer token
}

// HasRole reports whether one of roles is among Roles.
func (s *SecurityContext) HasRole(roles ...string) bool { return containsAny(s.Roles, roles) }

// HasGroup reports whether one of groups is among Groups.
func (s *SecurityContext) HasGroup(groups ...string) bool { return containsAny(s.Groups, groups) }

// HasScope reports whether Scopes cover one of scopes; see [ScopeCovers].
func (s *SecurityContext) HasScope(scopes ...string) bool { return coversAny(s.Scopes, scopes) }

func containsAny(have, wanted []string) bool {
	return slices.ContainsFunc(wanted, func(one string) bool { return slices.Contains(have, one) })
}

// identity is what the context of a request contains, under one key.
type identity struct {
	nonce  string // for the client's next DPoP proofs, if it needs another
	caller *SecurityContext
	agent  *AgentContext
	// challenge is the beginning of a WWW-Authenticate header: the scheme and its own parameters. Empty is the default.
	challenge string
}

type identityKey struct{}

func identityOf(ctx context.Context) identity {
	if found, ok := ctx.Value(identityKey{}).(*identity); ok {
		return *found
	}
	return identity{}
}

func withIdentity(ctx context.Context, id identity) context.Context {
	return context.WithValue(ctx, identityKey{}, &id)
}

// FromContext returns the caller of the request, and false for an anonymous request.
func FromContext(ctx context.Context) (*SecurityContext, bool) {
	caller := identityOf(ctx).caller
	return caller, caller != nil
}

// NewContext returns a context for which [FromContext] returns caller. Middleware calls it; it is also for tests of
// handlers and for transports other than HTTP. An agent in ctx is kept.
func NewContext(ctx context.Context, caller *SecurityContext) context.Context {
	id := identityOf(ctx)
	id.caller = caller
	return withIdentity(ctx, id)
}
