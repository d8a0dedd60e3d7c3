package serverauth

import (
	"net/http"

	"github.com/labstack/echo/v4"

	"github.com/picoauth/picoauth/app"
	"github.com/picoauth/picoauth/serverauth/internal/events"
)

// logoutFlow ends the session of a refresh token.
type logoutFlow struct{ *parts }

// logout is POST /logout. The reply is the same whether or not there was a session to end.
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
		events.Log(c.Request().Context(), f.log, events.Logout, "client", app.ClientIP(c))
	}
	return c.NoContent(http.StatusNoContent)
}
