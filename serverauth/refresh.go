package serverauth

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"time"

	"github.com/labstack/echo/v4"

	"github.com/picoauth/picoauth/app"
)

type refreshRequest struct {
	RefreshToken string `json:"refresh_token"`
}

// refreshFlow exchanges a refresh token for the next one and a new access token.
type refreshFlow struct {
	sessions *SessionService
	now      app.Clock
	metrics  *Instruments
	log      *slog.Logger
}

// refresh is POST /refresh.
func (f *refreshFlow) refresh(c echo.Context) error {
	began := f.now()
	token, err := decodeRefreshToken(c)
	var tokens Tokens
	if err == nil {
		tokens, err = f.sessions.Refresh(c.Request().Context(), token, began)
	}
	f.metrics.refreshed(err)
	switch {
	case errors.Is(err, errRefreshReused):
		f.reused(c, token, began)
		return err
	case err != nil:
		refusalEvent(c, f.log, eventRefreshRefused, err)
		return err
	}
	return reply(c, tokens)
}

func (f *refreshFlow) reused(c echo.Context, token string, now time.Time) {
	claims, _ := f.sessions.refresh.decode(token, now) // genuine, or its session would not have been found
	securityAlarm(c.Request().Context(), f.log, eventRefreshReused, "code", errRefreshReused.Code,
		"subject", claims.Subject, "sid", claims.SessionID, "client", app.ClientIP(c))
}

func decodeRefreshToken(c echo.Context) (string, error) {
	var request refreshRequest
	if err := app.DecodeJSON(c.Response(), c.Request(), &request); err != nil {
		return "", err
	}
	if request.RefreshToken == "" {
		return "", app.NewProblem(http.StatusBadRequest, "refresh_token_required", "refresh_token required")
	}
	return request.RefreshToken, nil
}

func refreshInvalid(reason string) *app.Problem {
	return app.NewProblem(http.StatusUnauthorized, "refresh_invalid", "refresh invalid: "+reason)
}

// Refresh rotates the session of a refresh token. Its errors are problems, but for those of the stores and of the
// ClaimsProvider.
func (s *SessionService) Refresh(ctx context.Context, token string, began time.Time) (Tokens, error) {
	claims, err := s.refresh.decode(token, began)
	switch {
	case errors.Is(err, ErrRefreshExpired):
		return Tokens{}, app.NewProblem(http.StatusUnauthorized, "refresh_expired", "refresh expired")
	case err != nil:
		return Tokens{}, refreshInvalid(err.Error())
	}
	// Whatever can fail comes before the compare-and-swap: a refresh that was never answered must not make a thief of
	// its holder.
	subject := claims.subject()
	granted, err := s.claims(ctx, subject)
	if errors.Is(err, ErrSubjectRefused) {
		return Tokens{}, s.endWith(ctx, claims.SessionID, "subject refused", err)
	}
	if err != nil {
		return Tokens{}, err
	}
	if _, err := s.issuer.ring.Signer(); err != nil {
		return Tokens{}, err
	}
	row, outcome, err := s.store.Rotate(context.WithoutCancel(ctx), s.rotation(claims, began)) // with an answer, whoever hangs up
	if err != nil {
		return Tokens{}, fmt.Errorf("session store: %w", err)
	}
	switch {
	case outcome == SessionAbsent:
		return Tokens{}, errSessionEnded
	case outcome == SessionReused:
		return Tokens{}, s.endWith(ctx, row.ID, "refresh token reuse", errRefreshReused)
	case row.Credential != s.credential(row.Subject.Kind):
		return Tokens{}, s.endWith(ctx, row.ID, "credentials changed", errSessionEnded)
	}
	return s.answer(ctx, row, granted, began)
}

func (s *SessionService) rotation(claims refreshClaims, now time.Time) Rotation {
	grace := s.settings.RefreshGrace().Milliseconds()
	if grace == 0 {
		grace = -1 // none at all, not even the running millisecond
	}
	return Rotation{
		SessionID: claims.SessionID, Counter: claims.Counter, Now: now.UnixMilli(),
		TTL: s.settings.RefreshTokenTTL().Milliseconds(), Grace: grace,
	}
}

// byIssuer is the `revoked_by` of what the issuer ends on its own.
const byIssuer = "issuer"

var (
	errSessionEnded  = refreshInvalid("session has ended")
	errRefreshReused = app.NewProblem(http.StatusUnauthorized, "refresh_reused",
		"refresh invalid: token was used before, the session has ended")
)

// endWith ends a session that may not go on, with its live access tokens, and returns why. A thief who hangs up does not
// keep the tokens.
func (s *SessionService) endWith(ctx context.Context, sid, reason string, refusal error) error {
	if err := s.revoker.OwnSession(context.WithoutCancel(ctx), sid, Cause{By: byIssuer, Reason: reason}); err != nil {
		return err
	}
	return refusal
}
