package client

import (
	"context"
	"errors"
	"slices"
	"time"

	"github.com/picoauth/picoauth/clientauth/verify"
)

const (
	// maxAssertionTTL is the maximum time until an assertion expires. Its use is stored for that long.
	maxAssertionTTL = time.Hour
	maxAssertionID  = 256 // bytes of a `jti`
)

// checkAssertion returns an *Error unless the client signed the JWT for this server, it is valid now, and this is its first use
// (RFC 7523, section 3; OpenID Connect Core, section 9).
func (a *Authenticator) checkAssertion(ctx context.Context, c *Client, text string) error {
	if c.keys == nil {
		return invalidClient("the client has no keys")
	}
	now := a.uses.Now()
	validator, err := verify.NewTokenValidator(verify.ValidatorConfig{
		Issuers: []verify.TrustedIssuer{{Issuer: c.ID, Audiences: a.audiences, Keys: c.keys}},
		Leeway:  a.skew, Clock: func() time.Time { return now },
	})
	if err != nil {
		return err
	}
	found, err := validator.Validate(ctx, text)
	switch {
	case errors.Is(err, verify.ErrUnavailable) && c.Source.isOperators():
		return err
	case errors.Is(err, verify.ErrUnavailable): // the reason is only logged, see checkRemoteKeys
		return invalidClient("client_assertion is refused: the client's keys cannot be fetched")
	case err != nil:
		return invalidClient("client_assertion is refused: " + printable(err.Error()))
	}
	return a.spend(ctx, c, found, now)
}

// spend checks the other claims of an assertion, then marks it as used.
func (a *Authenticator) spend(ctx context.Context, c *Client, found *verify.SecurityContext, now time.Time) error {
	reason := ""
	switch {
	case found.Subject != c.ID:
		reason = "sub is not the client id"
	case slices.ContainsFunc(found.Audience, func(aud string) bool { return !slices.Contains(a.audiences, aud) }):
		reason = "aud names another server too"
	case found.TokenID == "" || len(found.TokenID) > maxAssertionID:
		reason = "jti must be a text of 1 to 256 bytes"
	case found.ExpiresAt.Sub(now) > maxAssertionTTL+a.skew:
		reason = "exp is more than an hour away"
	}
	if reason != "" {
		return invalidClient("client_assertion is refused: " + reason)
	}
	first, err := a.uses.First(ctx, found.ExpiresAt, "client assertion", c.ID, found.TokenID)
	if err == nil && !first {
		err = invalidClient("client_assertion is refused: its jti was used before")
	}
	return err
}

// printable makes text fit for an error_description (RFC 6749, section 5.2), in 300 bytes.
func printable(text string) string {
	clean := []byte(text[:min(len(text), 300)])
	for i, b := range clean {
		switch {
		case b == '"' || b == '\\':
			clean[i] = '\''
		case b < ' ' || b > '~':
			clean[i] = '?'
		}
	}
	return string(clean)
}
