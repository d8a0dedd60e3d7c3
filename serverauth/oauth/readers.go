package oauth

import (
	"errors"
	"net/http"

	"github.com/picoauth/picoauth/app"
	"github.com/picoauth/picoauth/serverauth"
	"github.com/picoauth/picoauth/serverauth/oauth/client"
)

// readers gives clients the read rights of services, so that a resource server needs no fleet secret.
type readers struct{ auth *client.Authenticator }

// Authenticate implements serverauth.ClientReaders.
func (a readers) Authenticate(r *http.Request, address string, right serverauth.ReadRight) (bool, error) {
	known, err := a.auth.Authenticate(r, nil, address)
	var refused *client.Error
	switch {
	case errors.As(err, &refused):
		return false, readerProblem(refused)
	case err != nil:
		return false, err
	case right == serverauth.ReadDenylist:
		return known.Denylist, nil
	default:
		return known.Introspect, nil
	}
}

// readerProblem returns the problem for an OAuth error, at an endpoint of serverauth.
func readerProblem(refused *client.Error) error {
	problem := app.NewProblem(http.StatusUnauthorized, "invalid_client", "the client's id or secret is wrong")
	if refused.Status == http.StatusTooManyRequests {
		problem = app.NewProblem(refused.Status, "too_many_requests", "too many requests")
	}
	problem.Header = refused.Header
	return problem
}
