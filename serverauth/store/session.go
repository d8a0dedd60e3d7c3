package store

import (
	"cmp"
	"context"
)

// Session is the stored state of a session: one row for each session, not for each refresh token. Times are Unix milliseconds.
type Session struct {
	ID      string // `sid`, 22 characters
	Subject Subject
	// Counter counts the rotations. A refresh token contains the counter at which it was made.
	Counter uint64
	// StartedAt is the time of the sign-in, RotatedAt that of the current refresh token (by the store's own clock if it has
	// one), ExpiresAt its expiry, and EndsAt the end of the session in any case.
	StartedAt, RotatedAt, ExpiresAt, EndsAt int64
	// Credential is a keyed hash of the administrator's credentials at login and the ID: a change of the credentials ends the
	// session. Empty for wallets.
	Credential string
	// ClientID is the OAuth client of the session, RequestID the id of its authorization request; both are empty without OAuth.
	ClientID, RequestID string
	// Client is the IP address of the sign-in, UserAgent its header User-Agent: at most 256 bytes of printable text.
	Client, UserAgent string
	// KeyThumbprint is that of the key to which the session is bound (RFC 9449, `jkt`), 43 characters; empty: none.
	KeyThumbprint string
	// Proof is the message and signature of a contract wallet, which are verified again later. CheckedAt is the time of the
	// last check.
	Proof     WalletProof
	CheckedAt int64
	// Mark is a further id that Create compares with those that EndSubject has ended. It is not stored, and EndSubject ends no
	// session by it.
	Mark string
	// MAC authenticates all fields except Counter, RotatedAt, ExpiresAt and CheckedAt. A store stores it and does not verify it.
	MAC [32]byte
}

// WalletProof is a message and the bytes of its signature, each of up to 16 KiB.
type WalletProof struct{ Message, Signature string }

// Rotation is the request for the next refresh token of a session. Times are Unix milliseconds.
type Rotation struct {
	SessionID string
	Counter   uint64 // of the token that was presented
	Now       int64  // by the caller's clock; expiry is compared with it
	// StoreNow is the time of the store's own clock, if it has one that all callers share; the grace uses it. 0: the grace uses Now.
	StoreNow int64
	TTL      int64 // the new token expires at Now+TTL, or at the session's end if that is earlier
	Grace    int64 // how long after a rotation the previous counter still gets the current token
	// CheckedAt is the time at which the chain of a contract wallet was asked for this rotation; 0: it was not asked.
	CheckedAt int64
	// KeyThumbprint and MAC replace those of the session when it is rotated, unless KeyThumbprint is empty.
	KeyThumbprint string
	MAC           [32]byte
}

// RotationOutcome is the result of a rotation.
type RotationOutcome int

const (
	// SessionAbsent means that there is no such session, or that it has expired. Nothing was changed.
	SessionAbsent RotationOutcome = iota
	// SessionRotated means that the counter was the current one. It was increased by one.
	SessionRotated
	// SessionUnchanged means that the counter was the previous one, within the grace. Nothing was changed.
	SessionUnchanged
	// SessionReused means that the counter was an older one, or the previous one after the grace. The session was ended.
	SessionReused
	// SessionAhead means that the counter was above the current one. Because the token is authentic, the store has lost
	// commits, as in a failover. The counter of the row is now that of the token, increased by one.
	SessionAhead
)

// SessionStore stores sessions. Each method must be atomic, also between processes that share the store. If a method returns
// nil, its changes survive a crash of the process (in a persistent store). A missing session is no error, and is never
// recreated.
type SessionStore interface {
	// Create adds a session, unless EndSubject has ended its subject, wallet id or mark with a time that is not before the session's
	// StartedAt: then it adds nothing and returns that time, the cut-off. Otherwise the cut-off is 0.
	Create(ctx context.Context, s Session) (cutOff int64, err error)
	// Rotate compares and swaps the counter, and returns the session after the change (for SessionReused: before it).
	Rotate(ctx context.Context, r Rotation) (Session, RotationOutcome, error)
	// Find returns a session, also one that has expired and was not pruned yet. It changes nothing.
	Find(ctx context.Context, sid string) (Session, bool, error)
	// End removes a session and returns it. Of several callers exactly one gets true.
	End(ctx context.Context, sid string) (Session, bool, error)
	// EndSubject removes all sessions whose subject or wallet id is in ids, and returns them. From then on Create refuses
	// sessions of these ids that started at or before the given time (Unix milliseconds), which may be slightly in the future.
	EndSubject(ctx context.Context, ids []string, at int64) ([]Session, error)
	// Prune removes up to limit sessions that expired before the given time, and cut-offs of EndSubject that are more than an hour
	// older than that. It returns the number of removed sessions.
	Prune(ctx context.Context, before int64, limit int) (removed int, err error)
	// List returns live sessions, newest first: by StartedAt and then by ID, both descending (IDs byte by byte). It changes
	// nothing. The result need not be a consistent snapshot: sessions that begin or end in the meantime may be included or not,
	// all others are included once.
	List(ctx context.Context, q SessionQuery) ([]Session, error)
}

// SessionQuery selects the sessions that List returns.
type SessionQuery struct {
	ID      string // only this one; empty: any
	Subject string // only those of this subject or wallet id; empty: of anybody
	Now     int64  // only those whose ExpiresAt and EndsAt are after it (Unix milliseconds)
	// BeforeStart and BeforeID are StartedAt and ID of the last session of the previous page; BeforeID is empty for the first page.
	BeforeStart int64
	BeforeID    string
	Limit       int // how many at most, 1 or more
}

// Lists reports whether a session matches the query, except for the limit.
func (q SessionQuery) Lists(row Session) bool {
	return (q.ID == "" || row.ID == q.ID) && (q.Subject == "" || row.Subject.Among([]string{q.Subject})) &&
		row.ExpiresAt > q.Now && row.EndsAt > q.Now &&
		(q.BeforeID == "" || CompareSessions(Session{StartedAt: q.BeforeStart, ID: q.BeforeID}, row) < 0)
}

// CompareSessions compares sessions in the order of List.
func CompareSessions(a, b Session) int {
	return cmp.Or(cmp.Compare(b.StartedAt, a.StartedAt), cmp.Compare(b.ID, a.ID))
}

// Rotate is the compare-and-swap that every SessionStore has to do atomically, as a function of the stored row. It returns the
// row after the change, and the outcome. For SessionReused the store has to remove the row.
func (r Rotation) Rotate(row Session) (Session, RotationOutcome) {
	at := cmp.Or(r.StoreNow, r.Now)
	switch {
	case r.Now >= row.ExpiresAt || r.Now >= row.EndsAt:
		return row, SessionAbsent
	case r.Counter >= row.Counter:
		outcome := SessionRotated
		if r.Counter > row.Counter {
			outcome = SessionAhead
		}
		row.Counter = r.Counter + 1
		row.RotatedAt = at
		row.ExpiresAt = min(r.Now+r.TTL, row.EndsAt)
		row.CheckedAt = cmp.Or(r.CheckedAt, row.CheckedAt)
		if r.KeyThumbprint != "" {
			row.KeyThumbprint, row.MAC = r.KeyThumbprint, r.MAC
		}
		return row, outcome
	case r.Counter+1 == row.Counter && at-row.RotatedAt <= r.Grace:
		return row, SessionUnchanged
	default:
		return row, SessionReused
	}
}
