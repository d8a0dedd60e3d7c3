package redisstore

import (
	"context"
	"fmt"
	"slices"
	"strconv"
	"time"

	"github.com/picoauth/picoauth/app"
	"github.com/picoauth/picoauth/serverauth/store"
)

const (
	sessionRow   = sessionTag + "session:" // followed by the sid; old rows, without a MAC, were at row:
	sessionIndex = sessionTag + "by:"      // followed by a subject or wallet id: its sids
	sessionCut   = sessionTag + "cut:"     // followed by a subject, wallet id or mark: the cut-off of EndSubject
	sessionList  = sessionTag + "all"      // all sids in the order in which their sessions began (listMember)
	// cutLife is how long a cut-off of EndSubject is kept: longer than the required hour.
	cutLife = 2 * time.Hour
	// sessionMargin is how long an expired session is kept beyond the time that revoking its subject needs.
	sessionMargin = time.Minute
	// endBatch is the maximum number of sessions that EndSubject ends in one step; few subjects have more.
	endBatch = 5000
)

// sessions is a serverauth.SessionStore: a row for each session, which expires, and an index of sessions for each subject and
// wallet id.
type sessions struct {
	db   database
	now  app.Clock
	keep int64 // milliseconds that a row is kept after its session has expired, so that revoking the subject finds it

	pruned sweeper
}

func newSessions(db database, c store.BackendConfig) *sessions {
	keep := c.AccessTokenTTL + c.ClockSkew + sessionMargin
	return &sessions{db: db, now: c.Clock, keep: keep.Milliseconds()}
}

// Create implements serverauth.SessionStore in one round trip.
func (s *sessions) Create(ctx context.Context, row store.Session) (cutOff int64, err error) {
	owners := []string{row.Subject.ID}
	if id := row.Subject.WalletID; id != "" && id != row.Subject.ID {
		owners = append(owners, id)
	}
	keys, marks := []string{sessionRow + row.ID, sessionList}, len(owners)
	if row.Mark != "" {
		keys = append(keys, sessionCut+row.Mark)
		marks++
	}
	keys = append(keys, ownerKeys(owners)...)
	ttl := max(row.ExpiresAt-row.StartedAt, 0) + s.keep
	value, err := s.db.run(ctx, createSession, keys, row.ID, appendSession(nil, row), row.StartedAt, ttl, listMember(row.StartedAt, row.ID), marks)
	if err != nil {
		return 0, err
	}
	cutOff, _ = value.(int64)
	return cutOff, nil
}

// Rotate implements serverauth.SessionStore in one round trip, or in two if it binds the session to a key.
func (s *sessions) Rotate(ctx context.Context, r store.Rotation) (store.Session, store.RotationOutcome, error) {
	bound, err := s.bound(ctx, r)
	if err != nil {
		return store.Session{}, store.SessionAbsent, err
	}
	value, err := s.db.run(ctx, rotateSession, []string{sessionRow + r.SessionID, sessionList}, r.SessionID, sessionIndex,
		strconv.FormatUint(r.Counter, 10), strconv.FormatUint(r.Counter+1, 10), r.Now, r.Now+r.TTL, r.Grace, s.keep, r.CheckedAt, bound)
	if err != nil {
		return store.Session{}, store.SessionAbsent, err
	}
	result, _ := value.([]any)
	if len(result) < 2 {
		return store.Session{}, store.SessionAbsent, nil
	}
	code, _ := result[0].(int64)
	text, _ := result[1].(string)
	return sessionOf(r.SessionID, text), store.RotationOutcome(code), nil
}

// bound returns the part of a row that only a binding to a key changes, as it is after it; empty if r binds no key.
func (s *sessions) bound(ctx context.Context, r store.Rotation) ([]byte, error) {
	if r.KeyThumbprint == "" {
		return nil, nil
	}
	row, found, err := s.Find(ctx, r.SessionID)
	if err != nil || !found {
		return nil, err
	}
	row.KeyThumbprint, row.MAC = r.KeyThumbprint, r.MAC
	return appendUnchanging(nil, row), nil
}

// Find implements serverauth.SessionStore.
func (s *sessions) Find(ctx context.Context, sid string) (store.Session, bool, error) {
	value, err := s.db.do(ctx, "GET", sessionRow+sid)
	if err != nil || value == nil {
		return store.Session{}, false, err
	}
	text, _ := value.(string)
	return sessionOf(sid, text), true, nil
}

