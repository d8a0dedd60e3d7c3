package serverauth

import (
	"crypto/subtle"

	"github.com/labstack/echo/v4"

	"github.com/picoauth/picoauth/app"
	"github.com/picoauth/picoauth/app/config"
	"github.com/picoauth/picoauth/serverauth/internal/events"
	"github.com/picoauth/picoauth/serverauth/internal/password"
	"github.com/picoauth/picoauth/serverauth/internal/subject"
	"github.com/picoauth/picoauth/serverauth/session"
	"github.com/picoauth/picoauth/serverauth/store"
)

// passwordLogin signs the administrator in, for systems that have no other operator yet.
type passwordLogin struct {
	*parts
	email string
	check password.Check // nil: disabled
	gate  password.Gate
}

type loginRequest struct {
	Email    string `json:"email"`
	Password string `json:"password"`
}

// login is POST /login. A wrong e-mail takes as long as a wrong password and gets the same reply.
func (l *passwordLogin) login(c echo.Context) error {
	tokens, err := l.exchange(c)
	l.metrics.loggedIn(err)
	if err != nil {
		refusalEvent(c, l.log, events.LoginRefused, err)
		return err
	}
	events.Log(c.Request().Context(), l.log, events.Login, "client", app.ClientIP(c))
	return reply(c, tokens)
}

func (l *passwordLogin) exchange(c echo.Context) (session.Tokens, error) {
	began, ctx := l.now(), c.Request().Context()
	var request loginRequest
	if err := app.DecodeJSON(c.Response(), c.Request(), &request); err != nil {
		return session.Tokens{}, err
	}
	proof, err := l.proofs.Read(c.Request())
	if err != nil {
		return session.Tokens{}, err
	}
	who, err := l.verify(c, request.Email, request.Password)
	if err != nil {
		return session.Tokens{}, err
	}
	if err := proof.Spend(ctx); err != nil {
		return session.Tokens{}, err
	}
	from := OriginOf(c, began)
	from.KeyThumbprint = proof.Key()
	return l.sessions.Start(ctx, who, from, nil)
}

// verify returns the administrator if e-mail and password are right. A wrong e-mail takes as long as a wrong password.
func (l *passwordLogin) verify(c echo.Context, email, password string) (store.Subject, error) {
	ctx := c.Request().Context()
	if l.check == nil {
		return store.Subject{}, errPasswordDisabled
	}
	if err := l.sessions.Ready(ctx); err != nil {
		return store.Subject{}, err
	}
	leave, err := l.gate.Enter(ctx)
	if err != nil {
		return store.Subject{}, err
	}
	defer leave()
	rightPassword := l.check(password)
	rightEmail := subtle.ConstantTimeCompare([]byte(subject.NormalEmail(email)), []byte(subject.NormalEmail(l.email))) == 1
	if !rightPassword || !rightEmail {
		return store.Subject{}, errInvalidCredentials
	}
	return store.Subject{ID: l.email, Kind: store.KindAdmin}, nil
}

// minAdminPassword is the minimum length of the administrator's password, in characters.
const minAdminPassword = 8

// adminPassword reads the configured password of the administrator, plain or as a PHC string.
func adminPassword(configured string) (password.Check, error) {
	var reason string
	switch check, err := password.New(configured); {
	case configured == "":
		reason = "must not be empty while auto_create_admin is true"
	case configured == "admin":
		reason = "must not be the word admin"
	case err != nil:
		reason = err.Error()
	case password.IsHash(configured) || len([]rune(configured)) >= minAdminPassword:
		return check, nil
	default:
		return nil, config.CheckSecret("admin_password", configured, minAdminPassword)
	}
	return nil, &config.Error{Key: "admin_password", Reason: reason}
}
