package verify

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"strings"

	"github.com/picoauth/picoauth/app/loglimit"
	"github.com/picoauth/picoauth/app/problem"
)

// AuthenticatorConfig configures an [Authenticator].
type AuthenticatorConfig struct {
	// Validator validates the tokens. It is required.
	Validator *TokenValidator
	// Realm is the realm in WWW-Authenticate; empty: "api".
	Realm string
	// DPoP configures the validation of DPoP proofs.
	DPoP DPoPConfig
	// Resource adds the URL of its metadata to replies with 401 and 403 (RFC 9728); nil: none.
	Resource *Resource
	// Logger gets a warning for requests that could not be decided, and an info record for refused credentials, with the reason: at
	// most ten a second for each kind of reason. It never gets a token. nil: slog.Default().
	Logger *slog.Logger
}

// Authenticator validates the token of a request and puts the caller into the request's context, or replies with
// application/problem+json: 401 with a WWW-Authenticate header (RFC 6750), or 503. It reads the Authorization header and
// [AgentHeader], never the query or the body. It is safe for concurrent use.
type Authenticator struct {
	validator *TokenValidator
	bearer    string // the challenge for bearer tokens
	proofs    *proofChecker
	resource  Resource
	log       *slog.Logger
	refusals  loglimit.Limits
}

// NewAuthenticator returns an authenticator. It returns an error if there is no Validator, or if Resource or DPoP is invalid.
func NewAuthenticator(cfg AuthenticatorConfig) (*Authenticator, error) {
	if cfg.Validator == nil {
		return nil, errors.New("clientauth: an authenticator needs a validator")
	}
	proofs, err := newProofChecker(cfg.DPoP, cfg.Validator)
	if err != nil {
		return nil, err
	}
	a := &Authenticator{validator: cfg.Validator, bearer: "Bearer realm=" + quoted(cmp.Or(cfg.Realm, "api")), proofs: proofs,
		log: loggerOr(cfg.Logger)}
	if cfg.Resource != nil {
		if err := cfg.Resource.Validate(); err != nil {
			return nil, fmt.Errorf("clientauth: resource: %w", err)
		}
		a.resource = *cfg.Resource
		metadata := ", resource_metadata=" + quoted(a.resource.metadataURL())
		a.bearer, proofs.challenge = a.bearer+metadata, proofs.challenge+metadata
	}
	return a, nil
}

// Handler is net/http middleware that requires a valid token. CORS preflights have none, so put the handler that answers them
// around this one.
func (a *Authenticator) Handler(next http.Handler) http.Handler { return handler(next, a.Authenticate) }

// OptionalHandler is net/http middleware that accepts requests with a valid token and without a token. The reply to an invalid
// token is 401.
func (a *Authenticator) OptionalHandler(next http.Handler) http.Handler {
	return handler(next, a.AuthenticateOptional)
}

func handler(next http.Handler, authenticate func(*http.Request) (context.Context, error)) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		ctx, err := authenticate(r)
		if err != nil {
			problem.Write(w, r, err)
			return
		}
		WriteNonce(ctx, w.Header())
		next.ServeHTTP(w, r.WithContext(ctx))
	})
}

// Authenticate is Handler as a function: it returns the request's context with the caller, or the *[problem.Problem] to reply
// with, also if there is no token.
func (a *Authenticator) Authenticate(r *http.Request) (context.Context, error) {
	return a.authenticate(r, false)
}

// AuthenticateOptional is like Authenticate, but a request without a token is no error.
func (a *Authenticator) AuthenticateOptional(r *http.Request) (context.Context, error) {
	return a.authenticate(r, true)
}

// authenticate returns the request's context with the identity, or the *problem.Problem to reply with.
func (a *Authenticator) authenticate(r *http.Request, optional bool) (context.Context, error) {
	ctx := r.Context()
	scheme, token, err := credentials(r.Header["Authorization"])
	id := identity{challenge: a.challengeFor(scheme)}
	if err == nil && token != "" {
		id.caller, err = a.validator.Validate(ctx, token)
	}
	if err == nil && token != "" {
		if id.nonce, err = a.proofs.check(r, scheme, token, id.caller.bound); errors.Is(err, ErrTokenBinding) {
			id.challenge = a.proofs.challenge
		}
	}
	if err != nil {
		return nil, a.refuse(ctx, id.challenge, err, false)
	}
	if token == "" && !optional {
		return nil, a.refuseMissing(ctx, id.challenge, r.Header.Get("Authorization"))
	}
	if sent := r.Header[AgentHeader]; len(sent) > 0 {
		if id.agent, err = a.agent(ctx, sent); err != nil {
			return nil, a.refuse(ctx, id.challenge, err, true)
		}
	}
	return withIdentity(ctx, id), nil
}

