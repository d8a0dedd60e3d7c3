package jose

import "errors"

// Errors that callers branch on. All are wrapped with the reason.
var (
	// ErrMalformed is a token, an encoding or a JSON object with a wrong form.
	ErrMalformed = errors.New("jose: malformed")
	// ErrTooLarge is an input above its documented size. It is also an ErrMalformed.
	ErrTooLarge = &kindError{"jose: too large", ErrMalformed}
	// ErrCritical is a JWS whose header has "crit": no extension is understood here (RFC 7515 section 4.1.11).
	ErrCritical = &kindError{"jose: critical header extension", ErrMalformed}
	// ErrUnsupportedAlgorithm is an algorithm that this package does not verify, among them "none" and HS256.
	ErrUnsupportedAlgorithm = errors.New("jose: unsupported algorithm")
	// ErrKeyMismatch is an algorithm used with a key of another type, curve or declared algorithm.
	ErrKeyMismatch = errors.New("jose: key does not fit the algorithm")
	// ErrInvalidSignature is a signature that does not verify.
	ErrInvalidSignature = errors.New("jose: invalid signature")
	// ErrInvalidKey is a key that cannot be used: broken, too weak, or not for signatures.
	ErrInvalidKey = errors.New("jose: invalid key")
	// ErrUnsupportedKey is a well-formed key of a type or curve that is not known here. It is also an ErrInvalidKey.
	ErrUnsupportedKey = &kindError{"jose: unsupported key", ErrInvalidKey}
)

// kindError is a sentinel error with a more general parent: errors.Is finds both.
type kindError struct {
	text   string
	parent error
}

func (e *kindError) Error() string { return e.text }
func (e *kindError) Unwrap() error { return e.parent }
