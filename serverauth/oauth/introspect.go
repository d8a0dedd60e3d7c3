package oauth

import (
	"context"
	"errors"
	"maps"
	"net/http"

	"github.com/labstack/echo/v4"

	"github.com/picoauth/picoauth/app"
	"github.com/picoauth/picoauth/clientauth"
)

// introspect is POST /introspect (RFC 7662), for clients with that right, such as resource servers.
func (s *Server) introspect(c echo.Context) error {
	form, err := readForm(c)
	if err != nil {
		return s.tokenError(c, "", err)
	}
	known, err := s.authenticate(c, form)
	if err != nil {
		return s.tokenError(c, form.Get("client_id"), err)
	}
	text := form.Get("token")
	switch {
	case !known.Introspect || known.IsPublic():
		return s.tokenError(c, known.ID, errUnauthorizedClient("the client may not introspect tokens"))
	case text == "":
		return s.tokenError(c, known.ID, errInvalidRequest("token is missing"))
	}
	answer, err := s.describe(c.Request().Context(), text)
	if err != nil {
		return s.tokenError(c, known.ID, err)
	}
	noStore(c)
	return app.WriteJSON(c.Response(), http.StatusOK, answer)
}

// describe returns the claims of an access token. For an invalid one it returns only that it is not active.
func (s *Server) describe(ctx context.Context, text string) (map[string]any, error) {
	caller, err := s.validator.Validate(ctx, text)
	if err != nil {
		return map[string]any{"active": false}, unlessInvalid(err)
	}
	answer := maps.Clone(caller.Claims)
	answer["active"], answer["token_type"] = true, "Bearer"
	if _, bound := answer["cnf"]; bound {
		answer["token_type"] = "DPoP"
	}
	return answer, nil
}

// unlessInvalid returns the error if a token cannot be validated now. An invalid token is not an error.
func unlessInvalid(err error) error {
	if errors.Is(err, clientauth.ErrUnavailable) {
		return err
	}
	return nil
}
