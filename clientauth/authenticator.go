package clientauth

import (
	"context"
	"errors"
	"log/slog"
	"net/http"
	"strings"

	"github.com/picoauth/picoauth/app"
)

// AuthenticatorConfig configures an [Authenticator].
type AuthenticatorConfig struct {
	// Validator judges the tokens.
	Validator *TokenValidator
	// Policy says which echo routes need no token; nil is none. The net/http handlers do not use it.
	Policy *Policy
	// Realm is named in WWW-Authenticate; empty is "api".
	Realm string
	// Logger gets what could not be judged (warnings) and what was refused (debug), never a token; nil is
	// slog.Default().
	Logger *slog.Logger
}

// Authenticator puts who asks into the request's context, or answers 401 or 503 as application/problem+json with the
// WWW-Authenticate of RFC 6750. It reads the Authorization header and [AgentHeader], never a query or a body. It is
// safe for concurrent use.
type Authenticator struct {
	validator *TokenValidator
	policy    *Policy
	realm     string
	log       *slog.Logger
}

// NewAuthenticator returns an error when there is no validator.
func NewAuthenticator(cfg AuthenticatorConfig) (*Authenticator, error) {
	if cfg.Validator == nil {
		return nil, errors.New("clientauth: an authenticator needs a validator")
	}
	a := &Authenticator{cfg.Validator, cfg.Policy, cfg.Realm, loggerOr(cfg.Logger)}
	if a.policy == nil {
		a.policy = NewPolicy()
	}
	return a, nil
}

// Handler is net/http middleware: next is reached with a valid token only.
func (a *Authenticator) Handler(next http.Handler) http.Handler { return a.handler(next, accessToken) }

// OptionalHandler is net/http middleware: next is reached with a valid token or with none; an invalid one is answered
// 401.
func (a *Authenticator) OptionalHandler(next http.Handler) http.Handler {
	return a.handler(next, accessOptional)
}

func (a *Authenticator) handler(next http.Handler, asked access) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		ctx, err := a.authenticate(r, asked)
		if err != nil {
			app.WriteProblem(w, r, err)
			return
		}
		next.ServeHTTP(w, r.WithContext(ctx))
	})
}

// Authenticate is the middleware as a function, for handlers that decide for themselves: it returns the request's
// context with who asks in it, or the *[app.Problem] to answer with, also when there is no token.
func (a *Authenticator) Authenticate(r *http.Request) (context.Context, error) {
	return a.authenticate(r, accessToken)
}

// authenticate returns the request's context with the identity in it, or the *app.Problem to answer with.
func (a *Authenticator) authenticate(r *http.Request, asked access) (context.Context, error) {
	ctx, id := r.Context(), identity{realm: a.realm}
	token, err := bearer(r.Header["Authorization"])
	if err == nil && token != "" {
		id.caller, err = a.validator.Validate(ctx, token)
	}
	if err != nil {
		return nil, a.refuse(ctx, err, false)
	}
	if token == "" && asked != accessOptional {
		return nil, missing(a.realm, codeTokenRequired, "a bearer token is required")
	}
	if sent := r.Header[AgentHeader]; len(sent) > 0 {
		if id.agent, err = a.agent(ctx, sent); err != nil {
			return nil, a.refuse(ctx, err, true)
		}
	}
	return withIdentity(ctx, id), nil
}

// agent validates the second token. The header is for nothing else, so any value that is no token is an invalid one.
func (a *Authenticator) agent(ctx context.Context, sent []string) (*AgentContext, error) {
	token, err := bearer(sent)
	if err != nil {
		return nil, err
	}
	if token == "" {
		return nil, because(ErrMalformedToken, "no bearer token in %s", AgentHeader)
	}
	return a.validator.ValidateAgent(ctx, token)
}

func (a *Authenticator) refuse(ctx context.Context, err error, ofAgent bool) error {
	if errors.Is(err, ErrInvalidToken) {
		a.log.DebugContext(ctx, "token refused", "code", codeOf(err), "error", err, "agent", ofAgent)
	} else {
		a.log.WarnContext(ctx, "token could not be judged", "code", codeOf(err), "error", err, "agent", ofAgent)
	}
	return refusal(a.realm, err, ofAgent)
}

// bearer returns the token of an Authorization header (RFC 6750 section 2.1), or "" when there is none or it is of
// another scheme. Two headers, or a Bearer without a token, are [ErrMalformedToken].
func bearer(headers []string) (string, error) {
	if len(headers) == 0 {
		return "", nil
	}
	if len(headers) > 1 {
		return "", because(ErrMalformedToken, "%d headers", len(headers))
	}
	scheme, token, _ := strings.Cut(headers[0], " ")
	if !strings.EqualFold(scheme, "Bearer") {
		return "", nil
	}
	if token = strings.Trim(token, " "); token == "" {
		return "", because(ErrMalformedToken, "Bearer without a token")
	}
	return token, nil
}
