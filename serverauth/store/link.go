package store

import (
	"cmp"
	"context"
)

// Link links a wallet to a subject. There is one row for each wallet that was ever added to a subject and, from the first
// addition on, one for the wallet whose address is the subject. Rows are never removed, so that a removed wallet is not
// mistaken for an unknown one.
type Link struct {
	// Wallet is the wallet as a subject of its own. Its ID is the key of the row, and may also be the Subject of other rows.
	Wallet Subject
	// Subject is the subject to which the wallet belongs, or belonged if it was removed.
	Subject string
	// LinkedAt is the time of the addition, LeftAt that of the removal or 0, in Unix milliseconds.
	LinkedAt, LeftAt int64
	// Version is random and never empty. A change sets new versions in the rows that it writes: those of the changed wallets,
	// and that of the wallet whose address is the subject.
	Version [16]byte
	// MAC authenticates all other fields. A store stores it and does not verify it.
	MAC [32]byte
}

// LinkChange writes a row.
type LinkChange struct {
	Row Link
	Was [16]byte // the Version of the row that it replaces; empty: there must be none
}

// LinkStore stores the links between wallets and subjects. Each method must be atomic, also between processes that share the
// store. If Change returns true, its changes survive a crash of the process (in a persistent store). Rows are never removed.
type LinkStore interface {
	// Find returns the row of a wallet. If there is none, named reports whether there is a row whose Subject is that wallet;
	// the caller treats such a wallet as a removed one.
	Find(ctx context.Context, wallet string) (row Link, found, named bool, err error)
	// List returns the rows whose Subject is the given one, in the order of CompareLinks.
	List(ctx context.Context, subject string) ([]Link, error)
	// Change writes all rows, each of a different wallet, if each replaces a row with the version Was; otherwise it changes
	// nothing and returns false.
	Change(ctx context.Context, changes []LinkChange) (done bool, err error)
	// Any reports whether there is any row.
	Any(ctx context.Context) (bool, error)
}

// CompareLinks compares links by age, the oldest first.
func CompareLinks(a, b Link) int {
	return cmp.Or(cmp.Compare(a.LinkedAt, b.LinkedAt), cmp.Compare(a.Wallet.ID, b.Wallet.ID))
}
