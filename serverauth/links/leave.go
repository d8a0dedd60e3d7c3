package links

import (
	"context"

	"github.com/picoauth/picoauth/serverauth/revocation"
	"github.com/picoauth/picoauth/serverauth/store"
	"github.com/picoauth/picoauth/serverauth/wallet"
)

// Left is the result of Leave.
type Left struct {
	Link     store.Link
	Sessions int // number of ended sessions: those that the wallet began
}

// Leave removes a wallet from the subject of a member. id is its account (CAIP-10), its wallet id or its address, in any form that
// a sign-in accepts. Leave returns ErrLeft, ErrNotFound, ErrAmbiguous or ErrLast if the wallet cannot be removed.
func (r *Registrar) Leave(ctx context.Context, by Member, id string) (Left, error) {
	name := nameOf(id)
	cause := revocation.Cause{By: by.Subject, Reason: "wallet left"}
	for range maxTries {
		s, err := r.read(ctx, by)
		if err != nil {
			return Left{}, err
		}
		row, err := name.among(s.active)
		if err == ErrNotFound { //nolint:errorlint // it is returned as it is
			return Left{}, r.leftBefore(ctx, s, name, cause)
		}
		if err != nil {
			return Left{}, err
		}
		if len(s.active) == 1 {
			return Left{}, ErrLast
		}
		gone := row
		gone.LeftAt = r.c.Clock().UnixMilli()
		done, err := r.change(ctx, s, row, gone)
		if err != nil {
			return Left{}, err
		}
		if done {
			ended, err := r.endSessions(ctx, row, cause)
			return Left{Link: gone, Sessions: ended}, err
		}
	}
	return Left{}, errContended
}

// leftBefore is Leave for a wallet that does not belong to the subject. If it was removed before, it repeats the steps that may
// have been interrupted.
func (r *Registrar) leftBefore(ctx context.Context, s subject, name walletName, cause revocation.Cause) error {
	for _, row := range s.all {
		if _, err := name.among([]store.Link{row}); err == nil && row.LeftAt != 0 {
			if _, err := r.endSessions(ctx, row, cause); err != nil {
				return err
			}
		}
	}
	return ErrNotFound
}

// walletName is the name of a wallet: the given text, and its account or canonical address if it is one.
type walletName struct{ typed, account, canonical string }

func nameOf(typed string) walletName {
	name := walletName{typed: typed}
	if address, err := wallet.ParseAddress(typed, ""); err == nil {
		if name.account = address.Account(); name.account == "" {
			name.canonical = address.Canonical()
		}
	}
	return name
}

// among returns the row of the wallet with the name.
func (n walletName) among(rows []store.Link) (row store.Link, err error) {
	err = ErrNotFound
	for _, candidate := range rows {
		w := candidate.Wallet
		for _, own := range []struct{ name, asked string }{{w.Account, n.typed}, {w.Account, n.account}, {w.WalletID, n.typed}, {w.WalletAddress(), n.canonical}} {
			if own.name == "" || own.name != own.asked {
				continue
			}
			if err == nil && row.Wallet.ID != w.ID {
				return store.Link{}, ErrAmbiguous
			}
			row, err = candidate, nil
		}
	}
	return row, err
}
