package oauth

import (
	"context"
	"errors"
	"net/http"
	"net/url"
	"strconv"
	"time"

	"github.com/labstack/echo/v4"

	"github.com/picoauth/picoauth/clientauth"
	"github.com/picoauth/picoauth/clientauth/verify"
	"github.com/picoauth/picoauth/serverauth/oauth/client"
	"github.com/picoauth/picoauth/serverauth/token"
)

const (
	// typeAccessToken is the type of the exchanged and of the issued tokens (RFC 8693, section 3).
	typeAccessToken = "urn:ietf:params:oauth:token-type:access_token" //nolint:gosec // it is a name
	// typeJWT is the type of a workload's assertion, which acts for nobody.
	typeJWT = "urn:ietf:params:oauth:token-type:jwt"
	// kindExchange is the kind, in the mint audit, of a token with which an agent acts for a person.
	kindExchange = "exchange"
)

// parties are the two tokens of an exchange.
type parties struct {
	person, agent *clientauth.SecurityContext
}

// tokenExchange is the grant urn:ietf:params:oauth:grant-type:token-exchange (RFC 8693): an agent gets a token with which it acts
// for a person. The token allows no more than each of them may. It is revoked with the person's session, with the person, and with
// every agent of the chain.
func (s *Server) tokenExchange(t *tokenRequest) (*granted, error) {
	if kind := t.form.Get("requested_token_type"); kind != "" && kind != typeAccessToken {
		return nil, errInvalidRequest("requested_token_type must be " + typeAccessToken)
	}
	if t.workload != nil { // an assertion gets the same as by the grant of RFC 7523
		given, err := s.jwtBearer(t)
		if err == nil {
			given.reply.IssuedTokenType = typeAccessToken
		}
		return given, err
	}
	ctx := t.c.Request().Context()
	between, err := s.parties(t)
	if err != nil {
		return nil, err
	}
	scope, audience, err := s.delegated(t, between)
	if err != nil {
		return nil, err
	}
	request, err := s.acting(t, between, scope, audience)
	if err != nil {
		return nil, err
	}
	if err := t.proof.Spend(ctx); err != nil {
		return nil, err
	}
	text, mint, err := s.tokens.Issue(ctx, request)
	if err != nil {
		return nil, err
	}
	if _, err := s.parties(t); err != nil { // revoked in the meantime?
		return nil, err
	}
	if s.revoker.Lists(mint.Ref()) {
		return nil, s.revokedLately()
	}
	return &granted{
		subject: mint.Subject, sid: mint.SessionID, requestID: mint.RequestID, actors: request.Actor.Subjects(),
		reply: tokenReply{
			AccessToken: text, IssuedTokenType: typeAccessToken, TokenType: token.TypeOf(request.KeyThumbprint),
			ExpiresIn: mint.ExpiresAt - t.began.Unix(), Scope: mint.Scope,
		},
	}, nil
}

// errNotExchanged is the error for a token that is invalid, or unsuitable for this exchange (RFC 8693, section 2.2.2).
func errNotExchanged(parameter, reason string) *Error {
	return errInvalidRequest(parameter + " is refused: " + reason)
}

// revokedLately is the error if the person or an agent was revoked a moment ago and has a new token since, but the other token is
// older: the revocation would apply to the new token too. See acting.
func (s *Server) revokedLately() *Error {
	wait := strconv.Itoa(int((s.auth.ClockSkew() + revocationReach) / time.Second))
	return &Error{
		Code: "temporarily_unavailable", Status: http.StatusServiceUnavailable, Header: http.Header{"Retry-After": {wait}},
		Description: "the person or an agent was revoked a moment ago: try again later, or with two newer tokens",
	}
}

// parties validates the two tokens, after the denylist has read the revocations of all processes.
func (s *Server) parties(t *tokenRequest) (p parties, err error) {
	if err := s.revoker.CatchUp(t.c.Request().Context()); err != nil {
		return p, err
	}
	if p.agent, err = s.actorOf(t); err != nil {
		return p, err
	}
	if p.person, err = s.subjectOf(t); err != nil {
		return p, err
	}
	if p.person.Subject == p.agent.Subject {
		return p, errNotExchanged("actor_token", "it belongs to the subject itself")
	}
	return p, nil
}

