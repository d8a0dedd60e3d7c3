package clientauth

import (
	"context"

	"github.com/picoauth/picoauth/clientauth/jose"
	"github.com/picoauth/picoauth/clientauth/verify"
)

// Aliases of package verify, which describes them in more detail.
type (
	// TokenValidator validates access tokens of trusted issuers.
	TokenValidator = verify.TokenValidator
	// ValidatorConfig configures a [TokenValidator].
	ValidatorConfig = verify.ValidatorConfig
	// TrustedIssuer is an issuer whose tokens are accepted, with the rules for them.
	TrustedIssuer = verify.TrustedIssuer
	// SecurityContext is the caller of a request, from its validated token.
	SecurityContext = verify.SecurityContext
	// Actor is the party that acts for the subject of a token (RFC 8693, section 4.1).
	Actor = verify.Actor
	// AgentContext is the agent that makes a request, from its validated token.
	AgentContext = verify.AgentContext
	// RoleResolver returns the roles of a caller. To replace the default in an fx app, add an fx.Decorate with a
	// func(clientauth.RoleResolver) clientauth.RoleResolver at the root of the app.
	RoleResolver = verify.RoleResolver
	// ClaimRoles is the default [RoleResolver]: the roles at the issuer's RolePath; without one, the claim role, then the claim roles.
	ClaimRoles = verify.ClaimRoles
	// Check decides whether a caller is authorized.
	Check = verify.Check
	// KeySet finds the public key that verifies a token.
	KeySet = verify.KeySet
	// KeyMap is an immutable set of keys with lookup by id.
	KeyMap = verify.KeyMap
	// RemoteKeySet is the JWK Set of an issuer, fetched and cached.
	RemoteKeySet = verify.RemoteKeySet
	// RemoteKeySetConfig configures a [RemoteKeySet].
	RemoteKeySetConfig = verify.RemoteKeySetConfig
	// Denylist reports which tokens were revoked.
	Denylist = verify.Denylist
	// TokenRef holds the identifiers of a token that a denylist checks.
	TokenRef = verify.TokenRef
	// Revocation is one item of a denylist.
	Revocation = verify.Revocation
	// RevocationIndex holds the items of a denylist in memory.
	RevocationIndex = verify.RevocationIndex
	// RemoteDenylist is the denylist of a remote issuer, polled and held in memory.
	RemoteDenylist = verify.RemoteDenylist
	// RemoteDenylistConfig configures a [RemoteDenylist].
	RemoteDenylistConfig = verify.RemoteDenylistConfig
)

// AgentHeader is the header with a second token: that of the agent which acts, beside the caller's.
const AgentHeader = verify.AgentHeader

// ErrInvalidToken matches, with errors.Is, every error for an invalid token. The reply is 401.
var ErrInvalidToken = verify.ErrInvalidToken

// Errors for an invalid token. Each also matches [ErrInvalidToken].
var (
	ErrMalformedToken       = verify.ErrMalformedToken
	ErrUnsupportedAlgorithm = verify.ErrUnsupportedAlgorithm
	ErrTokenType            = verify.ErrTokenType
	ErrUnknownIssuer        = verify.ErrUnknownIssuer
	ErrWrongAudience        = verify.ErrWrongAudience
	ErrMissingClaim         = verify.ErrMissingClaim
	ErrTokenExpired         = verify.ErrTokenExpired
	ErrTokenNotYetValid     = verify.ErrTokenNotYetValid
	ErrUnknownKey           = verify.ErrUnknownKey
	ErrInvalidSignature     = verify.ErrInvalidSignature
	ErrTokenRevoked         = verify.ErrTokenRevoked
	ErrTokenBinding         = verify.ErrTokenBinding
	ErrInvalidProof         = verify.ErrInvalidProof
	ErrNotAnAgent           = verify.ErrNotAnAgent
)

// ErrUnavailable matches, with errors.Is, every error for a token that cannot be validated at present. The reply is 503.
var ErrUnavailable = verify.ErrUnavailable

// Errors for tokens that cannot be validated at present. Each also matches [ErrUnavailable].
var (
	ErrKeysUnavailable     = verify.ErrKeysUnavailable
	ErrDenylistUnavailable = verify.ErrDenylistUnavailable
	ErrProofsUnavailable   = verify.ErrProofsUnavailable
	ErrRolesUnavailable    = verify.ErrRolesUnavailable
)

// NewTokenValidator returns a validator, or an error that names every issuer that is incomplete, unsafe, or listed twice.
func NewTokenValidator(cfg ValidatorConfig) (*TokenValidator, error) {
	return verify.NewTokenValidator(cfg)
}

// NewKeyMap returns a KeyMap with copies of the keys.
func NewKeyMap(keys ...jose.Key) *KeyMap { return verify.NewKeyMap(keys...) }

// NewRemoteKeySet returns a key set. It returns an error for an invalid URL, and fetches nothing yet.
func NewRemoteKeySet(cfg RemoteKeySetConfig) (*RemoteKeySet, error) {
	return verify.NewRemoteKeySet(cfg)
}

// NewRemoteDenylist returns a denylist. It returns an error for an invalid URL or credentials, and fetches nothing yet.
func NewRemoteDenylist(cfg RemoteDenylistConfig) (*RemoteDenylist, error) {
	return verify.NewRemoteDenylist(cfg)
}

// NewRevocationIndex returns an empty index.
func NewRevocationIndex() *RevocationIndex { return verify.NewRevocationIndex() }

// FromContext returns the caller of the request with this context, and false for an anonymous one.
func FromContext(ctx context.Context) (*SecurityContext, bool) { return verify.FromContext(ctx) }

// NewContext returns a context with the caller, for tests of handlers.
func NewContext(ctx context.Context, caller *SecurityContext) context.Context {
	return verify.NewContext(ctx, caller)
}

// AgentFromContext returns the agent that makes the request: that of the token in [AgentHeader], else the actor in the claim act
// of the caller's token. It returns false if there is none.
func AgentFromContext(ctx context.Context) (*AgentContext, bool) { return verify.AgentFromContext(ctx) }

// NewAgentContext returns a context with the agent, for tests of handlers.
func NewAgentContext(ctx context.Context, agent *AgentContext) context.Context {
	return verify.NewAgentContext(ctx, agent)
}

// HasRole requires the caller to have one of the roles.
func HasRole(roles ...string) Check { return verify.HasRole(roles...) }

// HasGroup requires the caller to have one of the groups.
func HasGroup(groups ...string) Check { return verify.HasGroup(groups...) }

// HasScope requires one of the scopes: of the agent if the request has one, else of the caller.
func HasScope(scopes ...string) Check { return verify.HasScope(scopes...) }

// HasActor requires one of the actors, by its sub or client_id, to act for the caller; without actors, any agent.
func HasActor(actors ...string) Check { return verify.HasActor(actors...) }

// HasNoActor requires that no agent acts for the caller.
func HasNoActor(ctx context.Context) error { return verify.HasNoActor(ctx) }

// ScopeCovers reports whether a granted scope covers a required one: "a:*" covers "a" and "a:b".
func ScopeCovers(granted, required string) bool { return verify.ScopeCovers(granted, required) }
