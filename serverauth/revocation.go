package serverauth

import (
	"context"

	"github.com/picoauth/picoauth/clientauth"
)

// Revocation is an entry of the denylist, as it stands on the wire.
type Revocation = clientauth.Revocation

// RevocationPage is a part of the denylist.
type RevocationPage struct {
	// Items come in the order of their commits.
	Items []Revocation
	// Seq is the sequence number of the last commit: ask with it for what came after.
	Seq int64
	// Full says that Items is the whole list and not only what came after the number that was asked for.
	Full bool
}

// RevocationStore keeps the denylist until each entry's Exp. Sequence numbers follow the order of commits and never
// fall, not even when the store is emptied or a process restarts: whoever has seen N sees all that is committed
// afterwards by asking for what came after N. What Add has returned survives a crash of the process (of a store that
// survives it).
type RevocationStore interface {
	// Add commits the items together, and returns them as they are in the store: an item whose jti, sid or kid is
	// there already is not added again, and the first one is returned in its place. An item of a sub is always added.
	Add(ctx context.Context, items []Revocation) ([]Revocation, error)
	// Since returns what was committed after seq; the whole list if seq is 0, above the last number, or older than
	// what was pruned.
	Since(ctx context.Context, seq int64) (RevocationPage, error)
	// Prune forgets up to limit entries whose Exp (Unix seconds) is before the given time, and returns how many. An
	// Exp of 0 is never over.
	Prune(ctx context.Context, before int64, limit int) (removed int, err error)
}
