package session

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/picoauth/picoauth/clientauth"
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
		return Begun{}, fmt.Errorf("session store: %w", err)
	case cutOff != 0:
		return Begun{}, ErrEnded
	}
	begun, err := s.answerGranted(ctx, row, said, g.Grant, g.Access, g.From.At, g.Since.Unix())
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
	presented, err := s.Read(text, began)
	if err != nil {
		return Begun{}, err
	}
	if presented.ClientID == "" {
		return Begun{}, token.ErrRefreshInvalid
	}
	if !fits(presented.KeyThumbprint, key) {
		return Begun{}, ErrKey
	}
	access, err := narrow(presented.Grant)
	if err != nil {
		return Begun{}, err
	}
	checkedAt, err := s.recheck(ctx, presented, began.UnixMilli())
	if err != nil {
		return Begun{}, err
	}
	said, err := s.grant(ctx, presented, began)
	if err != nil {
		return Begun{}, err
	}
	ctx = context.WithoutCancel(ctx) // finish even if the client disconnects
	row, err := s.rotate(ctx, presented, checkedAt, began, key)
	if err != nil {
		return Begun{}, err
	}
	return s.answerGranted(ctx, row, said, presented.Grant, access, began, began.Unix())
}

// answerGranted makes the tokens, and checks again whether they were revoked in the meantime.
func (s *Service) answerGranted(
	ctx context.Context, row store.Session, said claims.Claims, grant token.Grant, access Access, began time.Time, since int64,
) (Begun, error) {
	if started := time.UnixMilli(row.StartedAt); began.Before(started) {
		began = started
	}
	refresh, err := s.refresh.Encode(row, grant)
	if err != nil {
		return Begun{}, err
	}
	request := accessTokenOf(row.ID, row.Subject, within(said, access.Scope), began)
	request.Scope, request.Audience = access.Scope, access.Resources
	request.KeyThumbprint = row.KeyThumbprint
	if access.WithoutRole {
		request.Role, request.Groups, request.Extra = "", nil, nil
	}
	request.ClientID, request.RequestID, request.AuthTime = row.ClientID, row.RequestID, grant.AuthTime
	text, mint, err := s.c.Tokens.Issue(ctx, request)
	if err != nil {
		return Begun{}, err
	}
	denied, err := s.c.Denylist.Listed(ctx, clientauth.TokenRef{
		SessionID: row.ID, Subject: row.Subject.ID, WalletID: row.Subject.WalletID, IssuedAt: since,
	})
	if err != nil {
		return Begun{}, err
	}
	if denied {
		return Begun{}, ErrEnded
	}
	tokens := Tokens{AccessToken: text, RefreshToken: refresh, TokenType: token.TypeOf(row.KeyThumbprint), ExpiresIn: mint.ExpiresAt - mint.IssuedAt}
	return Begun{Tokens: tokens, IssuedAt: mint.IssuedAt, Session: row, Claims: said, Grant: grant}, nil
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
