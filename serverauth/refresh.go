package serverauth

import (
	"errors"
	"net/http"
	"time"

	"github.com/labstack/echo/v4"

	"github.com/picoauth/picoauth/app"
	"github.com/picoauth/picoauth/serverauth/internal/events"
	"github.com/picoauth/picoauth/serverauth/session"
	"github.com/picoauth/picoauth/serverauth/token"
)

type refreshRequest struct {
	RefreshToken string `json:"refresh_token"`
}

// refreshFlow exchanges a refresh token for the next one and a new access token.
type refreshFlow struct{ *parts }

// refresh is POST /refresh. Requests with a valid or expired token are limited per session, so that users behind one address do
// not share a limit. Other requests are limited per client address.
func (f *refreshFlow) refresh(c echo.Context) error {
	began := f.now()
	presented, err := decodeRefreshToken(c)
	key := clientKey(c, "/refresh")
	if claims, invalid := f.sessions.Read(presented, began); invalid == nil || errors.Is(invalid, token.ErrRefreshExpired) {
		key = sessionKey(claims.SessionID, "/refresh")
	}
	return f.limits.within(c, key, func() error { return f.exchange(c, presented, err, began) })
}

func (f *refreshFlow) exchange(c echo.Context, presented string, err error, began time.Time) error {
	var tokens session.Tokens
	if err == nil {
		tokens, err = f.admitted(c.Request(), presented, began)
	}
	f.metrics.refreshed(err)
	switch {
	case errors.Is(err, session.ErrReused):
		f.reused(c, presented, began)
		return err
	case err != nil:
		refusalEvent(c, f.log, events.RefreshRefused, err)
		return err
	}
	return reply(c, tokens)
}

func (f *refreshFlow) admitted(r *http.Request, presented string, began time.Time) (session.Tokens, error) {
	ctx, leave, err := f.admission.enter(r.Context())
	if err != nil {
		return session.Tokens{}, err
	}
	defer leave()
	proof, err := f.proofs.Read(r)
	if err != nil {
		return session.Tokens{}, err
	}
	if _, err := f.sessions.Read(presented, began); err != nil {
		return session.Tokens{}, err
	}
	if err := proof.Spend(ctx); err != nil {
		return session.Tokens{}, err
	}
	return f.sessions.Refresh(ctx, presented, began, proof.Key())
}

func (f *refreshFlow) reused(c echo.Context, presented string, now time.Time) {
	claims, _ := f.sessions.Read(presented, now) // genuine, or its session would not have been found
	events.Alarm(c.Request().Context(), f.log, events.RefreshReused, "code", refreshReused.Code,
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

// Problems of a refresh.
var (
	refreshReused  = app.NewProblem(http.StatusUnauthorized, "refresh_reused", invalidRefresh+session.ErrReused.Error())
	sessionEnded   = app.NewProblem(http.StatusUnauthorized, "refresh_invalid", invalidRefresh+session.ErrEnded.Error())
	refreshUnknown = app.NewProblem(http.StatusUnauthorized, "refresh_invalid", invalidRefresh+token.ErrRefreshInvalid.Error())
	refreshExpired = app.NewProblem(http.StatusUnauthorized, "refresh_expired", token.ErrRefreshExpired.Error())
)

const invalidRefresh = "refresh invalid: "
