package serverauth

import (
	"context"
	"errors"
	"time"
)

// ErrTooManyPending is returned by a store that is full and would have to forget something that is still needed.
// The HTTP interface answers it with 429.
var ErrTooManyPending = errors.New("serverauth: too many pending entries")

// ChallengeStore issues the nonces that wallets sign and lets each be used once.
//
// A nonce is 64 lowercase hex characters and belongs to the address that it was created for. Any number may be
// pending for one address; creating one takes nothing from another. Every method is safe for concurrent use, and a
// store that several processes share keeps these promises across all of them.
type ChallengeStore interface {
	// Create returns a new nonce for address that is valid for ttl.
	Create(ctx context.Context, address string, ttl time.Duration) (nonce string, err error)
	// Validate spends the nonce: of all callers that present it with its address before it expires, exactly one
	// gets true. A nonce that is unknown, expired, spent, or of another address is false with a nil error. A store
	// that cannot remember the spending returns ErrTooManyPending and true to nobody.
	Validate(ctx context.Context, address, nonce string) (bool, error)
	// Cleanup forgets what has expired and returns how much that was. The module calls it from time to time.
	Cleanup(ctx context.Context) (removed int, err error)
}
