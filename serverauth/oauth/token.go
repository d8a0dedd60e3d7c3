package oauth

import (
	"cmp"
	"context"
	"errors"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"time"

	"github.com/labstack/echo/v4"

	"github.com/picoauth/picoauth/app"
	"github.com/picoauth/picoauth/serverauth"
	"github.com/picoauth/picoauth/serverauth/claims"
	"github.com/picoauth/picoauth/serverauth/dpop"
	"github.com/picoauth/picoauth/serverauth/internal/events"
	"github.com/picoauth/picoauth/serverauth/oauth/client"
	"github.com/picoauth/picoauth/serverauth/oauth/workload"
	"github.com/picoauth/picoauth/serverauth/session"
	"github.com/picoauth/picoauth/serverauth/store"
	"github.com/picoauth/picoauth/serverauth/token"
)

// tokenReply is a token response (RFC 6749, section 5.1).
type tokenReply struct {
	AccessToken     string `json:"access_token"`
	IssuedTokenType string `json:"issued_token_type,omitempty"` // of token exchange (RFC 8693, section 2.2.1)
	TokenType       string `json:"token_type"`
	ExpiresIn       int64  `json:"expires_in"` // seconds
	RefreshToken    string `json:"refresh_token,omitempty"`
	IDToken         string `json:"id_token,omitempty"`
	Scope           string `json:"scope"`
}

// tokenRequest is a request to /token from an authenticated client.
type tokenRequest struct {
	c      echo.Context
	form   url.Values
	client *client.Client
	proof  dpop.Proof // DPoP proof of the key that the tokens are bound to; may be none
	began  time.Time

	workload *workload.Identity // the workload of an assertion; nil: none
}

// origin returns the origin of a session that the request begins.
func (t *tokenRequest) origin(requestID string) session.Origin {
	from := serverauth.OriginOf(t.c, t.began)
	from.ClientID, from.RequestID, from.KeyThumbprint = t.client.ID, requestID, t.proof.Key()
	return from
}

// grantFlows has the function for each grant_type.
var grantFlows = map[string]func(*Server, *tokenRequest) (*granted, error){
	client.GrantCode:              (*Server).exchangeCode,
	client.GrantRefresh:           (*Server).exchangeRefresh,
	client.GrantClientCredentials: (*Server).clientCredentials,
	client.GrantDevice:            (*Server).exchangeDevice,
	client.GrantJWTBearer:         (*Server).jwtBearer,
	client.GrantExchange:          (*Server).tokenExchange,
}

// access returns the scope and audience of a client's access token. The server's own audience may be among the resources.
func (s *Server) access(of *client.Client, scope string, resources []string) session.Access {
	isForServer := len(resources) == 0 || slices.Contains(resources, s.audience)
	return session.Access{Scope: scope, Resources: resources, WithoutRole: of.DescribesItself() && isForServer}
}

// granted is a token response, with attributes for the log.
type granted struct {
	reply     tokenReply
	subject   string
	sid       string
	requestID string
	actors    []string // who act for the subject, the current one first
}

var errProofMissing = &Error{Code: "invalid_dpop_proof", Description: "the client needs tokens that are bound to a key: the header DPoP is missing"}

// token is POST /token.
func (s *Server) token(c echo.Context) error {
	began := s.now()
	form, err := readForm(c)
	if err != nil {
		return s.tokenError(c, "", err)
	}
	known, asserted, err := s.asker(c, form)
	if err != nil {
		return s.tokenError(c, form.Get("client_id"), err)
	}
	if err := s.clients.Used(c.Request().Context(), known); err != nil {
		return s.tokenError(c, known.ID, err)
	}
	kind := form.Get("grant_type")
	grant, exists := grantFlows[kind]
	switch {
	case kind == "":
		err = errInvalidRequest("grant_type is missing")
	case !exists:
		err = &Error{Code: "unsupported_grant_type", Description: "the grant_type " + shorten(kind) + " is unknown"}
	case asserted != nil: // the rule of its workload allows it, with either grant_type
	case !known.AllowsGrant(kind) && !(kind == client.GrantRefresh && slices.Contains(known.Scopes, scopeOffline)):
		err = errUnauthorizedClient("the client may not use this grant_type")
	}
	if err != nil {
		return s.tokenError(c, known.ID, err)
	}
	ctx, leave, err := s.core.Enter(c.Request().Context())
	if err != nil {
		return s.tokenError(c, known.ID, err)
	}
	defer leave()
	c.SetRequest(c.Request().WithContext(token.WithClient(ctx, app.ClientIP(c))))
	proof, err := s.proofs.Read(c.Request())
	if err == nil && known.DPoPBound && proof.Key() == "" {
		err = errProofMissing
	}
	if err != nil {
		return s.tokenError(c, known.ID, err)
	}
	given, err := grant(s, &tokenRequest{c, form, known, proof, began, asserted})
	if err != nil {
		return s.tokenError(c, known.ID, err)
	}
	attributes := []any{"client_id", known.ID, "grant", kind, "subject", given.subject,
		"sid", given.sid, "scope", given.reply.Scope, "consent", given.requestID, "client", app.ClientIP(c)}
	if asserted != nil {
		attributes = append(attributes, "workload", asserted.Name)
	}
	if len(given.actors) > 0 {
		attributes = append(attributes, "actors", given.actors)
	}
	events.Log(c.Request().Context(), s.log, events.OAuthTokens, attributes...)
	noStore(c)
	return app.WriteJSON(c.Response(), http.StatusOK, given.reply)
}

