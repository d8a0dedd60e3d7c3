package clientauth

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"sync/atomic"
	"time"

	"github.com/picoauth/picoauth/app"
	"github.com/picoauth/picoauth/clientauth/jose"
)

// ValidatorConfig configures a [TokenValidator].
type ValidatorConfig struct {
	// Issuers are the issuers to trust, at least one, each of another name.
	Issuers []TrustedIssuer
	// Leeway is how far clocks may differ, for exp, nbf and iat; whole seconds.
	Leeway time.Duration
	// CacheSize is how many verified tokens are remembered; 0 is none.
	CacheSize int
	// RequireTyp accepts only tokens whose header says "typ": "at+jwt" (RFC 9068). Without it "JWT" and none will do.
	RequireTyp bool
	// Roles says which roles a caller has; nil is [ClaimRoles].
	Roles RoleResolver
	// Instruments count the validations; nil is none.
	Instruments *Instruments
	// Clock is for tests; nil is the system's.
	Clock app.Clock
}

// TokenValidator decides whether a text is a valid access token of a trusted issuer. It is safe for concurrent use.
type TokenValidator struct {
	issuers    map[string]*TrustedIssuer
	algorithms []string // of all issuers, without repetition
	leeway     int64    // seconds
	strictType bool
	roles      RoleResolver // nil for ClaimRoles
	clock      app.Clock
	cache      *tokenCache
	metrics    *Instruments
}

// verifiedToken is a token whose signature is known to be good. It is immutable but for used.
type verifiedToken struct {
	text string
	hash uint64
	used atomic.Int64 // Unix seconds of the last hit

	issuer *TrustedIssuer
	kid    string // of the header
	alg    string
	key    *jose.Key
	times  lifetime
	ref    TokenRef
	caller *SecurityContext
	agent  *AgentContext // nil unless the token is an agent's
}

// NewTokenValidator returns an error that names every issuer that is incomplete, unsafe, or listed twice.
func NewTokenValidator(cfg ValidatorConfig) (*TokenValidator, error) {
	if len(cfg.Issuers) == 0 {
		return nil, errors.New("clientauth: a validator needs a trusted issuer")
	}
	return newTokenValidator(cfg)
}

// newTokenValidator also makes a validator that trusts nobody.
func newTokenValidator(cfg ValidatorConfig) (*TokenValidator, error) {
	if cfg.Leeway < 0 || cfg.CacheSize < 0 {
		return nil, errors.New("clientauth: leeway and cache size cannot be negative")
	}
	v := &TokenValidator{issuers: make(map[string]*TrustedIssuer, len(cfg.Issuers)), leeway: int64(cfg.Leeway / time.Second),
		strictType: cfg.RequireTyp, roles: cfg.Roles, clock: cfg.Clock, cache: newTokenCache(cfg.CacheSize), metrics: cfg.Instruments}
	if _, isDefault := cfg.Roles.(ClaimRoles); isDefault {
		v.roles = nil
	}
	for _, issuer := range cfg.Issuers {
		if err := issuer.Validate(); err != nil {
			return nil, err
		}
		if _, repeated := v.issuers[issuer.Issuer]; repeated {
			return nil, fmt.Errorf("clientauth: the issuer %q is trusted twice", issuer.Issuer)
		}
		issuer.Algorithms = slices.Clone(issuer.Algorithms)
		v.issuers[issuer.Issuer] = &issuer
		v.algorithms = append(v.algorithms, issuer.Algorithms...)
	}
	slices.Sort(v.algorithms)
	v.algorithms = slices.Compact(v.algorithms)
	return v, nil
}

// Validate returns who a token speaks for. Its errors are [ErrInvalidToken], with the reason as a sentinel below it, and
// [ErrUnavailable] when that cannot be said now. A token costs one signature verification the first time; while it is
// in the cache, its times, its key and the denylist are still checked on every call.
func (v *TokenValidator) Validate(ctx context.Context, token string) (caller *SecurityContext, err error) {
	t, err := v.validate(ctx, token)
	if err == nil {
		caller, err = resolve(ctx, v.roles, t.caller)
	}
	v.metrics.validated(err)
	return caller, err
}

