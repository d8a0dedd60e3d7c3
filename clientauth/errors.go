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
	ErrMalformedToken = tokenError("malformed", "the token is malformed")
	// ErrUnsupportedAlgorithm is a token signed with an algorithm outside of its issuer's allow-list.
	ErrUnsupportedAlgorithm = tokenError("unsupported_algorithm", "the token's algorithm is not accepted")
	// ErrTokenType is a token of another type than an access token, such as a refresh token.
	ErrTokenType = tokenError("token_type", "the token is not an access token")
	// ErrUnknownIssuer is a token of an issuer that is not trusted here.
	ErrUnknownIssuer = tokenError("unknown_issuer", "the token's issuer is not trusted")
	// ErrWrongAudience is a token for somebody else.
	ErrWrongAudience = tokenError("wrong_audience", "the token is for another audience")
	// ErrTokenExpired is a token whose exp is past, with the leeway.
	ErrTokenExpired = tokenError("expired", "the token has expired")
	// ErrTokenNotYetValid is a token whose nbf or iat is in the future, with the leeway.
	ErrTokenNotYetValid = tokenError("not_yet_valid", "the token is not valid yet")
	// ErrUnknownKey is a token signed with a key that its issuer does not publish.
	ErrUnknownKey = tokenError("unknown_key", "the token's key is unknown")
	// ErrInvalidSignature is a token whose signature does not verify.
	ErrInvalidSignature = tokenError("invalid_signature", "the token's signature is wrong")
	// ErrTokenRevoked is a token on the denylist.
	ErrTokenRevoked = tokenError("revoked", "the token was revoked")
	// ErrNotAnAgent is a token presented as an agent's that does not say it is one.
	ErrNotAnAgent = tokenError("not_an_agent", "the token is not an agent's")
)

// ErrUnavailable is the parent of the errors that are not the token's fault; all of them answer 503.
var ErrUnavailable = errors.New("clientauth: unavailable")

// Reasons for which no token can be judged now. Each is also an [ErrUnavailable].
var (
	// ErrKeysUnavailable means that the issuer's keys cannot be had and that none of the last hour are left.
	ErrKeysUnavailable = unavailableError("keys_unavailable", "the issuer's keys are not available")
	// ErrDenylistUnavailable means that the issuer's denylist cannot be had.
	ErrDenylistUnavailable = unavailableError("denylist_unavailable", "the issuer's denylist is not available")
	// ErrRolesUnavailable means that the RoleResolver failed.
	ErrRolesUnavailable = unavailableError("roles_unavailable", "roles are not available")
)

// reason is a sentinel below a parent; code is its name in metrics and logs, text is fit for a client to read.
type reason struct {
	code, text string
	parent     error
}

func (r *reason) Error() string { return "clientauth: " + r.text }
func (r *reason) Unwrap() error { return r.parent }

func tokenError(code, text string) error       { return &reason{code, text, ErrInvalidToken} }
func unavailableError(code, text string) error { return &reason{code, text, ErrUnavailable} }

// codeOf returns the code of the reason in err.
func codeOf(err error) string {
	var known *reason
	if errors.As(err, &known) {
		return known.code
	}
	return "other"
}

// because wraps a sentinel with a cause that is for logs, not for clients.
func because(sentinel error, format string, args ...any) error {
	return fmt.Errorf("%w: %w", sentinel, fmt.Errorf(format, args...))
}
