package session

import (
	"context"
	"crypto/hmac"
	"crypto/sha256"
	"errors"
	"fmt"
	"log/slog"
	"slices"

	"github.com/picoauth/picoauth/serverauth/internal/events"
	"github.com/picoauth/picoauth/serverauth/internal/mac"
	"github.com/picoauth/picoauth/serverauth/store"
)

// Store is a SessionStore whose rows have a MAC of the issuer. A row that was not written by an issuer with the same secret, or
// that was written under another ID, is forged: Store logs session_forged and uses nothing of it but the ID. All methods except
// Find also end it. Errors name the session store.
type Store struct {
	store.SessionStore
	rows mac.Row
	log  *slog.Logger
}

// errForged is returned for a session whose row was forged. The row has been removed.
var errForged = errors.New("session: the stored session was not written by this issuer")

// NewStore returns a store that authenticates the rows of another one with a key derived from secret, the secret of refresh tokens.
// It calls secret for every use.
func NewStore(of store.SessionStore, secret func() []byte, log *slog.Logger) *Store {
	return &Store{of, mac.NewRow(secret, "session"), log}
}

// mac returns the MAC of all fields of a row that are used, except those that a rotation changes.
func (s *Store) mac(row store.Session) [sha256.Size]byte {
	u := row.Subject
	return s.rows.Of(make(mac.Fields, 0, 768).
		Texts(row.ID, u.ID, u.Kind, u.Algorithm, u.WalletID, u.Account).
		Texts(row.Credential, row.ClientID, row.RequestID, row.Client, row.UserAgent).
		Numbers(row.StartedAt, row.EndsAt).
		Optional("wallet_address", u.Address).
		Optional("wallet_kind", u.WalletKind).
		Optional("proof_message", row.Proof.Message).
		Optional("proof_signature", row.Proof.Signature).
		Optional("key_thumbprint", row.KeyThumbprint))
}

func (s *Store) authentic(row store.Session) bool {
	mac := s.mac(row)
	return hmac.Equal(mac[:], row.MAC[:])
}

// Create implements SessionStore.
func (s *Store) Create(ctx context.Context, row store.Session) (cutOff int64, err error) {
	row.MAC = s.mac(row)
	cutOff, err = s.SessionStore.Create(ctx, row)
	return cutOff, failed(err)
}

// failed returns an error of the store with its name; nil for nil.
func failed(err error) error {
	if err == nil {
		return nil
	}
	return fmt.Errorf("session store: %w", err)
}

// Rotate implements SessionStore. It returns errForged for a forged row.
func (s *Store) Rotate(ctx context.Context, r store.Rotation) (store.Session, store.RotationOutcome, error) {
	if r.KeyThumbprint != "" {
		bound, found, err := s.SessionStore.Find(ctx, r.SessionID)
		if err != nil {
			return store.Session{}, store.SessionAbsent, failed(err)
		}
		if found && bound.ID == r.SessionID && s.authentic(bound) {
			bound.KeyThumbprint = r.KeyThumbprint
			r.MAC = s.mac(bound)
		}
	}
	row, outcome, err := s.SessionStore.Rotate(ctx, r)
	if err != nil || outcome == store.SessionAbsent || row.ID == r.SessionID && s.authentic(row) {
		return row, outcome, failed(err)
	}
	s.forged(ctx, r.SessionID, 1)
	if _, _, err := s.SessionStore.End(ctx, r.SessionID); err != nil {
		return store.Session{}, store.SessionAbsent, failed(err)
	}
	return store.Session{}, store.SessionAbsent, errForged
}

// End implements SessionStore. For a forged row it returns the ID only.
func (s *Store) End(ctx context.Context, sid string) (store.Session, bool, error) {
	row, found, err := s.SessionStore.End(ctx, sid)
	if err != nil || !found || row.ID == sid && s.authentic(row) {
		return row, found, failed(err)
	}
	s.forged(ctx, sid, 1)
	return store.Session{ID: sid}, true, nil
}

// Find implements SessionStore. For a forged row it returns the ID only.
func (s *Store) Find(ctx context.Context, sid string) (store.Session, bool, error) {
	row, found, err := s.SessionStore.Find(ctx, sid)
	if err != nil || !found || row.ID == sid && s.authentic(row) {
		return row, found, failed(err)
	}
	s.forged(ctx, sid, 1)
	return store.Session{ID: sid}, true, nil
}

// EndSubject implements SessionStore. It returns only authentic sessions of the ids: a revocation also ends what belongs to the
// wallet ids of the returned sessions, and a forged row must not extend it to another user.
func (s *Store) EndSubject(ctx context.Context, ids []string, at int64) ([]store.Session, error) {
	ended, err := s.SessionStore.EndSubject(ctx, ids, at)
	all := len(ended)
	first := ""
	ended = slices.DeleteFunc(ended, func(row store.Session) bool {
		foreign := !row.Subject.Among(ids) || !s.authentic(row)
		if foreign && first == "" {
			first = row.ID
		}
		return foreign
	})
	if foreign := all - len(ended); foreign > 0 {
		s.forged(ctx, first, foreign)
	}
	return ended, failed(err)
}

// maxForgedPages is the number of pages with forged rows after which a listing gives up.
const maxForgedPages = 10

// List implements SessionStore. It ends forged rows that it finds.
func (s *Store) List(ctx context.Context, q store.SessionQuery) (listed []store.Session, err error) {
	for range maxForgedPages {
		rows, err := s.SessionStore.List(ctx, q)
		if err != nil {
			return nil, failed(err)
		}
		forged := 0
		for _, row := range rows {
			if s.authentic(row) {
				listed = append(listed, row)
				continue
			}
			if forged++; forged == 1 {
				s.forged(ctx, row.ID, 1)
			}
			if _, _, err := s.SessionStore.End(ctx, row.ID); err != nil {
				return nil, failed(err)
			}
		}
		if q.Limit -= len(rows) - forged; forged == 0 || q.Limit <= 0 {
			return listed, nil
		}
		if n := len(listed); n > 0 {
			q.BeforeStart, q.BeforeID = listed[n-1].StartedAt, listed[n-1].ID
		}
	}
	return nil, failed(errors.New("session: too many stored sessions were not written by this issuer"))
}

// forged logs the number of forged rows and the ID of the first one.
func (s *Store) forged(ctx context.Context, sid string, rows int) {
	s.log.ErrorContext(ctx, events.SessionForged, "event", events.SessionForged, "sid", sid, "rows", rows)
}
