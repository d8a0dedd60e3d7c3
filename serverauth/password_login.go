package serverauth

import (
	"crypto/subtle"
	"log/slog"
	"strings"

	"github.com/labstack/echo/v4"

	"github.com/picoauth/picoauth/app"
)

// passwordLogin signs the one administrator in, to bootstrap a system that has no other.
type passwordLogin struct {
	email    string
	check    passwordCheck // nil: disabled
	gate     passwordGate
	sessions *SessionService
	now      app.Clock
	metrics  *Instruments
	log      *slog.Logger
}

type loginRequest struct {
	Email    string `json:"email"`
	Password string `json:"password"`
}

func newPasswordLogin(settings ServerAuthSettings, sessions *SessionService, clock app.Clock, log *slog.Logger) (*passwordLogin, error) {
	l := &passwordLogin{email: settings.AdminEmail, gate: newPasswordGate(), sessions: sessions, now: clock, log: log}
	if !settings.AutoCreateAdmin {
		return l, nil
	}
	var err error
	l.check, err = newPasswordCheck(settings.AdminPassword)
	return l, err
}

// login is POST /login. A wrong e-mail costs the same work as a wrong password and is answered alike.
func (l *passwordLogin) login(c echo.Context) error {
	tokens, err := l.exchange(c)
	l.metrics.loggedIn(err)
	if err != nil {
		refusalEvent(c, l.log, eventLoginRefused, err)
		return err
	}
	securityEvent(c.Request().Context(), l.log, eventLogin, "client", app.ClientIP(c))
	return reply(c, tokens)
}

func (l *passwordLogin) exchange(c echo.Context) (Tokens, error) {
	began, ctx := l.now(), c.Request().Context()
	var request loginRequest
	if err := app.DecodeJSON(c.Response(), c.Request(), &request); err != nil {
		return Tokens{}, err
	}
	if l.check == nil {
		return Tokens{}, errPasswordDisabled
	}
	leave, err := l.gate.enter(ctx)
	if err != nil {
		return Tokens{}, err
	}
	defer leave()
	rightPassword := l.check(request.Password)
	rightEmail := subtle.ConstantTimeCompare([]byte(normalEmail(request.Email)), []byte(normalEmail(l.email))) == 1
	if !rightPassword || !rightEmail {
		return Tokens{}, errInvalidCredentials
	}
	return l.sessions.Start(ctx, Subject{ID: l.email, Kind: KindAdmin}, began)
}

func normalEmail(email string) string { return strings.ToLower(strings.TrimSpace(email)) }
