package verify

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"

	"github.com/picoauth/picoauth/clientauth/jose"
)

// ValidatorConfig configures a [TokenValidator].
type ValidatorConfig struct {
	// Issuers are the trusted issuers: at least one, each with a different name.
	Issuers []TrustedIssuer
	// Leeway is the tolerated difference of clocks for exp, nbf and iat, in whole seconds.
	Leeway time.Duration
	// CacheSize is how many verified tokens are cached; 0 is none.
	CacheSize int
	// RequireTyp accepts only tokens with "typ": "at+jwt" in the header (RFC 9068). Without it, "JWT" or no typ is accepted
	// too.
	RequireTyp bool
	// Types are further accepted values of typ in the header, in lower case, if RequireTyp is not set: "jose" for SPIFFE's
	// JWT-SVIDs.
	Types []string
	// Roles decides which roles a caller has; nil is [ClaimRoles].
	Roles RoleResolver
	// Observer receives each validation; nil is none.
	Observer Observer
	// Clock is for tests; nil is the system's.
	Clock func() time.Time
}

// TokenValidator decides whether a text is a valid access token of a trusted issuer. It is safe for concurrent use. The
// zero value trusts no issuer.
type TokenValidator struct {
	issuers    map[string]*TrustedIssuer // by name or pattern
	patterns   []*TrustedIssuer          // those with tenants
	algorithms []string                  // of all issuers, without repetition
	leeway     int64                     // seconds
	strictType bool
	types      []string
	roles      RoleResolver // nil for ClaimRoles
	clock      clock
	cache      *tokenCache
	observer   Observer
}

// NewTokenValidator returns an error that names every issuer that is incomplete, unsafe, or listed twice.
func NewTokenValidator(cfg ValidatorConfig) (*TokenValidator, error) {
	var faults []error
	if len(cfg.Issuers) == 0 {
		faults = append(faults, errors.New("clientauth: a validator needs a trusted issuer"))
	}
	if cfg.Leeway < 0 || cfg.CacheSize < 0 {
		faults = append(faults, errors.New("clientauth: leeway and cache size cannot be negative"))
	}
	v := &TokenValidator{issuers: make(map[string]*TrustedIssuer, len(cfg.Issuers)), leeway: int64(cfg.Leeway / time.Second),
		strictType: cfg.RequireTyp, types: slices.Clone(cfg.Types), roles: cfg.Roles, clock: cfg.Clock, cache: newTokenCache(cfg.CacheSize), observer: cfg.Observer}
	if _, isDefault := cfg.Roles.(ClaimRoles); isDefault {
		v.roles = nil
	}
	for _, issuer := range cfg.Issuers {
		faults = append(faults, issuer.Validate())
		if _, repeated := v.issuers[issuer.Issuer]; repeated {
			faults = append(faults, fmt.Errorf("clientauth: the issuer %q is trusted twice", issuer.Issuer))
		}
		if issuer.Algorithms = slices.Clone(issuer.Algorithms); len(issuer.Algorithms) == 0 {
			issuer.Algorithms = jose.Algorithms()
		}
		issuer.Audience, issuer.Audiences = "", issuer.audiences()
		issuer.RequiredClaims, issuer.Tenants = maps.Clone(issuer.RequiredClaims), slices.Clone(issuer.Tenants)
		v.issuers[issuer.Issuer] = &issuer
		if issuer.isPattern() {
			v.patterns = append(v.patterns, &issuer)
		}
		v.algorithms = append(v.algorithms, issuer.Algorithms...)
	}
	if err := errors.Join(faults...); err != nil {
		return nil, err
	}
	slices.Sort(v.algorithms)
	v.algorithms = slices.Compact(v.algorithms)
	return v, nil
}

// Validate returns the caller that a token identifies. Its errors are [ErrInvalidToken], with a more specific sentinel as
// the reason, and [ErrUnavailable] if the token cannot be checked now. The signature of a token in the cache is not
// verified again, but every call checks its times, its key and the denylist.
func (v *TokenValidator) Validate(ctx context.Context, token string) (caller *SecurityContext, err error) {
	t, err := v.validate(ctx, token)
	if err == nil {
		caller, err = resolve(ctx, v.roles, t.caller)
	}
	observerOr(v.observer).Validated(err)
	return caller, err
}

// ValidateAgent returns the agent that a token identifies, by the rules of Validate. It refuses a token with none of the
// claims act, agent_id, task_type and scopes: [ErrNotAnAgent].
func (v *TokenValidator) ValidateAgent(ctx context.Context, token string) (*AgentContext, error) {
	t, err := v.validate(ctx, token)
	if err == nil && t.agent == nil {
		err = explain(ErrNotAnAgent, "none of the claims act, agent_id, task_type and scopes is there")
	}
	observerOr(v.observer).Validated(err)
	if err != nil {
		return nil, err
	}
	return t.agent, nil
}

