package session

import (
	"context"
	"errors"

	"github.com/picoauth/picoauth/clientauth"
	"github.com/picoauth/picoauth/serverauth/audit"
	"github.com/picoauth/picoauth/serverauth/revocation"
	"github.com/picoauth/picoauth/serverauth/store"
	"github.com/picoauth/picoauth/serverauth/token"
)

// Logout ends the session of a refresh token and revokes its access tokens. An expired or already used refresh token ends its
// session too; an invalid one ends nothing.
func (s *Service) Logout(ctx context.Context, text string) (ended bool, err error) {
	presented, err := s.Read(text, s.c.Clock())
	if err != nil && !errors.Is(err, token.ErrRefreshExpired) {
		return false, nil
	}
	return s.end(ctx, presented, revocation.Cause{By: presented.Subject, Reason: "logout"})
}

// end ends the session of an authentic refresh token, revokes its access tokens, and reports whether there was a live session. It
// writes nothing if the session has ended already. It writes the denylist first: after a crash in between, the session cannot be
// refreshed, and the next attempt ends it.
func (s *Service) end(ctx context.Context, presented token.Refresh, cause revocation.Cause) (ended bool, err error) {
	_, there, err := s.c.Store.Find(ctx, presented.SessionID)
	if err != nil {
		return false, err
	}
	if !there {
		over, err := s.over(ctx, presented)
		if err != nil || over {
			return false, err
		}
	}
	if _, err := s.c.Revoker.List(ctx, presented.SessionID, true, cause); err != nil {
		return false, err
	}
	_, ended, err = s.c.Store.End(ctx, presented.SessionID)
	return ended, err
}

// over reports whether no access token of a session without a row can be valid: the session is on the denylist, or the presented
// token is too old. If it returns false, the session may have been ended without reaching the denylist.
func (s *Service) over(ctx context.Context, presented token.Refresh) (bool, error) {
	session := clientauth.TokenRef{SessionID: presented.SessionID}
	if s.c.Denylist.Listed(session) || presented.IssuedAt < s.c.Clock().Add(-s.c.AccessTTL-audit.Margin).Unix() {
		return true, nil
	}
	err := s.c.Denylist.Sync(ctx) // another process may have ended it
	return s.c.Denylist.Listed(session), err
}

// List returns the live sessions that match the query, newest first.
func (s *Service) List(ctx context.Context, q store.SessionQuery) ([]store.Session, error) {
	q.Now = s.c.Clock().UnixMilli()
	return s.c.Store.List(ctx, q)
}

// End ends the session of a sign-in and revokes its access tokens.
func (s *Service) End(ctx context.Context, sid string, cause revocation.Cause) error {
	return s.c.Revoker.OwnSession(ctx, sid, cause)
}
