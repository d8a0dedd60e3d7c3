package oauth

import (
	"errors"
	"net/http"
	"net/url"

	"github.com/labstack/echo/v4"

	"github.com/picoauth/picoauth/app"
	"github.com/picoauth/picoauth/serverauth/internal/events"
	"github.com/picoauth/picoauth/serverauth/oauth/client"
	"github.com/picoauth/picoauth/serverauth/wallet"
)

// authorize is GET /authorize. It redirects at once if there is a browser session and a consent for the request. Otherwise it shows
// the page.
func (s *Server) authorize(c echo.Context) error {
	r, err := s.readRequest(c.Request().Context(), c.Request().URL.RawQuery)
	if err != nil {
		return s.refuse(c, r, err)
	}
	b, err := s.browserOf(c)
	if err != nil {
		return s.refuse(c, r, err)
	}
	known := s.isKnown(r, b)
	allowedBy, allowed := s.consented(r, b)
	switch {
	case known && allowed:
		return s.allow(c, r, b, allowedBy)
	case r.asks(promptNone) && !known:
		return s.refuse(c, r, &Error{Code: "login_required", Description: "nobody is signed in on this browser, or the sign-in is too old"})
	case r.asks(promptNone):
		return s.refuse(c, r, &Error{Code: "consent_required", Description: "the person has not allowed this yet"})
	}
	if !known {
		b = &browser{}
	}
	return s.showRequest(c, http.StatusOK, r, b, "")
}

// repost is POST /authorize. It redirects to GET, because the browser does not send its cookie with a POST from another site.
func (s *Server) repost(c echo.Context) error {
	query, err := formText(c, maxRequest)
	if err != nil {
		return s.refuse(c, nil, &errPage{"The request is too long", "An authorization request has at most 8192 bytes."})
	}
	c.Response().Header().Set(echo.HeaderCacheControl, "no-store")
	return c.Redirect(http.StatusSeeOther, s.base+"/authorize?"+query)
}

// isKnown reports whether the browser's session authenticates the person in the way that the request asks for.
func (s *Server) isKnown(r *request, b *browser) bool {
	if !b.signedIn() || r.asks(promptLogin) || r.asks(promptSelect) || r.Hint != "" && r.Hint != b.session.Subject.ID {
		return false
	}
	if r.MaxAge == 0 || r.MaxAge > 0 && s.now().Unix()-b.authTime() > r.MaxAge {
		return false
	}
	hint, err := wallet.ParseAddress(r.LoginHint, "")
	return r.LoginHint == "" || err != nil || hint.Canonical() == b.session.Subject.WalletAddress() ||
		b.session.Subject.WalletID != "" && hint.WalletID() == b.session.Subject.WalletID
}

// isAnybodys reports whether another program on the person's device could use the client_id and get the response. Then the person
// must confirm an earlier consent with a button (RFC 8252, section 8.6).
func (r *request) isAnybodys() bool {
	return r.client.IsPublic() && client.HostOf(r.RedirectURI) == client.ThisDevice
}

// consented returns the id of the request in which the person allowed what this request asks for.
func (s *Server) consented(r *request, b *browser) (requestID string, ok bool) {
	if r.asks(promptConsent) {
		return "", false
	}
	for _, known := range b.cookie.Consents {
		if known.covers(r) && !r.isAnybodys() {
			return known.RequestID, true
		}
	}
	return r.id, r.client.Consent == client.ConsentImplied
}

// allow answers a request with a code.
func (s *Server) allow(c echo.Context, r *request, b *browser, requestID string) error {
	if r.Device != "" {
		if err := s.allowDevice(c, r, b); err != nil {
			return s.refuse(c, r, err)
		}
		return s.showDeviceDone(c)
	}
	if err := s.remember(c, b); err != nil {
		return s.refuse(c, r, err)
	}
	text, err := s.issue(c, r, b, requestID)
	if err != nil {
		return s.refuse(c, r, err)
	}
	s.logConsent(c, r, b, requestID)
	return s.respond(c, r, url.Values{"code": {text}})
}

