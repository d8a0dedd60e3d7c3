package serverauth

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net/http"

	"github.com/labstack/echo/v4"

	"github.com/picoauth/picoauth/app"
)

// logoutFlow ends the session of a refresh token.
type logoutFlow struct {
	sessions *SessionService
	log      *slog.Logger
}

// logout is POST /logout. It answers alike whether or not there was something to end.
func (f *logoutFlow) logout(c echo.Context) error {
	token, err := decodeRefreshToken(c)
	if err != nil {
		return err
	}
	ended, err := f.sessions.Logout(c.Request().Context(), token)
	if err != nil {
		return err
	}
	if ended {
		securityEvent(c.Request().Context(), f.log, eventLogout, "client", app.ClientIP(c))
	}
	return c.NoContent(http.StatusNoContent)
}

// Logout ends the session that a refresh token belongs to, with its live access tokens. A token that is expired or
// was rotated away still ends its session; one that is unreadable ends nothing. The denylist comes first: a crash in
// between leaves a session that cannot be refreshed, and the next try ends it.
func (s *SessionService) Logout(ctx context.Context, token string) (ended bool, err error) {
	claims, err := s.refresh.decode(token, s.now())
	if err != nil && !errors.Is(err, ErrRefreshExpired) {
		return false, nil
	}
	cause := Cause{By: claims.Subject, Reason: "logout"}
	if _, err := s.revoker.ended(ctx, claims.SessionID, s.settings.AccessTokenTTL(), cause); err != nil {
		return false, err
	}
	_, ended, err = s.store.End(ctx, claims.SessionID)
	if err != nil {
		return false, fmt.Errorf("session store: %w", err)
	}
	return ended, nil
}
