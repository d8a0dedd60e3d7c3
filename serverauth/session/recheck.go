package session

import (
	"context"
	"errors"

	"github.com/picoauth/picoauth/serverauth/store"
	"github.com/picoauth/picoauth/serverauth/token"
)

// recheck asks the chain, if that is due, whether the contract wallet's signature of a refresh token's session is still valid. It
// returns the time of the last check in Unix milliseconds, or 0. It ignores errors of the token and its row, which the rotation
// reports.
func (s *Service) recheck(ctx context.Context, presented token.Refresh, now int64) (checkedAt int64, err error) {
	subject := presented.Of()
	if subject.WalletKind != store.WalletContract {
		return 0, nil
	}
	row, found, err := s.c.Store.Find(ctx, presented.SessionID)
	if err != nil {
		return 0, err
	}
	if !found || row.Subject != subject || presented.Counter+1 < row.Counter || now >= row.ExpiresAt {
		return 0, nil
	}
	return s.stillProven(ctx, row, now)
}

// stillProven asks the chain whether the contract wallet's signature of a session is still valid, unless it was asked recently,
// because the owners of the wallet may have changed. It returns the time of the last check. It ends the session if the signature is
// not valid any more. If there is no answer, nothing is changed.
func (s *Service) stillProven(ctx context.Context, row store.Session, now int64) (checkedAt int64, err error) {
	if age := now - row.CheckedAt; age >= 0 && age < s.c.Recheck.Milliseconds() {
		return row.CheckedAt, nil
	}
	if row.Proof == (store.WalletProof{}) {
		return 0, s.endWith(ctx, row.ID, "contract wallet without a proof", ErrEnded)
	}
	if s.c.Contracts == nil {
		return 0, errors.New("session: a contract wallet cannot be checked: server_auth.ethereum_rpc_urls is not set")
	}
	holds, err := s.c.Contracts(ctx, row.Subject, row.Proof)
	switch {
	case err != nil:
		return 0, err
	case !holds:
		return 0, s.endWith(ctx, row.ID, "contract wallet", ErrEnded)
	default:
		return now, nil
	}
}

// proofOf returns the contract wallet's signature for a granted session, from the session in which it was granted, and the time of
// its last check. If ProofOf is empty there is none, and the granted session ends when the chain would have to be asked. The error
// is ErrEnded if that session has ended.
func (s *Service) proofOf(ctx context.Context, g Granted) (proof store.WalletProof, checkedAt int64, err error) {
	switch {
	case g.Subject.WalletKind != store.WalletContract:
		return proof, 0, nil
	case g.ProofOf == "":
		return proof, g.Since.UnixMilli(), nil
	}
	row, found, err := s.c.Store.Find(ctx, g.ProofOf)
	if err != nil {
		return proof, 0, err
	}
	if !found || row.Subject != g.Subject {
		return proof, 0, ErrEnded
	}
	checkedAt, err = s.stillProven(ctx, row, g.From.At.UnixMilli())
	return row.Proof, checkedAt, err
}

// Has reports whether a subject, or the subject to which its wallet belongs, has a live session.
func (s *Service) Has(ctx context.Context, subject store.Subject) bool {
	owner, err := s.owner(ctx, subject, false)
	if err != nil {
		return false
	}
	rows, err := s.List(ctx, store.SessionQuery{Subject: owner.Subject.ID, Limit: 1})
	return err == nil && len(rows) > 0
}
