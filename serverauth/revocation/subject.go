package revocation

import (
	"cmp"
	"context"
	"errors"
	"slices"
	"time"

	"github.com/picoauth/picoauth/clientauth"
	"github.com/picoauth/picoauth/serverauth/audit"
	"github.com/picoauth/picoauth/serverauth/internal/subject"
	"github.com/picoauth/picoauth/serverauth/store"
	"github.com/picoauth/picoauth/serverauth/token"
)

// errNoSubject is returned for a subject without a name.
var errNoSubject = errors.New("revocation: the subject is empty")

const maxSubjectTries = 5

// Subject ends everything of a subject until now: its sessions, and all tokens of the subject, or of another subject with the same
// key, that were issued until the end of the current second. sub may have any form that a sign-in accepts. Subject returns when
// that second is over. A concurrent sign-in of the subject waits slightly longer (SignInDelay) and starts again. So everything that
// was issued before Subject returns is revoked, and everything that begins later is valid.
//
// The clock of another process may be ahead, so its tokens may be issued later than the current second. Therefore each session is
// also added by its sid, and sessions that such a process began in the meantime are ended when the second is over.
func (r *Revoker) Subject(ctx context.Context, sub string, cause Cause) (Ended, error) {
	ids := subject.IDs(r.c.AdminEmail, sub)
	if len(ids) == 0 {
		return Ended{}, errNoSubject
	}
	_ = r.CatchUp(ctx)
	revocation := subjectRevocation{revoker: r, cause: cause, ids: ids}
	missing := revocation.readLinks(ctx)
	revocation.readAudit(ctx)
	for range maxSubjectTries {
		over := time.Unix(r.c.Clock().Unix()+1, 0)
		if err := revocation.endSessions(ctx, over.Add(SignInDelay)); err != nil {
			return Ended{}, err
		}
		if !r.c.Clock().Before(over) {
			continue // too slow: a session may have begun in the next second, before EndSubject
		}
		if err := revocation.add(ctx, revocation.ids, over.Unix()-1); err != nil {
			return Ended{}, err
		}
		if r.c.Clock().Before(over.Add(SignInDelay / 2)) {
			if err := r.wait(ctx, over.Sub(r.c.Clock())); err != nil {
				return Ended{}, err
			}
			ended, err := revocation.finish(ctx, over)
			return ended, cmp.Or(err, missing)
		}
	}
	return Ended{}, errors.New("revocation: the stores are too slow to revoke a subject")
}

// subjectRevocation is the state of one call of Subject. It reads the mint audit before the steps that must be done within a
// second, because an audit that is unavailable makes its readers wait.
type subjectRevocation struct {
	revoker  *Revoker
	cause    Cause
	ids      []string // the subject, and further identifiers of its tokens
	sessions []store.Session
	tokens   []audit.Mint // that are live
	longest  int64        // upper bound of the expiry of all tokens
	failed   error        // the error of the mint audit if it cannot be read
	ended    Ended
}

// readLinks reads further identifiers of the subject's tokens.
func (s *subjectRevocation) readLinks(ctx context.Context) error {
	if s.revoker.c.Related == nil {
		return nil
	}
	related, err := s.revoker.c.Related(ctx, s.ids[0])
	for _, id := range related {
		s.know(id)
	}
	return err
}

// readAudit reads the live tokens of all ids, including ids that it finds in these tokens, and the latest expiry.
func (s *subjectRevocation) readAudit(ctx context.Context) {
	if s.tokens, s.failed = s.liveTokens(ctx); s.failed != nil {
		s.longest = s.revoker.after(token.Longest)
		return
	}
	s.longest = s.revoker.longest(ctx)
}

func (s *subjectRevocation) liveTokens(ctx context.Context) (tokens []audit.Mint, err error) {
	seen := make(map[string]bool)
	for i := 0; i < len(s.ids); i++ {
		found, err := s.revoker.c.Mints.Live(ctx, "", "", s.ids[i])
		if err != nil {
			return nil, err
		}
		for _, mint := range found {
			if !seen[mint.ID] {
				seen[mint.ID] = true
				tokens = append(tokens, mint)
				s.know(mint.WalletID)
				s.know(mint.Subject)
			}
		}
	}
	return tokens, nil
}

func (s *subjectRevocation) know(id string) {
	if id != "" && !slices.Contains(s.ids, id) {
		s.ids = append(s.ids, id)
	}
}

// endSessions ends the sessions of the subject and of other subjects with the same key.
func (s *subjectRevocation) endSessions(ctx context.Context, cutOff time.Time) error {
	for done := 0; done < len(s.ids); {
		done = len(s.ids)
		ended, err := s.revoker.c.Sessions.EndSubject(ctx, s.ids, cutOff.UnixMilli())
		if err != nil {
			return err
		}
		s.sessions = append(s.sessions, ended...)
		for _, session := range ended {
			s.know(session.Subject.WalletID)
			s.know(session.Subject.ID)
		}
	}
	return nil
}

// add adds an item for each id, for tokens that were issued until revokedAt, and one for each session and live token to the
// denylist. It counts the sessions and tokens that they end.
func (s *subjectRevocation) add(ctx context.Context, ids []string, revokedAt int64) error {
	r := s.revoker
	items := make([]store.Revocation, 0, len(ids)+len(s.sessions)+len(s.tokens))
	item := r.item(s.cause, s.longest)
	item.RevokedAt = revokedAt
	for _, id := range ids {
		item.Sub = id
		items = append(items, item)
	}
	sessions, tokens := 0, r.live(s.tokens)
	item = r.item(s.cause, r.sessionExpiry(s.tokens, s.failed))
	for _, session := range s.sessions {
		item.SID = session.ID
		items = append(items, item)
		if r.continues(session) && !r.Lists(clientauth.TokenRef{SessionID: session.ID}) {
			sessions++
		}
	}
	added, err := r.add(ctx, Ended{}, append(items, r.tokenItems(s.cause, s.tokens)...))
	if err != nil {
		return err
	}
	if len(ids) > 0 {
		s.ended.Item = added.Item
	}
	s.ended.Sessions += sessions
	s.ended.Tokens += tokens
	return nil
}

// finish ends sessions that a process with a clock ahead of this one has begun since the sessions were ended, adds tokens that the
// audit did not contain yet when it was read, and returns the result of all steps.
func (s *subjectRevocation) finish(ctx context.Context, over time.Time) (Ended, error) {
	known := len(s.ids)
	s.sessions = nil
	if err := s.endSessions(ctx, over.Add(SignInDelay)); err != nil {
		return Ended{}, err
	}
	s.tokens = nil
	if s.failed == nil {
		s.tokens, s.failed = s.liveTokens(ctx)
	}
	now := s.revoker.c.Clock().Unix()
	s.tokens = slices.DeleteFunc(s.tokens, func(mint audit.Mint) bool {
		begunLater := over.Unix() <= mint.IssuedAt && mint.IssuedAt <= now && !s.endedSession(mint.SessionID)
		return begunLater || s.revoker.Lists(clientauth.TokenRef{ID: mint.ID})
	})
	var err error
	switch {
	case len(s.ids) > known:
		err = s.add(ctx, s.ids, over.Unix()-1)
	case len(s.sessions)+len(s.tokens) > 0:
		err = s.add(ctx, nil, 0)
	}
	return s.ended, cmp.Or(err, s.failed)
}

func (s *subjectRevocation) endedSession(sid string) bool {
	return slices.ContainsFunc(s.sessions, func(session store.Session) bool { return session.ID == sid })
}