// End implements serverauth.SessionStore.
func (s *sessions) End(ctx context.Context, sid string) (store.Session, bool, error) {
	value, err := s.db.run(ctx, endSession, []string{sessionRow + sid, sessionList}, sid, sessionIndex)
	if err != nil || value == nil {
		return store.Session{}, false, err
	}
	text, _ := value.(string)
	return sessionOf(sid, text), true, nil
}

// EndSubject implements serverauth.SessionStore. It is atomic for up to 5000 sessions. It ends more than that in several steps;
// from the first step on new sessions are refused.
func (s *sessions) EndSubject(ctx context.Context, ids []string, at int64) ([]store.Session, error) {
	ttl := cutLife.Milliseconds() + max(at-s.now().UnixMilli(), 0)
	var ended []store.Session
	for {
		value, err := s.db.run(ctx, endSubject, append([]string{sessionList}, ownerKeys(ids)...), at, ttl, sessionRow, sessionIndex, endBatch)
		if err != nil {
			return nil, err
		}
		rows := texts(value)
		for pair := range slices.Chunk(rows, 2) {
			ended = append(ended, sessionOf(pair[0], pair[1]))
		}
		if len(rows) < 2*endBatch {
			return ended, nil
		}
	}
}

// Prune implements serverauth.SessionStore. Redis removes expired rows itself. Prune removes the sids without a row from a part of
// the list, starting where the last call ended.
func (s *sessions) Prune(ctx context.Context, _ int64, _ int) (int, error) {
	return 0, s.pruned.sweep(ctx, s.db, pruneSessions, sessionList, sessionRow)
}

// ownerKeys returns the keys of the cut-offs of the ids, then of their indexes.
func ownerKeys(ids []string) []string {
	keys := make([]string, 0, 2*len(ids))
	for _, prefix := range [...]string{sessionCut, sessionIndex} {
		for _, id := range ids {
			keys = append(keys, prefix+id)
		}
	}
	return keys
}

// sessionOf decodes the row of a session. A row that is damaged, or of another session, gives only the ID.
func sessionOf(sid, text string) store.Session {
	row, err := readSession(text)
	if err != nil || row.ID != sid {
		return store.Session{ID: sid}
	}
	return row
}

// appendSession appends a row as readSession and the scripts read it.
func appendSession(b []byte, s store.Session) []byte {
	b = fmt.Appendf(b, "%d %d,%d %d %d %d %d %d ", s.Counter, s.RotatedAt, s.CheckedAt, s.ExpiresAt, s.EndsAt, s.StartedAt, len(s.Subject.ID), len(s.Subject.WalletID))
	return appendUnchanging(b, s)
}

func appendUnchanging(b []byte, s store.Session) []byte {
	b = append(append(b, s.Subject.ID...), s.Subject.WalletID...)
	b = append(appendTexts(b, sessionTexts(&s)), s.MAC[:]...)
	for i, text := range optionalTexts(&s) {
		if *text != "" {
			b = appendText(append(b, byte(i)), *text)
		}
	}
	return b
}

func readSession(row string) (s store.Session, err error) {
	r := rowReader{rest: row}
	s.Counter = r.counter()
	s.RotatedAt, s.CheckedAt = r.decimals()
	s.ExpiresAt, s.EndsAt, s.StartedAt = r.decimal(), r.decimal(), r.decimal()
	subject, wallet := r.decimal(), r.decimal()
	s.Subject.ID, s.Subject.WalletID = r.fixed(subject), r.fixed(wallet)
	r.texts(sessionTexts(&s))
	copy(s.MAC[:], r.fixed(int64(len(s.MAC))))
	for optional := optionalTexts(&s); r.rest != ""; {
		if i := int(r.fixed(1)[0]); i < len(optional) {
			*optional[i] = r.text()
		} else {
			r.spoil()
		}
	}
	return s, r.end()
}

func sessionTexts(s *store.Session) []*string {
	return []*string{
		&s.ID, &s.Subject.Kind, &s.Subject.Algorithm, &s.Subject.Account, &s.Credential, &s.ClientID, &s.RequestID, &s.Client, &s.UserAgent,
	}
}

// optionalTexts are stored after the MAC if they are not empty, each preceded by its index here (one byte).
func optionalTexts(s *store.Session) [5]*string {
	return [...]*string{&s.Subject.Address, &s.Subject.WalletKind, &s.Proof.Message, &s.Proof.Signature, &s.KeyThumbprint}
}
