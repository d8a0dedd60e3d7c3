package client

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"time"

	"github.com/picoauth/picoauth/app"
	"github.com/picoauth/picoauth/serverauth/internal/password"
	"github.com/picoauth/picoauth/serverauth/internal/ratelimit"
	"github.com/picoauth/picoauth/serverauth/oauth/internal/assertion"
	"github.com/picoauth/picoauth/serverauth/store"
)

// AuthenticatorConfig configures an Authenticator.
type AuthenticatorConfig struct {
	Registry *Registry
	// Audiences are the accepted values of `aud` of an assertion: the issuer and the token endpoint's URL.
	Audiences []string
	Realm     string // of WWW-Authenticate
	// RateLimitPerMinute limits the failed attempts of a client from one address; 0: no limit.
	RateLimitPerMinute int
	ClockSkew          time.Duration
	Used               store.UsedStore // of assertions
	Clock              app.Clock       // nil: the system clock
}

// Authenticator determines which client sent a request. It is safe for concurrent use.
type Authenticator struct {
	registry  *Registry
	realm     string
	limiter   *ratelimit.Limiter
	gate      password.Gate
	audiences []string
	skew      time.Duration
	uses      *assertion.Uses
}

// NewAuthenticator returns an authenticator.
func NewAuthenticator(c AuthenticatorConfig) *Authenticator {
	now := app.ClockOr(c.Clock)
	return &Authenticator{
		registry: c.Registry, realm: c.Realm, limiter: ratelimit.New(c.RateLimitPerMinute, now), gate: password.NewGate(),
		audiences: c.Audiences, skew: c.ClockSkew, uses: assertion.NewUses(c.Used, c.ClockSkew, now),
	}
}

// Authenticate returns the client of a request: a public client by its client_id alone, any other only if it authenticates with the
// method that it is registered with. form is the request's body, address that of the sender. Failed attempts count by client and
// address together, so that they do not lock the client out at other addresses.
//
// The error is an *Error for the client. Any other error means that the client cannot be determined now.
func (a *Authenticator) Authenticate(r *http.Request, form url.Values, address string) (*Client, error) {
	known, err := a.identify(r, form, address)
	if refusal := (*Error)(nil); errors.As(err, &refusal) && refusal.Code == "invalid_client" {
		return nil, a.Unknown(refusal.Description)
	}
	return known, err
}

func (a *Authenticator) identify(r *http.Request, form url.Values, address string) (*Client, error) {
	given, refusal := readCredentials(r.Header, form)
	if refusal != nil {
		return nil, refusal
	}
	ctx := r.Context()
	known, err := a.registry.Find(ctx, given.id)
	switch {
	case errors.Is(err, ErrUnknown):
		return nil, invalidClient("the client is unknown")
	case err != nil:
		return nil, err
	case known.AuthMethod != given.method:
		return nil, invalidClient("the client used a wrong authentication method; it must be " + known.AuthMethod)
	case known.IsPublic():
		return known, nil
	}
	key := ratelimit.Key{Client: ratelimit.Network(address), Holder: known.ID, Endpoint: "client"}
	if retryAfter, empty := a.limiter.IsEmpty(key); empty {
		return nil, tooMany(retryAfter)
	}
	if err = a.prove(ctx, known, given.secret); err == nil {
		return known, nil
	}
	if errors.As(err, &refusal) {
		if retryAfter, ok := a.limiter.Allow(key); !ok {
			return nil, tooMany(retryAfter)
		}
	}
	return nil, err
}

// prove returns an *Error if the client has not proved its identity.
func (a *Authenticator) prove(ctx context.Context, c *Client, secret string) error {
	if c.AuthMethod == AuthPrivateKeyJWT {
		return a.checkAssertion(ctx, c, secret)
	}
	right, err := c.secret.matches(ctx, a.gate, secret)
	if err == nil && !right {
		err = invalidClient("the secret of the client is wrong")
	}
	return err
}

// Unknown returns the error for a request whose client is not given, or is not the one given. It has a Basic challenge, also for a
// client that used another method: RFC 6749 requires a challenge of the scheme that was used, and the other methods have none.
func (a *Authenticator) Unknown(description string) *Error {
	refusal := invalidClient(description)
	refusal.Status = http.StatusUnauthorized
	refusal.Header = http.Header{"Www-Authenticate": {fmt.Sprintf("Basic realm=%q", a.realm)}}
	return refusal
}
