package session

import (
	"context"
	"errors"
	"time"

	"github.com/picoauth/picoauth/clientauth"
	"github.com/picoauth/picoauth/serverauth/audit"
	"github.com/picoauth/picoauth/serverauth/token"
)

// ErrFleetRevoked is returned for a fleet session whose session_id was revoked.
var ErrFleetRevoked = errors.New("session is revoked")

// IssueFleet issues a token and checks whether it is revoked already: the session may be on the denylist under its name as long as
// a token of it could be valid, and its subject may be revoked at the same time.
func (s *Service) IssueFleet(ctx context.Context, r token.Request) (string, audit.Mint, error) {
	ref := clientauth.TokenRef{SessionID: r.SessionID, Subject: r.Subject}
	r.IssuedAt = s.c.Clock()
	for range maxStartTries {
		began, ok, err := s.firstAllowed(ctx, ref, r.IssuedAt)
		if err != nil {
			return "", audit.Mint{}, err
		}
		if !ok {
			return "", audit.Mint{}, ErrFleetRevoked
		}
		if !began.Equal(r.IssuedAt) {
			if r.IssuedAt, err = s.beginAgain(ctx, began); err != nil {
				return "", audit.Mint{}, err
			}
		}
		text, mint, err := s.c.Tokens.Issue(ctx, r)
		if err != nil {
			return "", audit.Mint{}, err
		}
		denied, err := s.c.Denylist.Denied(ctx, clientauth.TokenRef{
			ID: mint.ID, SessionID: mint.SessionID, Subject: mint.Subject, IssuedAt: mint.IssuedAt,
		})
		if err != nil {
			return "", audit.Mint{}, err
		}
		if !denied {
			return text, mint, nil
		}
	}
	return "", audit.Mint{}, ErrFleetRevoked
}

// firstAllowed returns the first second from began on in which a token can be issued that the denylist does not match. It looks as
// far ahead as clocks may differ, and returns false if there is none.
func (s *Service) firstAllowed(ctx context.Context, ref clientauth.TokenRef, began time.Time) (time.Time, bool, error) {
	for last := began.Add(s.c.Skew + time.Second); !began.After(last); began = nextSecond(began) {
		ref.IssuedAt = began.Unix()
		if denied, err := s.c.Denylist.Denied(ctx, ref); err != nil || !denied {
			return began, err == nil, err
		}
	}
	return began, false, nil
}
