package store

import (
	"context"
	"math/rand/v2"

	"github.com/picoauth/picoauth/clientauth"
)

// Revocation is an entry of the denylist, with its JSON form.
type Revocation = clientauth.Revocation

// RevocationPage is a part of the denylist.
type RevocationPage struct {
	// Items are in the order of their commits.
	Items []Revocation
	// Seq is the sequence number of the last commit at the time of reading. After the last page the reader has all items up to
	// its Seq, and uses it to ask for later ones.
	Seq int64
	// Full means that Items are the beginning of the whole list, instead of the items after the requested number.
	Full bool
	// Next is the parameter after for the next page; 0 on the last page.
	Next int64
}

// RevocationStore stores the denylist, each entry until its Exp. Sequence numbers follow the order of commits and never
// decrease, even if the store is emptied or a process restarts: a reader that has seen N gets all later commits by asking for
// the items after N. The numbers follow the clock and have a random part, so that a store that has lost a commit, such as a
// database restored from a copy, does not use its number again. If Add returns nil, its items survive a crash of the process
// (in a persistent store).
type RevocationStore interface {
	// Add commits the items atomically, and returns them as they are in the store: an item whose jti, sid or kid is there
	// already is not added again, and the earlier one is returned instead. An item for a sub is always added. If nothing is
	// added, the sequence does not change.
	Add(ctx context.Context, items []Revocation) ([]Revocation, error)
	// Since returns up to limit of the items that were committed after seq. It returns the whole list if seq is 0, if items
	// after seq were pruned, or if seq is not a number of this store, which means that the store has lost commits.
	//
	// The first page is read with after 0, each further one with the Next of the previous page. If the store loses commits in
	// between, a further page is the beginning of the whole list, and Full.
	Since(ctx context.Context, seq, after int64, limit int) (RevocationPage, error)
	// Prune removes up to limit entries whose Exp (Unix seconds) is before the given time, and returns their number. An Exp of
	// 0 means never.
	Prune(ctx context.Context, before int64, limit int) (removed int, err error)
}

// AddedOnce returns what identifies an item that a RevocationStore adds only once: the kind jti, sid or kid, and its value. Both are
// empty for any other item.
func AddedOnce(item Revocation) (kind, id string) {
	switch {
	case item.JTI != "":
		return "jti", item.JTI
	case item.SID != "":
		return "sid", item.SID
	case item.KID != "":
		return "kid", item.KID
	default:
		return "", ""
	}
}

// RevocationStep returns how far the first sequence number of a commit is above the last number before it, or above the clock
// in microseconds if that is higher. It is random and at least 1, so that two independent commits do not get the same number,
// and small enough that the numbers do not get ahead of the clock. Further items of the commit have consecutive numbers.
func RevocationStep() int64 { return 1 + rand.Int64N(64) } //nolint:gosec // nobody gains by guessing it

// RevocationHead is the state of a RevocationStore when it reads a page.
type RevocationHead struct {
	Seq    int64 // the last sequence number
	Pruned int64 // the highest one that was pruned
	Exists bool  // whether there is an item with the requested number
}

// Begin returns the number after which a page begins, and whether it is the beginning of the whole list. asked is the parameter
// after, or seq on a first page. A number above the pruned ones that has no item was never assigned by this store.
func (h RevocationHead) Begin(asked int64, first bool) (from int64, full bool) {
	known := h.Exists || asked == h.Seq || asked == h.Pruned
	switch {
	case asked == 0, first && asked < h.Pruned, asked > h.Pruned && !known:
		return 0, true
	default:
		return asked, false
	}
}