// subjectOf returns the person of subject_token.
func (s *Server) subjectOf(t *tokenRequest) (*clientauth.SecurityContext, error) {
	person, err := s.presented(t, "subject_token")
	switch {
	case err != nil:
		return nil, err
	case person.SessionID == "" || person.Claims["agent_id"] != nil:
		return nil, errNotExchanged("subject_token", "it does not belong to the session of a person")
	case len(person.Actor.Subjects()) >= verify.MaxActors:
		return nil, errNotExchanged("subject_token", "its chain of agents already has the maximum length")
	default:
		return person, nil
	}
}

// actorOf returns the agent of actor_token. The token must belong to the client: one that was issued to this client, for itself or
// for a person, or one of a plain sign-in with a DPoP proof of its key. Otherwise a client could use the token of anybody who calls
// it, and act as another agent.
func (s *Server) actorOf(t *tokenRequest) (*clientauth.SecurityContext, error) {
	agent, err := s.presented(t, "actor_token")
	if err != nil {
		return nil, err
	}
	isFleet := agent.Claims["agent_id"] != nil
	switch {
	case agent.Actor != nil:
		return nil, errNotExchanged("actor_token", "its agent already acts for another subject")
	case isFleet != (t.client.Source == client.Fleet):
		return nil, errNotExchanged("actor_token", "the token of a fleet agent is accepted only without credentials of another client")
	case isFleet, agent.ClientID == t.client.ID, agent.ClientID == s.auth.ClientIDOrAudience() && keyOf(agent) != "":
		return agent, nil
	default:
		return nil, errNotExchanged("actor_token", "it is neither a token of this client nor a token of a sign-in that is bound to a key (DPoP)")
	}
}

// presented validates the access token in a parameter. A token that is bound to a key needs the DPoP proof of that key.
func (s *Server) presented(t *tokenRequest, parameter string) (*clientauth.SecurityContext, error) {
	text, kind := t.form.Get(parameter), t.form.Get(parameter+"_type")
	switch {
	case text == "":
		return nil, errInvalidRequest(parameter + " is missing")
	case kind != typeAccessToken:
		return nil, errInvalidRequest(parameter + "_type must be " + typeAccessToken)
	}
	found, err := s.validator.Validate(t.c.Request().Context(), text)
	switch {
	case errors.Is(err, clientauth.ErrUnavailable):
		return nil, err
	case err != nil:
		return nil, errNotExchanged(parameter, "it is not a valid access token of this server: "+verify.Code(err))
	case !found.ExpiresAt.After(t.began):
		return nil, errNotExchanged(parameter, "it has expired")
	case t.proof.Fits(keyOf(found)) != nil:
		return nil, errNotExchanged(parameter, "it is bound to a key (DPoP), and the proof of this key is missing")
	default:
		return found, nil
	}
}

// keyOf returns the thumbprint of the key that a token is bound to, or an empty text.
func keyOf(caller *clientauth.SecurityContext) string {
	confirmation, _ := caller.Claims["cnf"].(map[string]any)
	thumbprint, _ := confirmation["jkt"].(string)
	return thumbprint
}

// exchanger returns the client of an exchange. An agent of a fleet has no credentials except its token.
func (s *Server) exchanger(c echo.Context, form url.Values) (*client.Client, error) {
	if form.Get("actor_token") == "" || form.Get("client_id") != "" || client.Authenticates(c.Request().Header, form) {
		return s.authenticate(c, form)
	}
	return s.fleetAgent(c.Request().Context(), form.Get("actor_token"))
}

// fleetAgent returns an agent of a fleet as a client, by its token.
func (s *Server) fleetAgent(ctx context.Context, text string) (*client.Client, error) {
	agent, err := s.validator.Validate(ctx, text)
	if errors.Is(err, clientauth.ErrUnavailable) {
		return nil, err
	}
	id := ""
	if err == nil {
		id, _ = agent.Claims["agent_id"].(string)
	}
	if id == "" || agent.Actor != nil {
		return nil, s.clientAuth.Unknown("client_id is missing, and actor_token is not a valid token of a fleet agent")
	}
	known, err := s.clients.OfFleet(ctx, id, s.settings.FleetMayAct[agent.Role])
	if errors.Is(err, client.ErrNamesakeClient) {
		return nil, s.clientAuth.Unknown(err.Error())
	}
	return known, err
}
