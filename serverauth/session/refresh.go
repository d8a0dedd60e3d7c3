package session

import (
	"cmp"
	"context"
	"crypto/subtle"
	"errors"
	"time"

	"github.com/picoauth/picoauth/clientauth"
	"github.com/picoauth/picoauth/serverauth/claims"
	"github.com/picoauth/picoauth/serverauth/internal/events"
	"github.com/picoauth/picoauth/serverauth/revocation"
	"github.com/picoauth/picoauth/serverauth/store"
	"github.com/picoauth/picoauth/serverauth/token"
)

// Read returns the claims of an authentic refresh token, also together with token.ErrRefreshExpired.
func (s *Service) Read(text string, at time.Time) (token.Refresh, error) {
	return s.refresh.Decode(text, at)
}

// Refresh rotates the session of a refresh token. The errors match, with errors.Is, token.ErrRefreshInvalid,
// token.ErrRefreshExpired, ErrEnded, ErrReused or ErrKey, or ErrSubjectRefused of package claims. All other errors are failures,
// for example of a store, the claims provider or a chain.
//
// key is the thumbprint of the key whose DPoP proof came with the request, empty without one. A session that is bound to a key
// needs a proof of it, otherwise nothing is changed. A session that is not bound becomes bound to the key.
func (s *Service) Refresh(ctx context.Context, text string, began time.Time, key string) (Tokens, error) {
	begun, err := s.rotated(ctx, text, began, key, nil)
	if err != nil {
		return Tokens{}, err
	}
	return s.answer(context.WithoutCancel(ctx), begun.Session, begun.Claims, began)
}

// rotated is a refresh up to its tokens. accept is nil for a session without OAuth; for that of a client it is called before
// anything is changed, and may return an error. Once the row is rotated, the refresh must finish even if the client disconnects.
func (s *Service) rotated(ctx context.Context, text string, began time.Time, key string, accept func(token.Grant) error) (Begun, error) {
	presented, err := s.Read(text, began)
	switch {
	case err != nil:
		return Begun{}, err
	case (presented.ClientID != "") != (accept != nil): // Refresh refuses the token of a client, RefreshGranted any other
		return Begun{}, token.ErrRefreshInvalid
	case !fits(presented.KeyThumbprint, key):
		return Begun{}, ErrKey
	}
	if accept != nil {
		if err := accept(presented.Grant); err != nil {
			return Begun{}, err
		}
	}
	checkedAt, err := s.recheck(ctx, presented, began.UnixMilli())
	if err != nil {
		return Begun{}, err
	}
	said, err := s.grant(ctx, presented, began)
	if err != nil {
		return Begun{}, err
	}
	row, err := s.rotate(context.WithoutCancel(ctx), presented, checkedAt, began, key)
	return Begun{Session: row, Claims: said, Grant: presented.Grant}, err
}

// grant does everything that a refresh needs and that can fail, before the compare-and-swap of the row: if a refresh fails after
// the swap, the retry of its holder would look like the reuse of a stolen token.
func (s *Service) grant(ctx context.Context, presented token.Refresh, began time.Time) (claims.Claims, error) {
	denied, err := s.c.Denylist.Denied(ctx, clientauth.TokenRef{SessionID: presented.SessionID})
	if err != nil {
		return claims.Claims{}, err
	}
	if denied {
		return claims.Claims{}, ErrEnded
	}
	subject := presented.Of()
	granted, err := s.claims(ctx, subject)
	if errors.Is(err, claims.ErrSubjectRefused) {
		if _, failed := s.end(context.WithoutCancel(ctx), presented, revocation.Cause{By: byIssuer, Reason: "subject refused"}); failed != nil {
			return claims.Claims{}, failed
		}
		return claims.Claims{}, err
	}
	if err != nil {
		return claims.Claims{}, err
	}
	return granted, s.c.Tokens.Able(accessTokenOf(presented.SessionID, subject, granted, began))
}

