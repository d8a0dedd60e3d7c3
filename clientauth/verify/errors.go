package verify

import (
	"errors"
	"fmt"
	"strings"

	"github.com/picoauth/picoauth/clientauth/jose"
)

// ErrInvalidToken matches, with errors.Is, every error for an invalid token. The reply is 401.
var ErrInvalidToken = errors.New("clientauth: invalid token")

// Errors for an invalid token. Each also matches [ErrInvalidToken].
var (
	// ErrMalformedToken is for a token with a wrong format, a wrong size, or a claim that is missing or of a wrong type.
	ErrMalformedToken = tokenError("malformed", "the token is malformed")
	// ErrUnsupportedAlgorithm is for a token that is signed with an algorithm outside of its issuer's allow-list.
	ErrUnsupportedAlgorithm = tokenError("unsupported_algorithm", "the token's algorithm is not accepted")
	// ErrTokenType is for a token that is not an access token, such as a refresh token.
	ErrTokenType = tokenError("token_type", "the token is not an access token")
	// ErrUnknownIssuer is for a token of an issuer that is not trusted.
	ErrUnknownIssuer = tokenError("unknown_issuer", "the token's issuer is not trusted")
	// ErrWrongAudience is for a token with another audience.
	ErrWrongAudience = tokenError("wrong_audience", "the token is for another audience")
	// ErrMissingClaim is for a token without a required claim ([TrustedIssuer.RequiredClaims]), or with another value of it.
	ErrMissingClaim = tokenError("missing_claim", "the token lacks a claim that is required")
	// ErrTokenExpired is for a token whose exp is in the past by the leeway or more.
	ErrTokenExpired = tokenError("expired", "the token has expired")
	// ErrTokenNotYetValid is for a token whose nbf or iat is in the future by more than the leeway.
	ErrTokenNotYetValid = tokenError("not_yet_valid", "the token is not valid yet")
	// ErrUnknownKey is for a token that is signed with a key which its issuer does not publish.
	ErrUnknownKey = tokenError("unknown_key", "the token's key is unknown")
	// ErrInvalidSignature is for a token with a wrong signature.
	ErrInvalidSignature = tokenError("invalid_signature", "the token's signature is wrong")
	// ErrTokenRevoked is for a token on the denylist.
	ErrTokenRevoked = tokenError("revoked", "the token was revoked")
	// ErrTokenBinding is for a token that is bound to a key (cnf.jkt) but was sent as a bearer token, for an unbound token or
	// one that is bound to another key with a proof, and for a bearer token if proofs are required.
	ErrTokenBinding = tokenError("token_binding", "the token must come with a DPoP proof of the key that it is bound to")
	// ErrInvalidProof is for a DPoP proof (RFC 9449) that is missing, wrong, for another request or token, or already used.
	ErrInvalidProof = tokenError("invalid_dpop_proof", "the DPoP proof is not valid")
	// ErrProofNonce is for a DPoP proof without a nonce of this service, or with one that is too old.
	ErrProofNonce = tokenError("use_dpop_nonce", "the DPoP proof must have the nonce that DPoP-Nonce says")
	// ErrNotAnAgent is for a token in [AgentHeader] that is not one of an agent.
	ErrNotAnAgent = tokenError("not_an_agent", "the token is not an agent's")
)

// ErrUnavailable matches, with errors.Is, every error for a token that cannot be validated at present. The reply is 503.
var ErrUnavailable = errors.New("clientauth: unavailable")

// Errors for tokens that cannot be validated at present. Each also matches [ErrUnavailable].
var (
	// ErrKeysUnavailable means that the issuer's keys cannot be fetched, and that the cache has none or only too old ones.
	ErrKeysUnavailable = unavailableError("keys_unavailable", "the issuer's keys are not available")
	// ErrDenylistUnavailable means that the issuer's denylist cannot be fetched.
	ErrDenylistUnavailable = unavailableError("denylist_unavailable", "the issuer's denylist is not available")
	// ErrProofsUnavailable means that it is unknown which DPoP proofs were used, or that no more of them can be remembered.
	ErrProofsUnavailable = unavailableError("dpop_cache_full", "too many DPoP proofs at once")
	// ErrRolesUnavailable means that the RoleResolver failed.
	ErrRolesUnavailable = unavailableError("roles_unavailable", "roles are not available")
)

// reason is a sentinel error that also matches its parent. code is its name in metrics and logs; text may be shown to clients.
type reason struct {
	code, text string
	parent     error
}

func (r *reason) Error() string { return "clientauth: " + r.text }
func (r *reason) Unwrap() error { return r.parent }

func tokenError(code, text string) error       { return &reason{code, text, ErrInvalidToken} }
func unavailableError(code, text string) error { return &reason{code, text, ErrUnavailable} }

// Code returns the short name of an error of this package for metrics and logs, such as "expired" or "keys_unavailable". It
// returns "other" for any other error.
func Code(err error) string {
	if known, isKnown := errors.AsType[*reason](err); isKnown {
		return known.code
	}
	return "other"
}

// explained is a sentinel with a text about what was received and what was expected.
type explained struct {
	sentinel, cause error
	kind            string // the format of the cause, which is the same for all errors of a kind
	told            bool   // the client gets the cause too, not only the log
}

func (e *explained) Error() string   { return e.sentinel.Error() + ": " + e.cause.Error() }
func (e *explained) Unwrap() []error { return []error{e.sentinel, e.cause} }

// because wraps a sentinel with a cause for logs, which clients do not get.
func because(sentinel error, format string, args ...any) error {
	return &explained{sentinel, fmt.Errorf(format, args...), format, false}
}

// explain wraps a sentinel with a cause that the client gets too. Of a token the cause may contain iss, the audience, typ, alg,
// kid and the times, shortened, and the names of claims, but no other values.
func explain(sentinel error, format string, args ...any) error {
	return &explained{sentinel, fmt.Errorf(format, args...), format, true}
}

// errorNames are prefixes of package jose's errors, which add nothing to the sentinel here.
var errorNames = strings.NewReplacer(jose.ErrMalformed.Error()+": ", "", jose.ErrTooLarge.Error()+": ", "", "jose: ", "")

// Hint returns the part of an error's text that may be shown to the client in addition to that of its sentinel, or "".
func Hint(err error) string {
	if cause := new(explained); errors.As(err, &cause) && cause.told {
		return errorNames.Replace(cause.cause.Error())
	}
	return ""
}

// kindOf returns the kind of an error, for limits of the log. The number of kinds is fixed.
func kindOf(err error) string {
	if cause := new(explained); errors.As(err, &cause) {
		return cause.kind
	}
	return Code(err)
}
