package verify

import (
	"context"
	"net/http"
	"strings"

	"github.com/picoauth/picoauth/app/problem"
)

// Check decides whether a caller is authorized. It returns nil, or the *[problem.Problem] to reply with.
type Check func(context.Context) error

// HasRole requires the caller to have one of the roles.
func HasRole(roles ...string) Check {
	return callerCheck("role", roles, func(s *SecurityContext) bool { return s.HasRole(roles...) })
}

// HasGroup requires the caller to have one of the groups.
func HasGroup(groups ...string) Check {
	return callerCheck("group", groups, func(s *SecurityContext) bool { return s.HasGroup(groups...) })
}

// HasScope requires one of the scopes: of the agent if the request has one (in [AgentHeader] or by the claim act), else of the
// caller; see [ScopeCovers]. If there is an agent in [AgentHeader] and the caller's token has the claim act, both tokens need
// the scope: a second token cannot extend what the actor may do. The reply is 401 without a token and 403 without the scope.
func HasScope(scopes ...string) Check {
	mustName("scope", scopes)
	wanted := "one of these scopes is required: " + strings.Join(scopes, ", ")
	return func(ctx context.Context) error {
		switch id := identityOf(ctx); {
		case id.caller == nil && id.agent == nil:
			return missing(id.challenge, codeTokenRequired, "a bearer token is required")
		case id.agent != nil && !id.agent.HasScope(scopes...):
			return forbidden(id.challenge, codeInsufficientScope, "an agent with "+wanted, scopes)
		case (id.agent == nil || id.caller != nil && id.caller.Actor != nil) && !id.caller.HasScope(scopes...):
			return forbidden(id.challenge, codeInsufficientScope, wanted, scopes)
		}
		return nil
	}
}

func callerCheck(what string, names []string, has func(*SecurityContext) bool) Check {
	mustName(what, names)
	return callerCheckOf("one of these "+what+"s is required: "+strings.Join(names, ", "), has)
}

func callerCheckOf(detail string, has func(*SecurityContext) bool) Check {
	return func(ctx context.Context) error {
		switch id := identityOf(ctx); {
		case id.caller == nil:
			return missing(id.challenge, codeTokenRequired, "a bearer token is required")
		case !has(id.caller):
			return forbidden(id.challenge, codeForbidden, detail, nil)
		}
		return nil
	}
}

// mustName panics for an empty list.
func mustName(what string, names []string) {
	if len(names) == 0 {
		panic("clientauth: no " + what + " was named")
	}
}

// Handler returns the check as net/http middleware.
func (check Check) Handler(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if err := check(r.Context()); err != nil {
			problem.Write(w, r, err)
			return
		}
		next.ServeHTTP(w, r)
	})
}
