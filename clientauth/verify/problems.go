package verify

import (
	"cmp"
	"errors"
	"net/http"
	"strings"

	"github.com/picoauth/picoauth/app/problem"
)

// Codes of the problems that clients branch on.
const (
	codeTokenRequired     = "token_required"
	codeInvalidToken      = "invalid_token"
	codeInvalidProof      = "invalid_dpop_proof"
	codeProofNonce        = "use_dpop_nonce"
	codeTokenExpired      = "token_expired"
	codeTokenRevoked      = "token_revoked"
	codeInvalidAgentToken = "invalid_agent_token"
	codeInsufficientScope = "insufficient_scope"
	codeForbidden         = "forbidden"
	codeUnavailable       = "auth_unavailable"
)

// defaultChallenge is used if the challenge of the authenticator is not known.
const defaultChallenge = `Bearer realm="api"`

// missing returns the reply to a request without credentials: a challenge without an error (RFC 6750 section 3.1).
func missing(scheme, code, detail string) *problem.Problem {
	return challenge(http.StatusUnauthorized, code, detail, scheme)
}

// refusal returns the reply to a request whose token was refused or could not be checked. The reply has the text of the
// sentinel and a hint; the rest of err is for the log only.
func refusal(scheme string, err error, ofAgent bool) *problem.Problem {
	text := "the token was refused"
	if known, isKnown := errors.AsType[*reason](err); isKnown {
		text = known.text
	}
	if !errors.Is(err, ErrInvalidToken) {
		p := problem.New(http.StatusServiceUnavailable, codeUnavailable, text)
		p.Header = http.Header{"Retry-After": {"1"}}
		return p
	}
	code, hint, kind := codeInvalidToken, Hint(err), "invalid_token"
	switch {
	case ofAgent:
		code, text = codeInvalidAgentToken, AgentHeader+": "+text
	case errors.Is(err, ErrInvalidProof):
		code, kind = codeInvalidProof, codeInvalidProof
	case errors.Is(err, ErrProofNonce):
		code, kind = codeProofNonce, codeProofNonce
	case errors.Is(err, ErrTokenExpired):
		code = codeTokenExpired
	case errors.Is(err, ErrTokenRevoked):
		code = codeTokenRevoked
	}
	p := challenge(http.StatusUnauthorized, code, text, scheme, "error", kind, "error_description", text)
	p.Hint = hint
	return p
}

// forbidden returns the reply to an authenticated caller without a permission. scopes are those that it needs, or empty.
func forbidden(scheme, code, detail string, scopes []string) *problem.Problem {
	parameters := []string{"error", "insufficient_scope", "error_description", detail}
	if len(scopes) > 0 {
		parameters = append(parameters, "scope", strings.Join(scopes, " "))
	}
	return challenge(http.StatusForbidden, code, detail, scheme, parameters...)
}

// challenge returns a problem with a WWW-Authenticate header: the scheme with its own parameters, then pairs of names and
// values.
func challenge(status int, code, detail, scheme string, parameters ...string) *problem.Problem {
	var b strings.Builder
	b.WriteString(cmp.Or(scheme, defaultChallenge))
	for i := 0; i+1 < len(parameters); i += 2 {
		b.WriteString(", " + parameters[i] + "=" + quoted(parameters[i+1]))
	}
	p := problem.New(status, code, detail)
	p.Header = http.Header{"Www-Authenticate": {b.String()}}
	return p
}

// quoted returns a quoted-string (RFC 9110). It replaces characters that RFC 6750 section 3 does not allow by "_".
func quoted(text string) string {
	return `"` + strings.Map(func(r rune) rune {
		if r < ' ' || r > '~' || r == '"' || r == '\\' {
			return '_'
		}
		return r
	}, text) + `"`
}