// tokenError sends an error response and logs it.
func (s *Server) tokenError(c echo.Context, clientID string, err error) error {
	own := s.oauthError(c, err)
	if own.Status < http.StatusInternalServerError && own != errDevicePending {
		events.Log(c.Request().Context(), s.log, events.OAuthRefused, "code", own.Code, "reason", cmp.Or(own.Reason, own.Description),
			"client_id", shorten(clientID), "endpoint", c.Path(), "client", app.ClientIP(c))
	}
	return writeError(c, own)
}

// oauthError returns the OAuth error for a failure.
func (s *Server) oauthError(c echo.Context, err error) *Error {
	if own, ok := isError(err); ok {
		return own
	}
	var problem *app.Problem
	switch {
	case errors.As(err, &problem) && problem.Status == http.StatusBadRequest: // only the DPoP proof causes one
		return &Error{Code: problem.Code, Description: strings.TrimSuffix(problem.Detail+": "+problem.Hint, ": ")}
	case errors.As(err, &problem):
		return &Error{Code: "temporarily_unavailable", Status: problem.Status, Description: problem.Detail, Header: problem.Header}
	case errors.Is(err, claims.ErrSubjectRefused):
		return errInvalidGrant("the subject is refused")
	case errors.Is(err, session.ErrEnded), errors.Is(err, session.ErrReused), errors.Is(err, token.ErrRefreshExpired),
		errors.Is(err, token.ErrRefreshInvalid), errors.Is(err, session.ErrKey):
		return errInvalidGrant(err.Error())
	case errors.Is(err, store.ErrTooManyPending):
		return &Error{Code: "temporarily_unavailable", Status: http.StatusTooManyRequests, Description: "too many requests", Header: retryLater}
	}
	if !errors.Is(err, client.ErrUnreachable) {
		s.failed(c, err)
	}
	return &Error{Code: "temporarily_unavailable", Status: http.StatusServiceUnavailable, Description: "try again in a moment", Header: retryLater}
}

var retryLater = http.Header{"Retry-After": {"1"}}

// failed logs an error of the server itself.
func (s *Server) failed(c echo.Context, err error) {
	if leftOut, ok := s.failures.Allow(time.Now()); ok && c.Request().Context().Err() == nil {
		s.log.ErrorContext(c.Request().Context(), "request failed", "route", c.Path(), "error", err, "left_out", leftOut)
	}
}

// begin starts the session of a code for some of its resources, and returns the token response. settle marks what was presented as
// used, after all checks.
func (s *Server) begin(ctx context.Context, t *tokenRequest, k code, resources []string, settle func() error) (*granted, error) {
	access := s.access(t.client, k.Scope, resources)
	begun, err := s.sessions.StartGranted(ctx, session.Granted{
		ID: k.SID, Subject: k.Subject, From: t.origin(k.RequestID), Since: time.UnixMilli(k.IssuedAt), ProofOf: k.ProofOf,
		Grant:   token.Grant{ClientID: t.client.ID, Scope: k.Scope, Resources: k.Resources, AuthTime: k.AuthTime},
		Access:  access,
		Refresh: t.client.AllowsGrant(client.GrantRefresh) || has(k.Scope, scopeOffline),
		Settle: func() error {
			if err := t.proof.Spend(ctx); err != nil {
				return err
			}
			return settle()
		},
	})
	if err != nil {
		return nil, err
	}
	return s.reply(ctx, begun, access, k.Nonce)
}

// reply returns the token response of a session.
func (s *Server) reply(ctx context.Context, begun session.Begun, access session.Access, nonce string) (*granted, error) {
	reply := tokenReply{
		AccessToken: begun.AccessToken, TokenType: begun.TokenType, ExpiresIn: begun.ExpiresIn, RefreshToken: begun.RefreshToken,
		Scope: access.Scope,
	}
	if has(access.Scope, scopeOpenID) {
		var err error
		if reply.IDToken, err = s.idToken(ctx, begun, access, nonce); err != nil {
			return nil, err
		}
	}
	return &granted{reply: reply, subject: begun.Session.Subject.ID, sid: begun.Session.ID, requestID: begun.Session.RequestID}, nil
}

func joined(all []string) string { return strings.Join(all, " ") }
