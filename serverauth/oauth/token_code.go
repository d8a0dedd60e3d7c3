package oauth

import (
	"cmp"
	"context"
	"crypto/subtle"
	"errors"
	"slices"

	"github.com/picoauth/picoauth/serverauth/internal/events"
	"github.com/picoauth/picoauth/serverauth/revocation"
)

var (
	errCodeInvalid = errInvalidGrant("the code is unknown or expired")
	errCodeReused  = errInvalidGrant("the code was used before: the session that it began has ended")
	errCodeBinding = errInvalidGrant("the code was made for another client, redirect_uri, code_challenge or dpop_jkt")
)

// exchangeCode is the grant authorization_code (RFC 6749, section 4.1.3, with RFC 7636).
func (s *Server) exchangeCode(t *tokenRequest) (*granted, error) {
	ctx := t.c.Request().Context()
	text := t.form.Get("code")
	if text == "" {
		return nil, errInvalidRequest("code is missing")
	}
	var k code
	if _, ok := s.codes.open(text, &k); !ok {
		return nil, errCodeInvalid
	}
	if t.began.UnixMilli() >= k.IssuedAt+codeTTL.Milliseconds() {
		return nil, s.endReused(ctx, t, k, errCodeInvalid)
	}
	presented := binding(t.client.ID, t.form.Get("redirect_uri"), challengeOf(t.form.Get("code_verifier")))
	if subtle.ConstantTimeCompare([]byte(presented), []byte(k.Binding)) != 1 || t.proof.Fits(k.KeyThumbprint) != nil {
		return nil, s.spoil(ctx, t, k)
	}
	resources, ok := narrowed(nonEmpty(t.form["resource"]), k.Resources)
	if !ok {
		return nil, errInvalidTarget("the resource is not one of those that the code is for")
	}
	given, err := s.begin(ctx, t, k, resources, func() error {
		spent, err := s.spend(ctx, k)
		if err == nil && !spent {
			err = errCodeReused
		}
		return err
	})
	if errors.Is(err, errCodeReused) {
		return nil, s.endReused(ctx, t, k, errCodeReused)
	}
	return given, err
}

// spoil marks a code as used if it was presented with another client, redirect URI, verifier or key: its holder did not request it.
func (s *Server) spoil(ctx context.Context, t *tokenRequest, k code) error {
	spent, err := s.spend(ctx, k)
	switch {
	case err != nil:
		return err
	case !spent:
		return s.endReused(ctx, t, k, errCodeReused)
	default:
		return errCodeBinding
	}
}

// endReused ends the session that an earlier use of the code began, if there was one, because one of the two users has stolen the
// code.
func (s *Server) endReused(ctx context.Context, t *tokenRequest, k code, refusal *Error) error {
	if refusal == errCodeInvalid { // expired, so its use is no longer stored: check its session
		if began, err := s.sessions.Exists(ctx, k.SID); err != nil || !began {
			return cmp.Or(err, error(refusal))
		}
	}
	events.Alarm(ctx, s.log, events.OAuthCodeReused, "client_id", k.ClientID, "by", t.client.ID, "subject", k.Subject.ID, "sid", k.SID,
		"consent", k.RequestID)
	err := s.sessions.End(context.WithoutCancel(ctx), k.SID, revocation.Cause{By: byIssuer, Reason: "authorization code reuse"})
	return cmp.Or(err, error(refusal))
}

// byIssuer is the `revoked_by` of revocations by the server itself.
const byIssuer = "issuer"

func nonEmpty(all []string) []string {
	return slices.DeleteFunc(slices.Clone(all), func(one string) bool { return one == "" })
}