// refuse answers a request that fails: with a redirect if the redirect URI is known to be valid, else with a page.
func (s *Server) refuse(c echo.Context, r *request, err error) error {
	var page *errPage
	if errors.As(err, &page) {
		s.refused(c, r, "no_redirect", page.Error())
		return s.showError(c, http.StatusBadRequest, page)
	}
	if r != nil && r.Device != "" {
		return s.refuseDevice(c, r, err)
	}
	own, isOwn := isError(err)
	if !isOwn {
		s.failed(c, err)
		own = &Error{Code: "temporarily_unavailable", Description: "try again in a moment"}
	}
	if r == nil || r.RedirectURI == "" {
		return s.showUnavailable(c)
	}
	s.refused(c, r, own.Code, own.Description)
	if !r.byForm && s.leadsAstray(c, r) {
		return s.showGoBack(c, r, own)
	}
	return s.respond(c, r, errorValues(own))
}

// leadsAstray reports whether a redirect could send a person who is not signed in from this server to an untrusted site (RFC 9700,
// section 4.11.2). A client that describes itself could cause that with any invalid request.
func (s *Server) leadsAstray(c echo.Context, r *request) bool {
	if !r.client.DescribesItself() || client.HostOf(r.RedirectURI) == client.ThisDevice {
		return false
	}
	b, err := s.browserOf(c)
	return err != nil || !b.signedIn()
}

func errorValues(e *Error) url.Values {
	return url.Values{"error": {e.Code}, "error_description": {e.Description}}
}

// logConsent logs who allowed which client what.
func (s *Server) logConsent(c echo.Context, r *request, b *browser, requestID string) {
	events.Log(c.Request().Context(), s.log, events.OAuthConsent, "subject", b.session.Subject.ID, "client_id", r.ClientID,
		"scope", joined(r.Scope), "resource", joined(r.Resources), "consent", requestID, "client", app.ClientIP(c))
}

// refused logs that an authorization request was refused.
func (s *Server) refused(c echo.Context, r *request, code, reason string) {
	id := c.QueryParam("client_id")
	if r != nil && r.ClientID != "" {
		id = r.ClientID
	}
	events.Log(c.Request().Context(), s.log, events.OAuthRefused, "code", code, "reason", reason, "client_id", shorten(id),
		"endpoint", c.Path(), "client", app.ClientIP(c))
}

// complete adds to the parameters of a response those that each one has.
func (s *Server) complete(r *request, values url.Values) url.Values {
	values.Set("iss", s.issuer)
	if r.State != "" {
		values.Set("state", r.State)
	}
	return values
}

// location returns the redirect URI with the parameters of a response.
func (s *Server) location(r *request, values url.Values) string {
	return appendQuery(r.RedirectURI, s.complete(r, values))
}

// respond sends the response to the client through the browser.
func (s *Server) respond(c echo.Context, r *request, values url.Values) error {
	switch location := s.location(r, values); {
	case r.Mode == modeFormPost:
		return s.showFormPost(c, r, values)
	case r.byForm: // browsers apply form-action to redirects, and the client may redirect to any site
		return s.showContinue(c, location)
	default:
		noStore(c)
		c.Response().Header().Set(echo.HeaderReferrerPolicy, "no-referrer")
		return c.Redirect(http.StatusFound, location)
	}
}

// decide is POST /authorize/decide: the buttons of the page.
func (s *Server) decide(c echo.Context) error {
	form, err := readForm(c)
	if err != nil {
		return s.refuse(c, nil, errRequestGone)
	}
	r, err := s.reopen(c.Request().Context(), form.Get("request"))
	if err != nil {
		return s.refuse(c, nil, err)
	}
	r.byForm = true
	b, err := s.browserOf(c)
	if err != nil {
		return s.refuse(c, r, err)
	}
	switch own := s.isOwnForm(c, form); {
	case own && form.Get("action") == "cancel":
		return s.refuse(c, r, &Error{Code: "access_denied", Description: "the person did not allow it"})
	case own && form.Get("action") == "allow" && s.isKnown(r, b):
		b.cookie.Consents = withConsent(b.cookie.Consents, r)
		return s.allow(c, r, b, r.id)
	default:
		return s.showRequest(c, http.StatusForbidden, r, &browser{}, "The session of this browser has ended. Sign in again.")
	}
}
