package client

import (
	"context"
	"errors"
	"net/http"
	"net/url"
	"time"

	"github.com/picoauth/picoauth/app"
	"github.com/picoauth/picoauth/serverauth/internal/password"
	"github.com/picoauth/picoauth/serverauth/internal/ratelimit"
	"github.com/picoauth/picoauth/serverauth/oauth/internal/assertion"
	"github.com/picoauth/picoauth/serverauth/store"
)

// AuthenticatorConfig is what an Authenticator is made of.
type AuthenticatorConfig struct {
	Registry *Registry
	// Audiences are the values of which one must be the `aud` of an assertion: the issuer and the token endpoint's URL.
	Audiences []string
	Realm     string // of WWW-Authenticate
	// RateLimitPerMinute bounds the wrong attempts of a client from one address; 0: no limit.
	RateLimitPerMinute int
	ClockSkew          time.Duration
	Used               store.UsedStore // of the assertions
	Clock              app.Clock       // nil: the system's
}

// Authenticator tells which client a request comes from. It is safe for concurrent use.
type Authenticator struct {
	registry   *Registry
	assertions *assertions
	realm      string
	limiter    *ratelimit.Limiter
	gate       password.Gate
}

// NewAuthenticator returns an authenticator.
func NewAuthenticator(c AuthenticatorConfig) *Authenticator {
	now := app.ClockOr(c.Clock)
	return &Authenticator{
		registry: c.Registry, realm: c.Realm, limiter: ratelimit.New(c.RateLimitPerMinute, now), gate: password.NewGate(),
		assertions: &assertions{audiences: c.Audiences, skew: c.ClockSkew, uses: assertion.NewUses(c.Used, c.ClockSkew, now)},
	}
}

// Authenticate returns the client of a request: a public one that names itself, or one that has proved who it is in the way
// that it is registered for. The form is the request's body, the address that of whoever sent it: wrong attempts count
// by client and address together, so that one that is wrong keeps nobody else out.
//
// The error is an *Error for the client, or says that the question cannot be answered now.
func (a *Authenticator) Authenticate(r *http.Request, form url.Values, address string) (*Client, error) {
	given, refusal := readCredentials(r.Header, form)
	if refusal != nil {
		return nil, a.refuse(refusal)
	}
	ctx := r.Context()
	known, err := a.registry.Find(ctx, given.id)
	switch {
	case errors.Is(err, ErrUnknown):
		return nil, invalidClient(a.realm, "the client is unknown")
	case err != nil:
		return nil, err
	case known.AuthMethod != given.method:
		return nil, invalidClient(a.realm, "the client does not authenticate in this way, but with "+known.AuthMethod)
	case known.IsPublic():
		return known, nil
	}
	key := ratelimit.Key{Client: ratelimit.Network(address), Holder: known.ID, Endpoint: "client"}
	if retryAfter, empty := a.limiter.IsEmpty(key); empty {
		return nil, tooMany(retryAfter)
	}
	if err := a.prove(ctx, known, given.secret); err != nil {
		return nil, a.count(key, err)
	}
	return known, nil
}

// prove returns an *Error where the client has not proved who it is.
func (a *Authenticator) prove(ctx context.Context, c *Client, secret string) error {
	if c.AuthMethod == AuthPrivateKeyJWT {
		return a.assertions.check(ctx, c, secret)
	}
	right, err := c.secret.matches(ctx, a.gate, secret)
	if err == nil && !right {
		err = &Error{Code: "invalid_client", Description: "the secret of the client is wrong"}
	}
	return err
}

// count counts a wrong attempt, and refuses it.
func (a *Authenticator) count(key ratelimit.Key, err error) error {
	var refusal *Error
	if !errors.As(err, &refusal) {
		return err
	}
	if retryAfter, ok := a.limiter.Allow(key); !ok {
		return tooMany(retryAfter)
	}
	return a.refuse(refusal)
}

// Unknown is the refusal of a request that says nothing, or nothing true, of its client.
func (a *Authenticator) Unknown(description string) *Error {
	return invalidClient(a.realm, description)
}

// refuse adds the challenge to an invalid_client.
func (a *Authenticator) refuse(refusal *Error) error {
	if refusal.Code == "invalid_client" {
		return invalidClient(a.realm, refusal.Description)
	}
	return refusal
}