// challengeFor returns the challenge for WWW-Authenticate: that of the scheme that the client used, or of DPoP if proofs are
// required.
func (a *Authenticator) challengeFor(scheme string) string {
	if scheme == schemeDPoP || a.proofs.required {
		return a.proofs.challenge
	}
	return a.bearer
}

// agent validates the token in AgentHeader. Any value of this header that is not a valid token is an error.
func (a *Authenticator) agent(ctx context.Context, sent []string) (*AgentContext, error) {
	scheme, token, err := credentials(sent)
	if err != nil {
		return nil, err
	}
	if scheme != schemeBearer {
		return nil, explain(ErrMalformedToken, `it does not begin with "Bearer "`)
	}
	agent, err := a.validator.ValidateAgent(ctx, token)
	if err == nil && agent.isBound {
		return nil, explain(ErrTokenBinding, "the token is bound to a key, and %s cannot have a DPoP proof", AgentHeader)
	}
	return agent, err
}

// refuseMissing returns the reply to a request without a token, with a hint if it has other credentials.
func (a *Authenticator) refuseMissing(ctx context.Context, challenge, sent string) error {
	problem := missing(challenge, codeTokenRequired, "a bearer token is required")
	if sent != "" {
		problem.Hint = `the Authorization header does not begin with "Bearer "`
		a.record(ctx, slog.LevelInfo, codeTokenRequired, slog.String("code", codeTokenRequired), slog.String("error", problem.Hint))
	}
	return a.withNonce(ctx, problem)
}

// withNonce adds the nonce for DPoP proofs to a reply that asks for a proof.
func (a *Authenticator) withNonce(ctx context.Context, answer *problem.Problem) *problem.Problem {
	if a.proofs.nonces == nil || !strings.HasPrefix(answer.Header.Get("WWW-Authenticate"), schemeDPoP) {
		return answer
	}
	if nonce, err := a.proofs.nonces.current(ctx, a.validator.clock.Now()); err == nil {
		answer.Header.Set(headerNonce, nonce)
	}
	return answer
}

// refuse logs the reason, and returns the reply.
func (a *Authenticator) refuse(ctx context.Context, challenge string, err error, ofAgent bool) error {
	level := slog.LevelInfo
	if !errors.Is(err, ErrInvalidToken) {
		level = slog.LevelWarn
	}
	a.record(ctx, level, kindOf(err), slog.String("code", Code(err)), slog.Any("error", err), slog.Bool("agent", ofAgent))
	return a.withNonce(ctx, refusal(challenge, err, ofAgent))
}

// record logs a refusal, at most ten times a second for each kind of reason.
func (a *Authenticator) record(ctx context.Context, level slog.Level, kind string, attributes ...slog.Attr) {
	skipped, ok := a.refusals.Allow(kind, a.validator.clock.Now())
	if !ok {
		return
	}
	if skipped > 0 {
		attributes = append(attributes, slog.Int64("skipped", skipped))
	}
	text := "token refused"
	if level > slog.LevelInfo {
		text = "token could not be checked"
	}
	a.log.LogAttrs(ctx, level, text, attributes...)
}

// Schemes of an Authorization header.
const (
	schemeBearer = "Bearer"
	schemeDPoP   = "DPoP"
)

// credentials returns the scheme and the token of an Authorization header (RFC 6750, section 2.1; RFC 9449, section 7.1). It
// returns nothing if there is none or it has another scheme. Two headers, or a scheme without a token, are an
// [ErrMalformedToken].
func credentials(headers []string) (scheme, token string, err error) {
	if len(headers) == 0 {
		return "", "", nil
	}
	if len(headers) > 1 {
		return "", "", explain(ErrMalformedToken, "%d headers came; only one is allowed", len(headers))
	}
	name, token, _ := strings.Cut(headers[0], " ")
	switch {
	case strings.EqualFold(name, schemeBearer):
		scheme = schemeBearer
	case strings.EqualFold(name, schemeDPoP):
		scheme = schemeDPoP
	default:
		return "", "", nil
	}
	if token = strings.Trim(token, " "); token == "" {
		return scheme, "", explain(ErrMalformedToken, "no token came after %s", scheme)
	}
	return scheme, token, nil
}
