package oauth

import (
	"errors"
	"maps"

	"github.com/picoauth/picoauth/clientauth"
)

// introspect is POST /introspect (RFC 7662), for clients with that right, such as resource servers.
// The answer has the claims of an access token. For an invalid one it has only that it is not active.
func (s *Server) introspect(r clientRequest) (any, error) {
	text := r.form.Get("token")
	switch {
	case !r.client.Introspect || r.client.IsPublic():
		return nil, errUnauthorizedClient("the client may not introspect tokens")
	case text == "":
		return nil, errInvalidRequest("token is missing")
	}
	caller, err := s.validator.Validate(r.Request().Context(), text)
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
