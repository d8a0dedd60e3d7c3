package clientauth

import (
	"log/slog"

	"github.com/labstack/echo/v4"

	"github.com/picoauth/picoauth/app"
	"github.com/picoauth/picoauth/clientauth/verify"
)

// AuthenticatorConfig configures an [Authenticator].
type AuthenticatorConfig struct {
	// Validator validates the tokens. It is required.
	Validator *TokenValidator
	// Policy has the echo routes that need no token; nil: every route needs one. The net/http handlers do not use it.
	Policy *Policy
	// Realm is the realm in WWW-Authenticate; empty: "api".
	Realm string
	// DPoP configures the validation of DPoP proofs (RFC 9449).
	DPoP verify.DPoPConfig
	// Resource adds the URL of its metadata to replies with 401 and 403 (RFC 9728); nil: none. [Module] serves the metadata.
	Resource *verify.Resource
	// Logger gets a warning for requests that could not be decided, and an info record for refused credentials, with the reason:
	// at most ten a second for each kind of reason. It never gets a token. nil: slog.Default().
	Logger *slog.Logger
}

// Authenticator is a [verify.Authenticator] that also works with echo. It is safe for concurrent use.
type Authenticator struct {
	*verify.Authenticator
	policy *Policy
}

// NewAuthenticator returns an authenticator. It returns an error if there is no Validator, or if Resource or DPoP is invalid.
func NewAuthenticator(cfg AuthenticatorConfig) (*Authenticator, error) {
	plain, err := verify.NewAuthenticator(verify.AuthenticatorConfig{Validator: cfg.Validator, Realm: cfg.Realm, DPoP: cfg.DPoP,
		Resource: cfg.Resource, Logger: cfg.Logger})
	if err != nil {
		return nil, err
	}
	a := &Authenticator{plain, cfg.Policy}
	if a.policy == nil {
		a.policy = NewPolicy()
	}
	return a, nil
}

// Echo returns the authenticator as echo middleware. Install it with echo's Use, not with Pre and not on a group, so that it
// sees every route with its path template, and unknown paths too. Install it before middleware that changes the method or host of
// a request, because the [Policy] uses them. It writes its own replies and does not use the error handler of the app.
//
// A CORS preflight passes without a caller, whatever token it has, so that the app's own CORS middleware can answer it. If nothing
// answers it, the route's handler for OPTIONS or for any method is called.
func (a *Authenticator) Echo() echo.MiddlewareFunc {
	return func(next echo.HandlerFunc) echo.HandlerFunc {
		return func(c echo.Context) error {
			r := c.Request()
			if app.IsPreflight(r) {
				return next(c)
			}
			authenticate := a.Authenticate
			switch a.policy.access(c) {
			case accessAnonymous:
				return next(c)
			case accessOptional:
				authenticate = a.AuthenticateOptional
			}
			ctx, err := authenticate(r)
			if err != nil {
				app.WriteProblem(c.Response(), r, err)
				return nil
			}
			verify.WriteNonce(ctx, c.Response().Header())
			c.SetRequest(r.WithContext(ctx))
			return next(c)
		}
	}
}