func (v *TokenValidator) validate(ctx context.Context, token string) (*verifiedToken, error) {
	now := v.clock.Now().Unix()
	t := v.cache.get(token, now)
	observerOr(v.observer).LookedUp(t != nil)
	if t != nil {
		if err := t.times.check(now, v.leeway); err != nil {
			return nil, err
		}
		if t.keyStands(ctx) {
			return t, t.checkDenylist(ctx)
		}
		v.cache.drop(t)
	}
	t, err := v.verify(ctx, token, now)
	if err != nil {
		return nil, err
	}
	v.cache.put(token, t, now)
	return t, t.checkDenylist(ctx)
}

// verify does all checks except the denylist. The signature is the last one.
func (v *TokenValidator) verify(ctx context.Context, token string, now int64) (*verifiedToken, error) {
	parts, err := jose.ParseCompact(token)
	if err != nil {
		return nil, explain(ErrMalformedToken, "%w", err)
	}
	if !slices.Contains(v.algorithms, parts.Algorithm) {
		return nil, wrongAlgorithm(parts.Algorithm, v.algorithms)
	}
	if err := v.checkHeaderType(parts.Type); err != nil {
		return nil, err
	}
	t, err := v.judge(parts, now)
	if err != nil {
		return nil, err
	}
	if err := t.verifySignature(ctx, parts); err != nil {
		return nil, err
	}
	return t, nil
}

func wrongAlgorithm(alg string, accepted []string) error {
	return explain(ErrUnsupportedAlgorithm, "alg %.32q came; accepted: %s", alg, strings.Join(accepted, ", "))
}

// judge applies the rules that need no key.
func (v *TokenValidator) judge(parts *jose.Compact, now int64) (*verifiedToken, error) {
	claims, err := parsePayload(parts)
	if err != nil {
		return nil, err
	}
	issuer, err := v.issuerOf(claims)
	if err != nil {
		return nil, err
	}
	if !slices.Contains(issuer.Algorithms, parts.Algorithm) {
		return nil, wrongAlgorithm(parts.Algorithm, issuer.Algorithms)
	}
	if err := claims.checkType(); err != nil {
		return nil, err
	}
	if err := claims.checkAudience(cmp.Or(issuer.AudienceClaim, "aud"), issuer.Audiences); err != nil {
		return nil, err
	}
	if err := claims.checkRequired(issuer.RequiredClaims); err != nil {
		return nil, err
	}
	times, err := claims.lifetime()
	if err != nil {
		return nil, err
	}
	if err := times.check(now, v.leeway); err != nil {
		return nil, err
	}
	subject, err := claims.required(cmp.Or(issuer.SubjectClaim, "sub"))
	if err != nil {
		return nil, err
	}
	actor, err := claims.actor()
	if err != nil {
		return nil, err
	}
	ref, err := claims.ref(actor, times)
	if err != nil {
		return nil, err
	}
	bound, err := claims.binding()
	if err != nil {
		return nil, err
	}
	caller := claims.caller(issuer, subject, actor, bound, times)
	return &verifiedToken{issuer: issuer, kid: parts.KeyID, alg: parts.Algorithm, times: times, ref: ref,
		caller: caller, agent: claims.agent(issuer, caller)}, nil
}

// issuerOf finds the issuer by its name, or by its pattern and the tenant.
func (v *TokenValidator) issuerOf(claims claimSet) (*TrustedIssuer, error) {
	name, err := claims.required("iss")
	if err != nil {
		return nil, err
	}
	if issuer, trusted := v.issuers[name]; trusted && !issuer.isPattern() {
		return issuer, nil
	}
	for _, issuer := range v.patterns {
		if tenant, matches := issuer.tenantOf(name); matches && issuer.accepts(tenant) {
			if claims.text("tid") != tenant {
				return nil, explain(ErrUnknownIssuer, "the claim \"tid\" is not the tenant in iss %.100q", name)
			}
			return issuer, nil
		}
	}
	return nil, explain(ErrUnknownIssuer, "iss %.100q came; %s is wanted", name, listed(slices.Sorted(maps.Keys(v.issuers))))
}

// ref returns the identifiers that the denylist checks, except the key.
func (c claimSet) ref(actor *Actor, times lifetime) (ref TokenRef, err error) {
	if ref.Subject, err = c.id("sub"); err != nil {
		return ref, err
	}
	if ref.ID, err = c.id("jti"); err != nil {
		return ref, err
	}
	if ref.SessionID, err = c.id("sid"); err != nil {
		return ref, err
	}
	ref.WalletID, err = c.id("wallet_id")
	ref.Actors, ref.IssuedAt = actor.Subjects(), times.issued
	return ref, err
}
