package redisstore

import (
	"context"
	"encoding/binary"
	"fmt"
	"strconv"
	"time"

	"github.com/picoauth/picoauth/app"
	"github.com/picoauth/picoauth/serverauth"
)

const (
	sessionRow   = sessionTag + "row:" // and the sid
	sessionIndex = sessionTag + "by:"  // and a subject or wallet id: its sids
	sessionCut   = sessionTag + "cut:" // and a subject or wallet id: the time as of which EndSubject has ended it
	// cutLife is how long a mark of EndSubject lasts: longer than the hour that it must.
	cutLife = 2 * time.Hour
	// sessionMargin is how long a session that no refresh can continue is kept beyond what revoking its subject needs.
	sessionMargin = time.Minute
	// endBatch is how many sessions EndSubject ends in one step; few subjects have more.
	endBatch = 5000
)

// sessions is a serverauth.SessionStore: a row for each session, which expires, and for each subject and wallet id
// an index of its sessions.
type sessions struct {
	db   database
	now  app.Clock
	keep int64 // milliseconds that a row outlives its session, so that revoking the subject finds it
}

func newSessions(db database, c serverauth.BackendConfig) *sessions {
	keep := c.Settings.AccessTokenTTL() + c.Settings.ClockSkew() + sessionMargin
	return &sessions{db: db, now: c.Clock, keep: keep.Milliseconds()}
}

// Create implements serverauth.SessionStore in one round trip.
func (s *sessions) Create(ctx context.Context, row serverauth.Session) (cutOff int64, err error) {
	owners := []string{row.Subject.ID}
	if id := row.Subject.WalletID; id != "" && id != row.Subject.ID {
		owners = append(owners, id)
	}
	keys := append([]string{sessionRow + row.ID}, ownerKeys(owners)...)
	ttl := max(row.ExpiresAt-row.StartedAt, 0) + s.keep
	value, err := s.db.run(ctx, createSession, keys, row.ID, appendSession(nil, row), row.StartedAt, ttl)
	if err != nil {
		return 0, err
	}
	cutOff, _ = value.(int64)
	return cutOff, nil
}

// Rotate implements serverauth.SessionStore in one round trip.
func (s *sessions) Rotate(ctx context.Context, r serverauth.Rotation) (serverauth.Session, serverauth.RotationOutcome, error) {
	value, err := s.db.run(ctx, rotateSession, []string{sessionRow + r.SessionID}, r.SessionID, sessionIndex,
		strconv.FormatUint(r.Counter, 10), strconv.FormatUint(r.Counter+1, 10), r.Now, r.Now+r.TTL, r.Grace, s.keep)
	if err != nil {
		return serverauth.Session{}, serverauth.SessionAbsent, err
	}
	result, _ := value.([]any)
	if len(result) < 2 {
		return serverauth.Session{}, serverauth.SessionAbsent, nil
	}
	code, _ := result[0].(int64)
	text, _ := result[1].(string)
	row, err := readSession(text)
	return row, serverauth.RotationOutcome(code), err
}

// End implements serverauth.SessionStore.
func (s *sessions) End(ctx context.Context, sid string) (serverauth.Session, bool, error) {
	value, err := s.db.run(ctx, endSession, []string{sessionRow + sid}, sid, sessionIndex)
	if err != nil || value == nil {
		return serverauth.Session{}, false, err
	}
	text, _ := value.(string)
	row, err := readSession(text)
	return row, err == nil, err
}

// EndSubject implements serverauth.SessionStore. It is atomic for up to 5000 sessions; of more it ends as many in a step,
// the first of which holds new ones off.
func (s *sessions) EndSubject(ctx context.Context, ids []string, at int64) ([]serverauth.Session, error) {
	ttl := cutLife.Milliseconds() + max(at-s.now().UnixMilli(), 0)
	var ended []serverauth.Session
	for {
		value, err := s.db.run(ctx, endSubject, ownerKeys(ids), at, ttl, sessionRow, sessionIndex, endBatch)
		if err != nil {
			return nil, err
		}
		rows := texts(value)
		for _, text := range rows {
			row, err := readSession(text)
			if err != nil {
				return nil, err
			}
			ended = append(ended, row)
		}
		if len(rows) < endBatch {
			return ended, nil
		}
	}
}

// Prune implements serverauth.SessionStore: Redis has removed what it could.
func (*sessions) Prune(context.Context, int64, int) (int, error) { return 0, nil }

// ownerKeys returns the marks of the ids and then their indexes.
func ownerKeys(ids []string) []string {
	keys := make([]string, 0, 2*len(ids))
	for _, prefix := range [...]string{sessionCut, sessionIndex} {
		for _, id := range ids {
			keys = append(keys, prefix+id)
		}
	}
	return keys
}

// appendSession appends what readSession and the scripts read.
func appendSession(b []byte, s serverauth.Session) []byte {
	b = fmt.Appendf(b, "%d %d %d %d %d %d ", s.Counter, s.RotatedAt, s.ExpiresAt, s.EndsAt, len(s.Subject.ID), len(s.Subject.WalletID))
	b = append(append(b, s.Subject.ID...), s.Subject.WalletID...)
	b = binary.AppendVarint(b, s.StartedAt)
	for _, text := range [...]string{s.ID, s.Subject.Kind, s.Subject.Algorithm, s.Subject.Account, s.Credential} {
		b = appendText(b, text)
	}
	return b
}

func readSession(row string) (s serverauth.Session, err error) {
	r := rowReader{rest: row}
	s.Counter = r.counter()
	s.RotatedAt, s.ExpiresAt, s.EndsAt = r.decimal(), r.decimal(), r.decimal()
	subject, wallet := r.decimal(), r.decimal()
	s.Subject.ID, s.Subject.WalletID = r.fixed(subject), r.fixed(wallet)
	s.StartedAt = r.number()
	for _, field := range [...]*string{&s.ID, &s.Subject.Kind, &s.Subject.Algorithm, &s.Subject.Account, &s.Credential} {
		*field = r.text()
	}
	return s, r.end()
}
