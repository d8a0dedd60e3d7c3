package session

import (
	"context"
	"errors"
	"time"

	"github.com/picoauth/picoauth/clientauth"
	"github.com/picoauth/picoauth/serverauth/claims"
	"github.com/picoauth/picoauth/serverauth/links"
	"github.com/picoauth/picoauth/serverauth/store"
)

// Open begins a session without tokens for a browser. Until it ends, it identifies the user who is signed in. It calls settle as
// Start does.
func (s *Service) Open(ctx context.Context, subject store.Subject, from Origin, life time.Duration, settle func() error) (opened store.Session, err error) {
	newRow := func(owner links.Owner, from Origin) store.Session {
		row := s.newSession(owner, from)
		row.ExpiresAt = min(row.EndsAt, from.At.Add(life).UnixMilli())
		row.EndsAt = row.ExpiresAt
		return row
	}
	err = s.begin(ctx, subject, from, settle, newRow, func(row store.Session, _ claims.Claims, _ time.Time) error {
		if opened = row; s.c.Denylist.Listed(refOf(row)) {
			return ErrEnded
		}
		return nil
	})
	return opened, err
}

// Live returns a live session that Open began. The error matches ErrEnded, or ErrSubjectRefused of package claims;
// all others are failures.
func (s *Service) Live(ctx context.Context, sid string) (store.Session, error) {
	row, found, err := s.c.Store.Find(ctx, sid)
	now := s.c.Clock().UnixMilli()
	switch {
	case err != nil:
		return row, err
	case !found, row.Subject.ID == "", row.ClientID != "", now >= row.ExpiresAt, now >= row.EndsAt:
		return row, ErrEnded
	case row.Credential != s.credential(row.Subject.Kind, row.ID):
		return row, s.endWith(ctx, row.ID, "credentials changed", ErrEnded)
	}
	denied, err := s.c.Denylist.Denied(ctx, refOf(row))
	if err == nil && denied {
		err = ErrEnded
	}
	if err != nil {
		return row, err
	}
	if _, err = s.claims(ctx, row.Subject); errors.Is(err, claims.ErrSubjectRefused) {
		return row, s.endWith(ctx, row.ID, "subject refused", err)
	}
	return row, err
}

func refOf(row store.Session) clientauth.TokenRef {
	return clientauth.TokenRef{
		SessionID: row.ID, Subject: row.Subject.ID, WalletID: row.Subject.WalletID, IssuedAt: row.StartedAt / 1000,
	}
}

// Close ends a session that Open began. It has no tokens to revoke.
func (s *Service) Close(ctx context.Context, sid string) error {
	_, _, err := s.c.Store.End(ctx, sid)
	return err
}

// Exists reports whether a session has begun and not been ended.
func (s *Service) Exists(ctx context.Context, sid string) (bool, error) {
	_, found, err := s.c.Store.Find(ctx, sid)
	return found, err
}
