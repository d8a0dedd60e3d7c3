package oauth

import (
	"context"
	"errors"

	"github.com/picoauth/picoauth/serverauth/internal/events"
	"github.com/picoauth/picoauth/serverauth/oauth/client"
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
	return nil, s.revokeToken(r.Request().Context(), r.client, text)
}

func (s *Server) revokeToken(ctx context.Context, by *client.Client, text string) error {
	cause := revocation.Cause{By: by.ID, Reason: "revoked by the client"}
	if presented, err := s.sessions.Read(text, s.now()); err == nil || errors.Is(err, token.ErrRefreshExpired) {
		if presented.ClientID != by.ID {
			return errTokenOfAnother
		}
		ended, err := s.sessions.Logout(ctx, text)
		if ended {
			events.Log(ctx, s.log, events.Revoked, "sid", presented.SessionID, "sub", presented.Subject, "by", by.ID)
		}
		return err
	}
	caller, err := s.validator.Validate(ctx, text)
	switch {
	case err != nil:
		return unlessInvalid(err)
	case caller.ClientID != by.ID:
		return errTokenOfAnother
	}
	if _, err := s.revoker.Token(ctx, caller.TokenID, cause); err != nil {
		return err
	}
	events.Log(ctx, s.log, events.Revoked, "jti", caller.TokenID, "sub", caller.Subject, "by", by.ID)
	return nil
}
