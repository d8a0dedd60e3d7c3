package claims

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/picoauth/picoauth/serverauth/store"
)

// ErrSubjectRefused is the error with which a Provider refuses a subject. It may be wrapped.
var ErrSubjectRefused = errors.New("serverauth: subject refused")

// Claims are the claims of a subject that the app provides.
type Claims struct {
	Role   string   // empty: wallet, or the admin role
	Groups []string // `groups`
	Scope  string   // `scope`, separated by spaces (RFC 8693, section 4.2)
	Email  string   // `email`
	Name   string   // `name`
	// Extra are additional claims. A reserved name, see CheckFree, is an error in any letter case, because many
	// readers do not distinguish `Role` from `role`.
	Extra map[string]any
}

// Provider returns the claims of a subject. It is called at each sign-in, login and refresh, after the settings subjects,
// subjects_file and claims_url, and overrides them field by field. Replace it with fx.Decorate at the root of the app. An error
// that matches ErrSubjectRefused refuses the subject and ends its session. For any other error the reply is 503.
type Provider interface {
	Claims(ctx context.Context, subject store.Subject) (Claims, error)
}

// ProviderFunc is a function that is a Provider.
type ProviderFunc func(ctx context.Context, subject store.Subject) (Claims, error)

// Claims implements Provider.
func (f ProviderFunc) Claims(ctx context.Context, subject store.Subject) (Claims, error) {
	return f(ctx, subject)
}

// NewDefault returns a provider that refuses nobody and adds no claims.
func NewDefault() Provider {
	return ProviderFunc(func(context.Context, store.Subject) (Claims, error) { return Claims{}, nil })
}

// reservedClaims must not be in Claims.Extra: the claims of RFC 7519, RFC 9068, RFC 8693, RFC 7800 and OpenID Connect with which
// validators decide, those of this server, and those of an agent.
var reservedClaims = []string{
	"iss", "sub", "aud", "exp", "nbf", "iat", "jti", "client_id", "sid", "scope", "scp", "auth_time", "acr", "amr", "cnf", "act",
	"may_act", "azp", "nonce", "at_hash", "c_hash", "s_hash", "jkt", "ath", "htm", "htu", "typ", "token_use", "events",
	"role", "roles", "groups", "entitlements", "email", "email_verified", "name", "type",
	"algorithm", "wallet_address", "wallet_id", "wallet_kind", "account", "request_id",
	"agent_id", "task_type", "scopes", "user_id", "session_id", "conversation_id", "task_id", "org_id", "organisation",
	"organization", "spend_limit", "parent_chain",
}

// CheckFree returns an error for additional claims with an empty or a reserved name: a name that the issuer itself uses or that
// has a meaning for validators, in any letter case.
func CheckFree(extra map[string]any) error {
	for name := range extra {
		reserved := func(own string) bool { return strings.EqualFold(own, name) }
		if name == "" || slices.ContainsFunc(reservedClaims, reserved) {
			return fmt.Errorf("serverauth: claim %q is reserved for the issuer and cannot be set as a free claim", name)
		}
	}
	return nil
}
