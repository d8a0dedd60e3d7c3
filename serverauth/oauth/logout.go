package oauth

import (
	"cmp"
	"context"
	"errors"
	"net/http"
	"net/url"

	"github.com/go-json-experiment/json"
	"github.com/labstack/echo/v4"

	"github.com/picoauth/picoauth/app"
	"github.com/picoauth/picoauth/clientauth/jose"
	"github.com/picoauth/picoauth/serverauth/internal/events"
	"github.com/picoauth/picoauth/serverauth/oauth/client"
	"github.com/picoauth/picoauth/serverauth/revocation"
	"github.com/picoauth/picoauth/serverauth/web"
)

// logoutRequest is a request of OpenID Connect RP-Initiated Logout, section 2.
type logoutRequest struct {
	values   url.Values
	hint     idHint // zero: none, or not of this server
	location string // where to go afterwards; empty: nowhere
}

// idHint has the claims of an id_token_hint.
type idHint struct {
	Issuer    string `json:"iss"`
	Audience  string `json:"aud"`
	SessionID string `json:"sid"`
	Subject   string `json:"sub"`
}

var logoutParameters = []string{"id_token_hint", "client_id", "post_logout_redirect_uri", "state"}

// logout is GET and POST /logout. It asks the person for confirmation, unless the client sends an ID token of this browser's
// session.
func (s *Server) logout(c echo.Context) error {
	text, err := c.Request().URL.RawQuery, error(nil)
	isForm := c.Request().Method == http.MethodPost
	if isForm {
		text, err = formText(c, maxForm)
	}
	values, unreadable := url.ParseQuery(text)
	if err != nil || unreadable != nil || len(text) > maxForm {
		return s.showError(c, http.StatusBadRequest, &errPage{"The request cannot be read", "It is not a valid logout request."})
	}
	if isForm && values.Get(web.FormField) == "" { // from another site: the browser did not send its cookie
		return c.Redirect(http.StatusSeeOther, s.base+"/logout?"+text)
	}
	r, err := s.readLogout(c.Request().Context(), values)
	if err != nil {
		return s.refuse(c, nil, err)
	}
	b, err := s.browserOf(c)
	if err != nil {
		return s.refuse(c, nil, err)
	}
	own := isForm && s.isOwnForm(c, values)
	switch {
	case !b.signedIn():
	case own, s.isOfBrowser(r.hint.SessionID, b.session.ID):
		if err := s.end(c, r, b); err != nil {
			return s.refuse(c, nil, err)
		}
	default:
		return s.askLogout(c, r, b)
	}
	s.forget(c)
	switch {
	case r.location == "":
		return s.showMessage(c, http.StatusOK, "You are signed out", "Nobody is signed in on this browser.")
	case isForm:
		return s.showContinue(c, r.location)
	default:
		noStore(c)
		return c.Redirect(http.StatusFound, r.location)
	}
}

func (s *Server) readLogout(ctx context.Context, values url.Values) (*logoutRequest, error) {
	for _, name := range logoutParameters {
		if len(values[name]) > 1 {
			return nil, &errPage{"The request cannot be read", "It has " + name + " twice."}
		}
	}
	r := &logoutRequest{values: values, hint: s.readHint(ctx, values.Get("id_token_hint"))}
	id, target := values.Get("client_id"), values.Get("post_logout_redirect_uri")
	if id != "" && r.hint.Audience != "" && id != r.hint.Audience {
		return nil, &errPage{"The request names two programs", "The id_token_hint was made for another client than client_id."}
	}
	if target == "" {
		return r, nil
	}
	known, err := s.clients.Find(ctx, cmp.Or(id, r.hint.Audience))
	switch {
	case errors.Is(err, client.ErrUnknown), err == nil && !known.AllowsPostLogoutRedirect(target):
		return nil, &errPage{"This address is not registered for the program", "The post_logout_redirect_uri is not registered for the client."}
	case err != nil:
		return nil, err
	}
	if r.location = target; values.Get("state") != "" {
		r.location = appendQuery(target, url.Values{"state": values["state"]})
	}
	return r, nil
}

// readHint reads an ID token of this server, even an expired one.
func (s *Server) readHint(ctx context.Context, text string) (hint idHint) {
	if text == "" {
		return idHint{}
	}
	parsed, err := jose.ParseCompact(text)
	if err != nil || parsed.Type != idTokenType {
		return idHint{}
	}
	key, err := s.ring.Key(ctx, parsed.KeyID, parsed.Algorithm)
	if err != nil || key.Verify(parsed.Algorithm, parsed.SigningInput, parsed.Signature) != nil {
		return idHint{}
	}
	if json.Unmarshal(parsed.Payload, &hint) != nil || hint.Issuer != s.issuer {
		return idHint{}
	}
	return hint
}

// end ends the session of the browser, and of the client if its ID token is of this browser, with its tokens.
func (s *Server) end(c echo.Context, r *logoutRequest, b *browser) error {
	ctx := context.WithoutCancel(c.Request().Context())
	if s.isOfBrowser(r.hint.SessionID, b.session.ID) {
		if err := s.sessions.End(ctx, r.hint.SessionID, revocation.Cause{By: b.session.Subject.ID, Reason: "logout"}); err != nil {
			return err
		}
	}
	if err := s.sessions.Close(ctx, b.session.ID); err != nil {
		return err
	}
	events.Log(ctx, s.log, events.Logout, "subject", b.session.Subject.ID, "client_id", r.hint.Audience, "client", app.ClientIP(c))
	return nil
}
