package clientauth

import (
	"github.com/labstack/echo/v4"

	"github.com/picoauth/picoauth/app"
)

// RequireRole is echo middleware, for a route or a group, that requires the caller to have one of the roles. The reply is 401 for
// an anonymous caller and 403 for others without the role. It panics without a role. It does not authenticate: without the
// authenticator before it, or with auth_client.enabled false, every caller is anonymous.
func RequireRole(roles ...string) echo.MiddlewareFunc { return Require(HasRole(roles...)) }

// RequireGroup is RequireRole for the claim groups.
func RequireGroup(groups ...string) echo.MiddlewareFunc { return Require(HasGroup(groups...)) }

// RequireScope is echo middleware that requires one of the scopes: of the agent if the request has one, else of the caller; see
// [HasScope]. To require several scopes, use it several times.
func RequireScope(scopes ...string) echo.MiddlewareFunc { return Require(HasScope(scopes...)) }

// RequireActor is echo middleware that requires one of the actors, by its sub or client_id, to act for the caller; without
// actors, any agent. The opposite is Require(HasNoActor).
func RequireActor(actors ...string) echo.MiddlewareFunc { return Require(HasActor(actors...)) }

// Require is echo middleware that lets a request pass if check returns nil.
func Require(check Check) echo.MiddlewareFunc {
	return func(next echo.HandlerFunc) echo.HandlerFunc {
		return func(c echo.Context) error {
			if err := check(c.Request().Context()); err != nil {
				app.WriteProblem(c.Response(), c.Request(), err)
				return nil
			}
			return next(c)
		}
	}
}