// rotate rotates the session of an authentic refresh token and returns it, or the reason for a refusal. The returned row is
// authentic and belongs to the token.
func (s *Service) rotate(ctx context.Context, presented token.Refresh, checkedAt int64, began time.Time, key string) (store.Session, error) {
	rotation := s.rotation(presented, began, key)
	rotation.CheckedAt = checkedAt
	row, outcome, err := s.c.Store.Rotate(ctx, rotation)
	row.EndsAt = min(row.EndsAt, row.StartedAt+s.c.Max.Milliseconds())
	row.ExpiresAt = min(row.ExpiresAt, row.EndsAt)
	switch {
	case errors.Is(err, errForged):
		return row, s.endWith(ctx, presented.SessionID, "session forged", ErrEnded)
	case err != nil:
		return row, err
	case outcome == store.SessionAbsent: // perhaps ended by a revocation whose write to the denylist failed
		_, err := s.end(ctx, presented, revocation.Cause{By: byIssuer, Reason: "session ended"})
		return row, cmp.Or[error](err, ErrEnded)
	case outcome == store.SessionReused:
		return row, s.endWith(ctx, row.ID, "refresh token reuse", ErrReused)
	case row.Subject != presented.Of():
		s.c.Store.forged(ctx, row.ID, 1)
		return row, s.endWith(ctx, row.ID, "session forged", ErrEnded)
	case row.Credential != s.credential(row.Subject.Kind, row.ID):
		return row, s.endWith(ctx, row.ID, "credentials changed", ErrEnded)
	case began.UnixMilli() >= row.ExpiresAt:
		return row, s.endWith(ctx, row.ID, "session_max_days", ErrEnded)
	case !fits(row.KeyThumbprint, key): // a repeated refresh: the first one has bound the session
		return row, ErrKey
	case presented.KeyThumbprint != "" && row.KeyThumbprint == "": // the storage has lost that it is bound
		presented.Counter, presented.KeyThumbprint = row.Counter, ""
		return s.rotate(ctx, presented, checkedAt, began, key)
	case outcome == store.SessionAhead:
		events.Alarm(ctx, s.c.Log, events.StoreWentBack, "store", "sessions", "sid", row.ID, "subject", row.Subject.ID)
	}
	return row, nil
}

// fits reports whether a token or session is not bound to a key, or bound to this one.
func fits(bound, key string) bool {
	return bound == "" || subtle.ConstantTimeCompare([]byte(bound), []byte(key)) == 1
}

func (s *Service) rotation(presented token.Refresh, now time.Time, key string) store.Rotation {
	grace := s.c.Grace.Milliseconds()
	if grace == 0 {
		grace = -1 // no grace at all, not even within the same millisecond
	}
	if presented.KeyThumbprint != "" {
		key = "" // it is bound already
	}
	return store.Rotation{
		SessionID: presented.SessionID, Counter: presented.Counter, Now: now.UnixMilli(),
		TTL: s.c.Idle.Milliseconds(), Grace: grace, KeyThumbprint: key,
	}
}

// byIssuer is the `revoked_by` of revocations by the issuer itself.
const byIssuer = "issuer"

var (
	// ErrEnded is returned for a session that has ended.
	ErrEnded = errors.New("session has ended")
	// ErrReused is returned for a refresh token that was used before, which means that it was stolen.
	ErrReused = errors.New("token was used before, the session has ended")
	// ErrKey is returned for a session that is bound to a key, if there is no proof of that key.
	ErrKey = errors.New("session is bound to another key")
)

// endWith ends a session, revokes its access tokens, and returns the given refusal. It does so even if the client disconnects.
func (s *Service) endWith(ctx context.Context, sid, reason string, refusal error) error {
	if err := s.c.Revoker.OwnSession(context.WithoutCancel(ctx), sid, revocation.Cause{By: byIssuer, Reason: reason}); err != nil {
		return err
	}
	return refusal
}
