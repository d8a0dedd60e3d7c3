package clientauth

import (
	"errors"
	"net/http"
	"strings"

	"github.com/picoauth/picoauth/app"
)

// Codes of the problems that clients branch on.
const (
	codeTokenRequired      = "token_required"
	codeInvalidToken       = "invalid_token"
	codeTokenExpired       = "token_expired"
	codeTokenRevoked       = "token_revoked"
	codeAgentTokenRequired = "agent_token_required"
	codeInvalidAgentToken  = "invalid_agent_token"
	codeInsufficientScope  = "insufficient_scope"
	codeForbidden          = "forbidden"
	codeUnavailable        = "auth_unavailable"
)

// defaultRealm is named where the authenticator's own is not known.
const defaultRealm = "api"

// missing is the answer to a request without credentials: a bare challenge (RFC 6750 section 3.1).
func missing(realm, code, detail string) *app.Problem {
	return challenge(http.StatusUnauthorized, code, detail, realm)
}

// refusal is the answer to a request whose token was refused or could not be judged. The reason is told in the words of
// its sentinel; what wraps it stays in the logs.
func refusal(realm string, err error, ofAgent bool) *app.Problem {
	text := "the token was refused"
	var known *reason
	if errors.As(err, &known) {
		text = known.text
	}
	if !errors.Is(err, ErrInvalidToken) {
		p := app.NewProblem(http.StatusServiceUnavailable, codeUnavailable, text)
		p.Header = http.Header{"Retry-After": {"1"}}
		return p
	}
	code := codeInvalidToken
	switch {
	case ofAgent:
		code, text = codeInvalidAgentToken, AgentHeader+": "+text
	case errors.Is(err, ErrTokenExpired):
		code = codeTokenExpired
	case errors.Is(err, ErrTokenRevoked):
		code = codeTokenRevoked
	}
	return challenge(http.StatusUnauthorized, code, text, realm, "error", "invalid_token", "error_description", text)
}

// forbidden is the answer to a caller that is known and may not. scope is what would have been needed, or empty.
func forbidden(realm, code, detail string, scopes []string) *app.Problem {
	parameters := []string{"error", "insufficient_scope", "error_description", detail}
	if len(scopes) > 0 {
		parameters = append(parameters, "scope", strings.Join(scopes, " "))
	}
	return challenge(http.StatusForbidden, code, detail, realm, parameters...)
}

// challenge is a problem with a WWW-Authenticate header of pairs of names and values.
func challenge(status int, code, detail, realm string, parameters ...string) *app.Problem {
	if realm == "" {
		realm = defaultRealm
	}
	var b strings.Builder
	b.WriteString(`Bearer realm=` + quoted(realm))
	for i := 0; i+1 < len(parameters); i += 2 {
		b.WriteString(", " + parameters[i] + "=" + quoted(parameters[i+1]))
	}
	p := app.NewProblem(status, code, detail)
	p.Header = http.Header{"Www-Authenticate": {b.String()}}
	return p
}

// quoted writes a quoted-string of RFC 9110 with the characters that RFC 6750 section 3 allows.
func quoted(text string) string {
	return `"` + strings.Map(func(r rune) rune {
		if r < ' ' || r > '~' || r == '"' || r == '\\' {
			return '_'
		}
		return r
	}, text) + `"`
}
