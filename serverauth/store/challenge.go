package store

import (
	"context"
	"errors"
	"time"
)

// ErrTooManyPending is returned by a store that is full and would have to forget something that is still needed. The HTTP reply
// is 429.
var ErrTooManyPending = errors.New("serverauth: too many pending entries")

// ChallengeStore issues the nonces that wallets sign, and accepts each once.
//
// A nonce is 64 lowercase hex characters and belongs to the address for which it was created. The empty address is treated like
// any other: its nonces are for clients that do not know the address yet. An address may also contain a [Purpose]; for the
// store it is text. Any number of nonces may be pending for one address; creating one does not affect others. All methods must
// be safe for concurrent use, also between processes that share the store.
type ChallengeStore interface {
	// Create returns a new nonce for address that is valid for ttl.
	Create(ctx context.Context, address string, ttl time.Duration) (nonce string, err error)
	// Validate uses up the nonce: of all callers that present it with its address before it expires, exactly one gets true. For
	// a nonce that is unknown, expired, used, or of another address it returns false with a nil error. A store that cannot
	// remember that the nonce was used returns ErrTooManyPending, and true to no caller.
	Validate(ctx context.Context, address, nonce string) (bool, error)
	// Cleanup removes expired entries and returns their number. The module calls it periodically.
	Cleanup(ctx context.Context) (removed int, err error)
}

// NoncePeeker is a ChallengeStore that can report what Validate would return, without using up the nonce. The result may be
// outdated when it is used; only Validate decides. A sign-in that has to call a chain uses it, so that a used nonce causes no
// call.
type NoncePeeker interface {
	Peek(ctx context.Context, address, nonce string) (bool, error)
}

// NonceKnower is a ChallengeStore that recognises its own nonces without their address. With other stores, a sign-in with
// another account than that of its challenge is only told that the challenge is invalid.
type NonceKnower interface {
	// IsLive reports whether the store made the nonce for the purpose, for any address, and it has not expired. The nonce may
	// have been used. IsLive changes nothing.
	IsLive(purpose Purpose, nonce string) bool
	// IsFor reports whether the store made the nonce for the address (with its purpose, if it has one), and it has not expired.
	// The nonce may have been used. IsFor changes nothing.
	IsFor(address, nonce string) bool
}
