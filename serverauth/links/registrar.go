package links

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/picoauth/picoauth/app"
	"github.com/picoauth/picoauth/serverauth/revocation"
	"github.com/picoauth/picoauth/serverauth/store"
)

// Registrar adds wallets to subjects and removes them. Each change is atomic: of concurrent changes that contradict each other one
// is made.
type Registrar struct {
	c RegistrarConfig
}

// RegistrarConfig configures a [Registrar].
type RegistrarConfig struct {
	Book     *Book
	Sessions store.SessionStore // one that authenticates its rows; its errors name it
	Revoker  Revoker
	Skew     time.Duration // by which clocks may differ
	Clock    app.Clock     // nil: time.Now
}

// Revoker ends a session of a sign-in and revokes its access tokens.
type Revoker interface {
	OwnSession(ctx context.Context, sid string, cause revocation.Cause) error
}

// NewRegistrar returns a registrar.
func NewRegistrar(c RegistrarConfig) *Registrar {
	c.Clock = app.ClockOr(c.Clock)
	return &Registrar{c}
}

// Member is the wallet and session of a user who asks for a change.
type Member struct {
	Subject string
	Wallet  store.Subject // as a subject of its own, see Alone
	Since   int64         // when it signed in, in Unix milliseconds
}

// MemberOf returns the member of a session.
func MemberOf(row store.Session) Member {
	return Member{Subject: row.Subject.ID, Wallet: Alone(row.Subject), Since: row.StartedAt}
}

const (
	// maxWallets is the maximum number of wallets of a subject, including removed ones.
	maxWallets = 100
	// maxTries is how often a change is tried if there are concurrent changes.
	maxTries = 100
)

// Errors of a Registrar.
var (
	// ErrTaken means that the wallet belongs to another subject.
	ErrTaken = errors.New("links: the wallet belongs to another subject")
	// ErrSubjectExists means that the wallet is a subject of its own, and the proof does not allow a merge or that subject has further
	// wallets.
	ErrSubjectExists = errors.New("links: the wallet is a subject of its own")
	// ErrLast means that the wallet is the last one: a subject without a wallet could not sign in any more.
	ErrLast = errors.New("links: the last wallet of a subject cannot be removed")
	// ErrNotFound means that the subject has no such wallet.
	ErrNotFound = errors.New("links: the subject has no such wallet")
	// ErrAmbiguous means that several wallets of the subject have the name.
	ErrAmbiguous = errors.New("links: several wallets of the subject have this name")
	// ErrTooMany means that the subject has the maximum number of wallets.
	ErrTooMany = errors.New("links: the subject has too many wallets")
)

// Wallets returns the wallets of a subject, the oldest first. A wallet without a link is returned as one that was added at its
// sign-in.
func (r *Registrar) Wallets(ctx context.Context, by Member) ([]store.Link, error) {
	s, err := r.read(ctx, by)
	return s.active, err
}

// subject is a subject with its wallets, as read for one of them.
type subject struct {
	name   string
	guard  store.Link // the row of the wallet after which the subject is named; every change of its wallets replaces it
	state  state      // of that wallet
	all    []store.Link
	active []store.Link
}

// read reads the subject of a member. It returns ErrLeft if the member's wallet does not belong to it. The guard is read first: if
// the guard can be replaced later, the rows have not changed since.
func (r *Registrar) read(ctx context.Context, by Member) (s subject, err error) {
	s.name = by.Subject
	if s.guard, s.state, err = r.c.Book.find(ctx, s.name); err != nil {
		return s, err
	}
	if s.all, err = r.c.Book.members(ctx, s.name); err != nil {
		return s, err
	}
	s.active = active(s.all)
	if s.state == unknown && len(s.all) == 0 && by.Wallet.ID == s.name {
		s.active = []store.Link{{Wallet: by.Wallet, Subject: s.name, LinkedAt: by.Since}}
		return s, nil
	}
	if _, found := member(s, by.Wallet.ID); !found {
		return s, ErrLeft
	}
	return s, nil
}

// guarded returns the change of the guard that belongs to every change of another wallet of the subject. The first one adds the row
// of the wallet after which the subject is named. If the row of that wallet is not authentic, the wallet counts as removed.
func (r *Registrar) guarded(s subject) store.LinkChange {
	row := s.guard
	switch {
	case s.state == unknown:
		row = s.active[0]
	case row.Wallet.ID == "":
		row.Wallet, row.Subject, row.LeftAt = store.Subject{ID: s.name, Kind: store.KindWallet}, s.name, r.c.Clock().UnixMilli()
	}
	return r.replace(s.guard, row)
}

// replace returns the change from one row to another.
func (r *Registrar) replace(was, row store.Link) store.LinkChange {
	return store.LinkChange{Row: r.c.Book.seal(row), Was: was.Version}
}

// change replaces the row of a wallet of the subject. It reports false, and changes nothing, if a concurrent change came first.
func (r *Registrar) change(ctx context.Context, s subject, was, row store.Link) (bool, error) {
	changes := []store.LinkChange{r.replace(was, row)}
	if row.Wallet.ID != s.name {
		changes = append(changes, r.guarded(s))
	}
	done, err := r.c.Book.of.Change(ctx, changes)
	if err != nil {
		return false, fmt.Errorf("link store: %w", err)
	}
	r.c.Book.some.Store(true)
	return done, nil
}

var errContended = errors.New("links: the subject was changed again during each attempt")

// sessionPage is the number of sessions that are read at once.
const sessionPage = 200

// endSessions ends the sessions that a wallet began for a subject. Sign-ins in processes that do not know of the change yet are
// refused.
func (r *Registrar) endSessions(ctx context.Context, row store.Link, cause revocation.Cause) (ended int, err error) {
	ctx = context.WithoutCancel(ctx) // the change was made: finish even if the client disconnects
	until := r.c.Clock().Add(r.c.Skew + noneFor + time.Second)
	marks := []string{markOf(row.Wallet.ID, 0), markOf(row.Wallet.ID, row.LinkedAt)}
	if _, err := r.c.Sessions.EndSubject(ctx, marks, until.UnixMilli()); err != nil {
		return 0, err
	}
	query := store.SessionQuery{Subject: row.Subject, Limit: sessionPage}
	for {
		page, err := r.c.Sessions.List(ctx, query)
		if err != nil {
			return ended, err
		}
		for _, session := range page {
			if !began(session, row) {
				continue
			}
			if err := r.c.Revoker.OwnSession(ctx, session.ID, cause); err != nil {
				return ended, err
			}
			ended++
		}
		if len(page) < sessionPage {
			return ended, nil
		}
		last := page[len(page)-1]
		query.BeforeStart, query.BeforeID = last.StartedAt, last.ID
	}
}

// began reports whether the wallet of a row began a session of the row's subject.
func began(session store.Session, row store.Link) bool {
	u := session.Subject
	return u.Kind == store.KindWallet && u.ID == row.Subject && Alone(u).ID == row.Wallet.ID
}
