package serverauth

import (
	"context"
	"errors"
	"fmt"
	"slices"
)

// ErrSubjectRefused is what a ClaimsProvider returns, wrapped or not, for a subject that may not have a token.
var ErrSubjectRefused = errors.New("serverauth: subject refused")

// Kinds of subject, as they stand in a session and in the mint audit.
const (
	KindWallet = "wallet"
	KindAdmin  = "admin"
	KindFleet  = "fleet"
)

// Subject is whom a token is about to be issued to, after the proof has been verified.
type Subject struct {
	ID   string // the token's `sub`: a canonical wallet address, or an e-mail
	Kind string // KindWallet or KindAdmin

	// Of wallets only.
	Algorithm string // the wallet algorithm
	WalletID  string // RFC 7638 thumbprint of the key, where it is known
	Account   string // CAIP-10 account, where the address belongs to a chain
}

// WalletAddress is the canonical address of a wallet, and empty for any other subject.
func (s Subject) WalletAddress() string {
	if s.Kind == KindWallet {
		return s.ID
	}
	return ""
}

// Claims is what the app says about a subject.
type Claims struct {
	Role   string   // empty: wallet, or the admin role
	Groups []string // `groups`
	Scope  string   // `scope`, separated by spaces (RFC 8693, section 4.2)
	// Extra holds free claims. A name that the issuer itself uses, or that is registered for JWTs, is an error.
	Extra map[string]any
}

// ClaimsProvider is asked at each sign-in, login and refresh. Replace it by fx.Decorate at the root of the app. An
// error that is ErrSubjectRefused refuses the subject and ends its session; any other is the server's fault and is
// answered with 503.
type ClaimsProvider interface {
	Claims(ctx context.Context, subject Subject) (Claims, error)
}

// ClaimsProviderFunc is a function that is a ClaimsProvider.
type ClaimsProviderFunc func(ctx context.Context, subject Subject) (Claims, error)

// Claims implements ClaimsProvider.
func (f ClaimsProviderFunc) Claims(ctx context.Context, subject Subject) (Claims, error) {
	return f(ctx, subject)
}

// NewDefaultClaimsProvider returns the provider that refuses nobody and adds nothing.
func NewDefaultClaimsProvider() ClaimsProvider {
	return ClaimsProviderFunc(func(context.Context, Subject) (Claims, error) { return Claims{}, nil })
}

// reservedClaims may not be set by Claims.Extra: the registered claims (RFC 7519, RFC 9068, RFC 8693, OpenID
// Connect's session), ours, and those of an agent.
var reservedClaims = []string{
	"iss", "sub", "aud", "exp", "nbf", "iat", "jti", "client_id", "sid", "scope", "scp", "auth_time", "acr", "amr", "cnf", "act",
	"may_act", "azp", "nonce", "role", "roles", "groups", "entitlements", "type", "algorithm", "wallet_address", "wallet_id", "account",
	"agent_id", "task_type", "scopes", "user_id", "session_id", "conversation_id", "task_id", "org_id", "organisation",
	"organization", "spend_limit", "parent_chain",
}

func checkFreeClaims(extra map[string]any) error {
	for name := range extra {
		if name == "" || slices.Contains(reservedClaims, name) {
			return fmt.Errorf("serverauth: claim %q belongs to the issuer and may not be set as a free claim", name)
		}
	}
	return nil
}
