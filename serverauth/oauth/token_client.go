package oauth

import (
	"context"
	"slices"

	"github.com/picoauth/picoauth/serverauth/token"
)

// kindClient is the kind, in the mint audit, of a token that a client got for itself.
const kindClient = "client"

// clientCredentials is the grant client_credentials (RFC 6749, section 4.4): a token for the client itself, without a
// session.
func (s *Server) clientCredentials(t *tokenRequest) (*granted, error) {
	asked, err := s.askedAlone(t)
	if err != nil {
		return nil, err
	}
	asked.Subject, asked.Kind = t.client.ID, kindClient
	return s.issueAlone(t, asked, nil)
}

// askedAlone reads scope and resources of a request for a token that is not about a person.
func (s *Server) askedAlone(t *tokenRequest) (asked token.Request, err error) {
	asked.Audience, err = s.catalogue.targets(t.form, t.client)
	if err != nil {
		return asked, err
	}
	scope, err := s.catalogue.scope(t.form.Get("scope"), t.client, asked.Audience)
	if err != nil {
		return asked, err
	}
	if t.form.Get("scope") == "" {
		scope = slices.DeleteFunc(scope, isOpenID)
	}
	if slices.ContainsFunc(scope, isOpenID) {
		return asked, errInvalidScope("the OpenID scopes are about a person, but this token is for the client itself")
	}
	asked.Scope = joined(scope)
	return asked, nil
}

// issueAlone issues the access token of a client that acts for nobody, without a session. settle marks what was presented for it as
// used, after all checks; it may be nil.
func (s *Server) issueAlone(t *tokenRequest, asked token.Request, settle func(context.Context) error) (*granted, error) {
	ctx := t.c.Request().Context()
	asked.Role, asked.ClientID, asked.IssuedAt, asked.KeyThumbprint = t.client.Role, t.client.ID, t.began, t.proof.Key()
	if err := s.tokens.Able(asked); err != nil {
		return nil, err
	}
	if err := t.proof.Spend(ctx); err != nil {
		return nil, err
	}
	if settle != nil {
		if err := settle(ctx); err != nil {
			return nil, err
		}
	}
	access, mint, err := s.tokens.Issue(ctx, asked)
	if err != nil {
		return nil, err
	}
	return &granted{subject: asked.Subject, requestID: mint.RequestID, reply: tokenReply{
		AccessToken: access, TokenType: token.TypeOf(t.proof.Key()), ExpiresIn: mint.ExpiresAt - mint.IssuedAt, Scope: asked.Scope,
	}}, nil
}

func isOpenID(scope string) bool {
	_, is := openIDScopes[scope]
	return is
}
