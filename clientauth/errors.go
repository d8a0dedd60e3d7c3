package clientauth

import (
	"errors"
	"fmt"
)

// ErrInvalidToken is the parent of every error that says "this token is no good"; all of them answer 401.
var ErrInvalidToken = errors.New("clientauth: invalid token")

// Reasons for which a token is refused. Each is also an [ErrInvalidToken].
var (
	// ErrMalformedToken is a token that breaks a rule of its form, of size, or of a claim's type.
	ErrMalformedToken = tokenError("the token is malformed")
	// ErrUnsupportedAlgorithm is a token signed with an algorithm outside of its issuer's allow-list.
	ErrUnsupportedAlgorithm = tokenError("the token's algorithm is not accepted")
	// ErrTokenType is a token of another type than an access token, such as a refresh token.
	ErrTokenType = tokenError("the token is not an access token")
	// ErrUnknownIssuer is a token of an issuer that is not trusted here.
	ErrUnknownIssuer = tokenError("the token's issuer is not trusted")
	// ErrWrongAudience is a token for somebody else.
	ErrWrongAudience = tokenError("the token is for another audience")
	// ErrTokenExpired is a token whose exp is past, with the leeway.
	ErrTokenExpired = tokenError("the token has expired")
	// ErrTokenNotYetValid is a token whose nbf or iat is in the future, with the leeway.
	ErrTokenNotYetValid = tokenError("the token is not valid yet")
	// ErrUnknownKey is a token signed with a key that its issuer does not publish.
	ErrUnknownKey = tokenError("the token's key is unknown")
	// ErrInvalidSignature is a token whose signature does not verify.
	ErrInvalidSignature = tokenError("the token's signature is wrong")
	// ErrTokenRevoked is a token on the denylist.
	ErrTokenRevoked = tokenError("the token was revoked")
	// ErrNotAnAgent is a token presented as an agent's that does not say it is one.
	ErrNotAnAgent = tokenError("the token is not an agent's")
)

// ErrUnavailable is the parent of the errors that are not the token's fault; all of them answer 503.
var ErrUnavailable = errors.New("clientauth: unavailable")

// Reasons for which no token can be judged now. Each is also an [ErrUnavailable].
var (
	// ErrKeysUnavailable means that the issuer's keys cannot be had and that none of the last hour are left.
	ErrKeysUnavailable = unavailableError("the issuer's keys are not available")
	// ErrDenylistUnavailable means that the issuer's denylist cannot be had.
	ErrDenylistUnavailable = unavailableError("the issuer's denylist is not available")
	// ErrRolesUnavailable means that the RoleResolver failed.
	ErrRolesUnavailable = unavailableError("roles are not available")
)

// reason is a sentinel below a parent; text is fit for a client to read.
type reason struct {
	text   string
	parent error
}

func (r *reason) Error() string { return "clientauth: " + r.text }
func (r *reason) Unwrap() error { return r.parent }

func tokenError(text string) error       { return &reason{text, ErrInvalidToken} }
func unavailableError(text string) error { return &reason{text, ErrUnavailable} }

// because wraps a sentinel with a cause that is for logs, not for clients.
func because(sentinel error, format string, args ...any) error {
	return fmt.Errorf("%w: %w", sentinel, fmt.Errorf(format, args...))
}
