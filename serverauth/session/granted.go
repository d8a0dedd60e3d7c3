package session

import (
	"context"
	"errors"
	"strings"
	"time"

	"github.com/picoauth/picoauth/serverauth/claims"
	"github.com/picoauth/picoauth/serverauth/links"
	"github.com/picoauth/picoauth/serverauth/store"
	"github.com/picoauth/picoauth/serverauth/token"
)

// Access is the scope and audience of an OAuth client's access token: those of the grant or less.
type Access struct {
	Scope     string
	Resources []string // `aud`; none: the server's own audience
	// WithoutRole omits the claims that give the user rights: the role, the groups and the app's additional claims. It is for a client
	// that no operator knows, which would get the same rights, such as access to the endpoints of operators.
	WithoutRole bool
}

// Granted is a request for the session of an OAuth client.
type Granted struct {
	ID      string // `sid`
	Subject store.Subject
	From    Origin
	// Since is the time of the user's consent: revocations since then apply to the session.
	Since time.Time
	// ProofOf is the ID of a session whose signature of a contract wallet the new session keeps too. If it is empty, the new session
	// has none, and ends when the signature would have to be verified again.
	ProofOf string
	Grant   token.Grant
	Access  Access
	Refresh bool // with a refresh token
	// Settle is called once, as soon as the claims of the subject or its refusal are known.
	Settle func() error
}

// Begun is the session of an OAuth client with its tokens.
type Begun struct {
	Tokens         // the refresh token may be empty
	IssuedAt int64 // of the access token, Unix seconds
	Session  store.Session
	Claims   claims.Claims
	Grant    token.Grant
}

// StartGranted begins the session of a client. The error is ErrEnded if the subject was revoked, or the owner of its
// wallet changed, since the consent.
func (s *Service) StartGranted(ctx context.Context, g Granted) (Begun, error) {
	proof, checkedAt, err := s.proofOf(ctx, g)
	if err != nil {
		return Begun{}, err
	}
	owner, said, err := s.admitted(ctx, g.Subject, g.Settle)
	if err == nil && owner.Subject != g.Subject { // the owner of its wallet has changed since then
		err = ErrEnded
	}
	if err != nil {
		return Begun{}, err
	}
	row := s.newSession(owner, g.From)
	row.Proof, row.CheckedAt = proof, checkedAt
	row.ID, row.Credential, row.StartedAt = g.ID, s.credential(g.Subject.Kind, g.ID), g.Since.UnixMilli()
	if !g.Refresh {
		row.ExpiresAt = min(row.ExpiresAt, g.From.At.Add(s.c.AccessTTL).UnixMilli())
	}
	cutOff, err := s.c.Store.Create(ctx, row)
	switch {
	case err != nil:
		return Begun{}, err
	case cutOff != 0:
		return Begun{}, ErrEnded
	}
	begun, err := s.answerGranted(ctx, Begun{Session: row, Claims: said, Grant: g.Grant}, g.Access, g.From.At, g.Since)
	if errors.Is(err, ErrEnded) {
		return Begun{}, s.endWith(ctx, row.ID, "revoked", ErrEnded)
	}
	if !g.Refresh {
		begun.RefreshToken = ""
	}
	return begun, err
}

// RefreshGranted rotates the session of a client's refresh token, like Refresh. narrow returns the scope and audience of the access
// token. If it returns an error, for example because the token belongs to another client, nothing is changed.
func (s *Service) RefreshGranted(ctx context.Context, text string, began time.Time, key string, narrow func(token.Grant) (Access, error)) (Begun, error) {
	var access Access
	begun, err := s.rotated(ctx, text, began, key, func(grant token.Grant) (err error) {
		access, err = narrow(grant)
		return err
	})
	if err != nil {
		return Begun{}, err
	}
	return s.answerGranted(context.WithoutCancel(ctx), begun, access, began, began)
}

// answerGranted makes the tokens of a session, whose row, claims and grant are known. since is the time of the user's consent or of
// the refresh.
func (s *Service) answerGranted(ctx context.Context, of Begun, access Access, began, since time.Time) (Begun, error) {
	if started := time.UnixMilli(of.Session.StartedAt); began.Before(started) {
		began = started
	}
	request := accessTokenOf(of.Session.ID, of.Session.Subject, within(of.Claims, access.Scope), began)
	request.Scope, request.Audience = access.Scope, access.Resources
	if access.WithoutRole {
		request.Role, request.Groups, request.Extra = "", nil, nil
	}
	request.ClientID, request.AuthTime = of.Session.ClientID, of.Grant.AuthTime
	return s.issue(ctx, of, request, since)
}

// within returns the claims without the e-mail, name and groups that the scope does not include.
func within(said claims.Claims, scope string) claims.Claims {
	shown := said
	shown.Email, shown.Name, shown.Groups = "", "", nil
	for name := range strings.SplitSeq(scope, " ") {
		switch name {
		case "email":
			shown.Email = said.Email
		case "profile":
			shown.Name = said.Name
		case "groups":
			shown.Groups = said.Groups
		}
	}
	return shown
}

// admitted returns the owner of a subject's wallet and its claims.
func (s *Service) admitted(ctx context.Context, subject store.Subject, settle func() error) (owner links.Owner, said claims.Claims, err error) {
	if err := s.Ready(ctx); err != nil {
		return owner, said, err
	}
	if owner, err = s.owner(ctx, subject, false); err == nil {
		said, err = s.claims(ctx, owner.Subject)
	}
	if settle != nil && (err == nil || errors.Is(err, claims.ErrSubjectRefused)) {
		if refusal := settle(); refusal != nil {
			return owner, said, refusal
		}
	}
	return owner, said, err
}

// Admit returns the subject to which an authenticated subject's wallet belongs. The error is ErrSubjectRefused of package claims if
// it is refused. It calls settle, which may be nil, as Start does.
func (s *Service) Admit(ctx context.Context, subject store.Subject, settle func() error) (store.Subject, error) {
	owner, _, err := s.admitted(ctx, subject, settle)
	return owner.Subject, err
}