// ValidateAgent returns the agent that a token speaks for, under the rules of Validate. A token that does not say that
// it is an agent's (by agent_id, task_type or scopes) is [ErrNotAnAgent], whoever else it is for.
func (v *TokenValidator) ValidateAgent(ctx context.Context, token string) (*AgentContext, error) {
	t, err := v.validate(ctx, token)
	if err == nil && t.agent == nil {
		err = ErrNotAnAgent
	}
	v.metrics.validated(err)
	if err != nil {
		return nil, err
	}
	return t.agent, nil
}

func (v *TokenValidator) validate(ctx context.Context, token string) (*verifiedToken, error) {
	now := v.clock.Now().Unix()
	t := v.cache.get(token, now)
	v.metrics.lookedUp(t != nil)
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

// keyStands reports whether the issuer still has the key that verified the token.
func (t *verifiedToken) keyStands(ctx context.Context) bool {
	key, err := t.issuer.Keys.Key(ctx, t.kid, t.alg)
	return err == nil && (key == t.key || key.Equal(*t.key))
}

func (t *verifiedToken) checkDenylist(ctx context.Context) error {
	if t.issuer.Denylist == nil {
		return nil
	}
	denied, err := t.issuer.Denylist.Denied(ctx, t.ref)
	switch {
	case err != nil && !errors.Is(err, ErrDenylistUnavailable):
		return because(ErrDenylistUnavailable, "%w", err)
	case err != nil:
		return err
	case denied:
		return ErrTokenRevoked
	}
	return nil
}

// verify does everything but the denylist, the signature last.
func (v *TokenValidator) verify(ctx context.Context, token string, now int64) (*verifiedToken, error) {
	parts, err := jose.ParseCompact(token)
	if err != nil {
		return nil, because(ErrMalformedToken, "%w", err)
	}
	if !slices.Contains(v.algorithms, parts.Algorithm) {
		return nil, because(ErrUnsupportedAlgorithm, "alg %.32q", parts.Algorithm)
	}
	if err := checkHeaderType(parts.Type, v.strictType); err != nil {
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

// judge applies the rules that need no key.
func (v *TokenValidator) judge(parts *jose.Compact, now int64) (*verifiedToken, error) {
	claims, err := parsePayload(parts)
	if err != nil {
		return nil, err
	}
	name, err := claims.required("iss")
	if err != nil {
		return nil, err
	}
	issuer, trusted := v.issuers[name]
	if !trusted {
		return nil, because(ErrUnknownIssuer, "iss %.200q", name)
	}
	if !slices.Contains(issuer.Algorithms, parts.Algorithm) {
		return nil, because(ErrUnsupportedAlgorithm, "alg %.32q", parts.Algorithm)
	}
	if err := errors.Join(claims.checkAudience(issuer.Audience), claims.checkType()); err != nil {
		return nil, err
	}
	times, err := claims.lifetime()
	if err != nil {
		return nil, err
	}
	if err := times.check(now, v.leeway); err != nil {
		return nil, err
	}
	ref, err := claims.ref(times)
	if err != nil {
		return nil, err
	}
	return &verifiedToken{issuer: issuer, kid: parts.KeyID, alg: parts.Algorithm, times: times, ref: ref,
		caller: claims.caller(times), agent: claims.agent()}, nil
}

// ref returns what the denylist knows the token by, but for the key.
func (c claimSet) ref(times lifetime) (ref TokenRef, err error) {
	if ref.Subject, err = c.required("sub"); err != nil {
		return ref, err
	}
	if ref.ID, err = c.id("jti"); err != nil {
		return ref, err
	}
	if ref.SessionID, err = c.id("sid"); err != nil {
		return ref, err
	}
	ref.WalletID, err = c.id("wallet_id")
	ref.IssuedAt = times.issued
	return ref, err
}

func (t *verifiedToken) verifySignature(ctx context.Context, parts *jose.Compact) error {
	key, err := t.issuer.Keys.Key(ctx, t.kid, t.alg)
	switch {
	case errors.Is(err, ErrUnknownKey), errors.Is(err, ErrKeysUnavailable):
		return err
	case err != nil:
		return because(ErrKeysUnavailable, "%w", err)
	}
	if err := key.Verify(t.alg, parts.SigningInput, parts.Signature); err != nil {
		return because(ErrInvalidSignature, "%w", err)
	}
	t.key, t.ref.KeyID = key, key.ID
	if t.ref.KeyID == "" {
		t.ref.KeyID = t.kid
	}
	return nil
}
