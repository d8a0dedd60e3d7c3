package serverauth

import "context"

// Session is what stands behind a refresh token: one row a session, not one a token. Times are Unix milliseconds.
type Session struct {
	ID      string // `sid`, 22 characters
	Subject Subject
	// Counter counts the rotations; a refresh token carries the counter it was made at.
	Counter uint64
	// StartedAt is when the sign-in began, RotatedAt when the current refresh token was made, ExpiresAt when it
	// expires, and EndsAt when the session ends whatever happens.
	StartedAt, RotatedAt, ExpiresAt, EndsAt int64
	// Credential is a fingerprint of the admin credentials at login: changed ones end the session. Empty for wallets.
	Credential string
}

// Rotation asks for the next refresh token of a session. Times are Unix milliseconds.
type Rotation struct {
	SessionID string
	Counter   uint64 // of the token that was presented
	Now       int64
	TTL       int64 // the new token expires at Now+TTL, or at the session's end if that is earlier
	Grace     int64 // how long after a rotation the previous counter still gets the current token
}

// RotationOutcome says what a rotation found.
type RotationOutcome int

const (
	// SessionAbsent: there is no such session, or it has expired. Nothing was changed.
	SessionAbsent RotationOutcome = iota
	// SessionRotated: the counter was the current one; it was raised by one.
	SessionRotated
	// SessionUnchanged: the counter was the previous one, within the grace. Nothing was changed.
	SessionUnchanged
	// SessionReused: the counter was any other. The session was ended.
	SessionReused
)

// SessionStore keeps sessions. Each method is atomic against every other, across all processes that share the
// store, and what a method that returned nil has written survives a crash of the process (of a store that survives
// it). An absent session is no error, and is never made anew.
type SessionStore interface {
	// Create adds a session, unless EndSubject has ended its subject or wallet id as of a time that is not before
	// the session's StartedAt: then it adds nothing and returns that time, the cut-off. Otherwise the cut-off is 0.
	Create(ctx context.Context, s Session) (cutOff int64, err error)
	// Rotate compares the counter and swaps it, and returns the session as it is afterwards (for SessionReused: as
	// it was).
	Rotate(ctx context.Context, r Rotation) (Session, RotationOutcome, error)
	// End removes a session and returns it. Of several callers exactly one gets true.
	End(ctx context.Context, sid string) (Session, bool, error)
	// EndSubject removes all sessions whose subject or wallet id is among ids, returns them, and from then on has
	// Create refuse sessions of theirs that started at or before the given time (Unix milliseconds), which may lie a
	// little ahead.
	EndSubject(ctx context.Context, ids []string, at int64) ([]Session, error)
	// Prune removes up to limit sessions that expired before the given time, and forgets marks of EndSubject that
	// are older than an hour before it. It returns how many sessions it removed.
	Prune(ctx context.Context, before int64, limit int) (removed int, err error)
}

// Rotate is the compare-and-swap that every SessionStore does atomically, as a plain function of the row that it
// found: the row as it must be afterwards, and the outcome. SessionReused says that the row must be removed.
func (r Rotation) Rotate(row Session) (Session, RotationOutcome) {
	switch {
	case r.Now >= row.ExpiresAt || r.Now >= row.EndsAt:
		return row, SessionAbsent
	case r.Counter == row.Counter:
		row.Counter++
		row.RotatedAt = r.Now
		row.ExpiresAt = min(r.Now+r.TTL, row.EndsAt)
		return row, SessionRotated
	case r.Counter+1 == row.Counter && r.Now-row.RotatedAt <= r.Grace:
		return row, SessionUnchanged
	default:
		return row, SessionReused
	}
}
