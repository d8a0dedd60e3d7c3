package verify

import (
	"context"
	"errors"
	"sync/atomic"

	"github.com/picoauth/picoauth/clientauth/jose"
)

// verifiedToken is a token whose signature was verified. It is immutable except for used.
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

func (t *verifiedToken) verifySignature(ctx context.Context, parts *jose.Compact) error {
	key, err := t.issuer.Keys.Key(ctx, t.kid, t.alg)
	switch {
	case errors.Is(err, ErrUnknownKey), errors.Is(err, ErrKeysUnavailable):
		return err
	case err != nil:
		return because(ErrKeysUnavailable, "%w", err)
	}
	err = key.Verify(t.alg, parts.SigningInput, parts.Signature)
	if keys, mayReplace := t.issuer.Keys.(replacingKeys); err != nil && mayReplace {
		if now, lookup := keys.replacement(ctx, t.kid, t.alg); lookup == nil && now != key {
			key, err = now, now.Verify(t.alg, parts.SigningInput, parts.Signature)
		}
	}
	if err != nil {
		return because(ErrInvalidSignature, "%w", err)
	}
	t.key, t.ref.KeyID = key, key.ID
	if t.ref.KeyID == "" {
		t.ref.KeyID = t.kid
	}
	return nil
}
