package clientauth

import (
	"context"
	"net/http"
	"strings"

	"github.com/labstack/echo/v4"

	"github.com/picoauth/picoauth/app"
)

// Echo is the authenticator as echo middleware. Install it with echo's Use, not with Pre and not on a group, so that it
// sees every route with its template, and unknown paths too. It writes its own answers and leaves the error handler of
// the app alone.
func (a *Authenticator) Echo() echo.MiddlewareFunc {
	return func(next echo.HandlerFunc) echo.HandlerFunc {
		return func(c echo.Context) error {
			r := c.Request()
			asked := a.policy.access(r.Method, c.Path())
			if asked == accessAnonymous {
				return next(c)
			}
			ctx, err := a.authenticate(r, asked)
			if err != nil {
				app.WriteProblem(c.Response(), r, err)
				return nil
			}
			c.SetRequest(r.WithContext(ctx))
			return next(c)
		}
	}
}

// Check decides by who asks. It returns nil, or the *[app.Problem] to answer with.
type Check func(context.Context) error

// HasRole demands one of roles of the caller.
func HasRole(roles ...string) Check {
	return callerCheck("role", roles, func(s *SecurityContext) bool { return s.HasRole(roles...) })
}

// HasGroup demands one of groups of the caller.
func HasGroup(groups ...string) Check {
	return callerCheck("group", groups, func(s *SecurityContext) bool { return s.HasGroup(groups...) })
}

// HasScope demands of the agent in [AgentHeader] that its scopes cover one of scopes; see [ScopeCovers]. A request
// without an agent is answered 401, one without the scope 403. The scopes of the caller's own token are in
// [SecurityContext.HasScope].
func HasScope(scopes ...string) Check {
	mustName("scope", scopes)
	detail := "an agent with one of these scopes is required: " + strings.Join(scopes, ", ")
	return func(ctx context.Context) error {
		switch id := identityOf(ctx); {
		case id.agent == nil:
			return missing(id.realm, codeAgentTokenRequired, "an agent token is required in "+AgentHeader)
		case !id.agent.HasScope(scopes...):
			return forbidden(id.realm, codeInsufficientScope, detail, scopes)
		}
		return nil
	}
}

func callerCheck(what string, names []string, has func(*SecurityContext) bool) Check {
	mustName(what, names)
	detail := "one of these " + what + "s is required: " + strings.Join(names, ", ")
	return func(ctx context.Context) error {
		switch id := identityOf(ctx); {
		case id.caller == nil:
			return missing(id.realm, codeTokenRequired, "a bearer token is required")
		case !has(id.caller):
			return forbidden(id.realm, codeForbidden, detail, nil)
		}
		return nil
	}
}

// mustName stops the program that protects a route by an empty list, at the place where it does.
func mustName(what string, names []string) {
	if len(names) == 0 {
		panic("clientauth: no " + what + " was named")
	}
}

// RequireRole is echo middleware, for a route or a group, that lets callers with one of roles pass: 401 for an
// anonymous caller, 403 for another. It panics without a role. It does not authenticate: without the authenticator
// before it, or with auth_client.enabled false, everyone is anonymous.
func RequireRole(roles ...string) echo.MiddlewareFunc { return HasRole(roles...).Echo() }

// RequireGroup is RequireRole for the claim groups.
func RequireGroup(groups ...string) echo.MiddlewareFunc { return HasGroup(groups...).Echo() }

// RequireScope is echo middleware that lets requests of an agent with one of scopes pass; see [HasScope]. To demand
// several scopes, use it several times.
func RequireScope(scopes ...string) echo.MiddlewareFunc { return HasScope(scopes...).Echo() }

// Echo is the check as echo middleware.
func (check Check) Echo() echo.MiddlewareFunc {
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

// Handler is the check as net/http middleware.
func (check Check) Handler(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if err := check(r.Context()); err != nil {
			app.WriteProblem(w, r, err)
			return
		}
		next.ServeHTTP(w, r)
	})
}
