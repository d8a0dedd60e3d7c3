package oauth

import (
	"errors"

	"github.com/picoauth/picoauth/serverauth/internal/events"
	"github.com/picoauth/picoauth/serverauth/revocation"
	"github.com/picoauth/picoauth/serverauth/token"
)

var errTokenOfAnother = errInvalidGrant("the token was issued to another client")

// revoke is POST /revoke (RFC 7009). A refresh token ends its session with all of its tokens. For an access token, only that one is
// revoked.
func (s *Server) revoke(r clientRequest) (any, error) {
	text := r.form.Get("token")
	if text == "" {
		return nil, errInvalidRequest("token is missing")
	}
	ctx, by := r.Request().Context(), r.client.ID
	if presented, err := s.sessions.Read(text, s.now()); err == nil || errors.Is(err, token.ErrRefreshExpired) {
		if presented.ClientID != by {
			return nil, errTokenOfAnother
		}
		ended, err := s.sessions.Logout(ctx, text)
		if ended {
			events.Log(ctx, s.log, events.Revoked, "sid", presented.SessionID, "sub", presented.Subject, "by", by)
		}
		return nil, err
	}
	caller, err := s.validator.Validate(ctx, text)
	switch {
	case err != nil:
		return nil, unlessInvalid(err)
	case caller.ClientID != by:
		return nil, errTokenOfAnother
	}
	if _, err := s.revoker.Token(ctx, caller.TokenID, revocation.Cause{By: by, Reason: "revoked by the client"}); err != nil {
		return nil, err
	}
	events.Log(ctx, s.log, events.Revoked, "jti", caller.TokenID, "sub", caller.Subject, "by", by)
	return nil, nil
}
