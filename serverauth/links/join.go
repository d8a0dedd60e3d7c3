package links

import (
	"context"

	"github.com/picoauth/picoauth/serverauth/revocation"
	"github.com/picoauth/picoauth/serverauth/store"
)

// Joined is the result of Join.
type Joined struct {
	Link store.Link
	// New reports whether the wallet did not belong to the subject before.
	New bool
	// Sessions is the number of ended sessions: those of the wallet as a subject of its own.
	Sessions int
}

// Join adds an authenticated wallet to the subject of a member. If it belongs to the subject already, nothing is changed. merge
// means that the wallet's proof allows to end the wallet's sessions as a subject of its own. Join returns ErrLeft, ErrTaken,
// ErrSubjectExists or ErrTooMany if the wallet cannot be added.
func (r *Registrar) Join(ctx context.Context, by Member, wallet store.Subject, merge bool) (Joined, error) {
	for range maxTries {
		s, err := r.read(ctx, by)
		if err != nil {
			return Joined{}, err
		}
		if row, found := member(s, wallet.ID); found {
			return r.again(ctx, by, row)
		}
		was, alone, err := r.joinable(ctx, s, wallet, merge)
		if err != nil {
			return Joined{}, err
		}
		row := store.Link{Wallet: wallet, Subject: s.name, LinkedAt: max(r.c.Clock().UnixMilli(), was.LinkedAt+1)} // a new mark
		done, err := r.change(ctx, s, was, row)
		if err != nil {
			return Joined{}, err
		}
		if !done {
			continue
		}
		joined := Joined{Link: row, New: true}
		if alone {
			joined.Sessions, err = r.endOwn(ctx, by, wallet, was.LinkedAt)
		}
		return joined, err
	}
	return Joined{}, errContended
}

func member(s subject, wallet string) (store.Link, bool) {
	for _, row := range s.active {
		if row.Wallet.ID == wallet {
			return row, true
		}
	}
	return store.Link{}, false
}

// again is Join for a wallet that belongs to the subject already. An earlier Join may have been interrupted before it ended the
// wallet's own sessions.
func (r *Registrar) again(ctx context.Context, by Member, row store.Link) (joined Joined, err error) {
	joined.Link = row
	if row.Wallet.ID != row.Subject {
		joined.Sessions, err = r.endOwn(ctx, by, row.Wallet, 0)
	}
	return joined, err
}

// endOwn ends the sessions that a wallet began as a subject of its own, before it was added.
func (r *Registrar) endOwn(ctx context.Context, by Member, wallet store.Subject, linkedAt int64) (int, error) {
	own := store.Link{Wallet: wallet, Subject: wallet.ID, LinkedAt: linkedAt}
	return r.endSessions(ctx, own, revocation.Cause{By: by.Subject, Reason: "wallet joined"})
}

// joinable returns the row of a wallet that can be added, and whether the wallet was a subject of its own until now.
func (r *Registrar) joinable(ctx context.Context, s subject, wallet store.Subject, merge bool) (was store.Link, alone bool, err error) {
	if len(s.all) >= maxWallets {
		return was, false, ErrTooMany
	}
	was, state, err := s.guard, s.state, error(nil)
	if wallet.ID != s.name {
		was, state, err = r.c.Book.find(ctx, wallet.ID)
	}
	switch {
	case err != nil || state == left:
		return was, false, err
	case state == belongs && was.Subject != wallet.ID:
		return was, false, ErrTaken
	}
	return was, true, r.mayEnd(ctx, wallet.ID, merge)
}

// mayEnd returns an error unless a wallet's sessions as a subject of its own may be ended.
func (r *Registrar) mayEnd(ctx context.Context, name string, merge bool) error {
	members, err := r.c.Book.members(ctx, name)
	if err != nil {
		return err
	}
	for _, row := range active(members) {
		if row.Wallet.ID != name {
			return ErrSubjectExists
		}
	}
	if merge {
		return nil
	}
	query := store.SessionQuery{Subject: name, Now: r.c.Clock().UnixMilli(), Limit: sessionPage}
	for {
		page, err := r.c.Sessions.List(ctx, query)
		if err != nil {
			return err
		}
		for _, session := range page {
			if session.Subject.ID == name { // not a subject with another address of the same key
				return ErrSubjectExists
			}
		}
		if len(page) < sessionPage {
			return nil
		}
		last := page[len(page)-1]
		query.BeforeStart, query.BeforeID = last.StartedAt, last.ID
	}
}
