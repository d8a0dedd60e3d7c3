package oauth

import (
	"context"
	"errors"
	"net/http"
	"net/url"
	"time"

	"github.com/labstack/echo/v4"

	"github.com/picoauth/picoauth/serverauth"
	"github.com/picoauth/picoauth/serverauth/claims"
	"github.com/picoauth/picoauth/serverauth/session"
	"github.com/picoauth/picoauth/serverauth/store"
	"github.com/picoauth/picoauth/serverauth/web"
)

// browserCookie is the content of the cookie: the browser's session, and what the person allowed in it. The session has a row like
// all others, and ends like them.
type browserCookie struct {
	SID      string    `json:"sid"`
	Consents []consent `json:"consents,omitempty"`
}

// maxCookie is the maximum length of the cookie value in bytes: browsers allow 4096 with the name and the attributes.
const maxCookie = 3800

// browser is the session of a browser and its consents.
type browser struct {
	cookie  browserCookie
	session store.Session // zero: nobody is signed in
}

func (b *browser) signedIn() bool { return b.session.ID != "" }

// authTime is the time when the person authenticated, in Unix seconds.
func (b *browser) authTime() int64 { return b.session.StartedAt / 1000 }

// cookieName is the name of the session cookie.
const cookieName = "picoauth"

// browserOf returns the session of a request's browser. It returns an empty one if the session has ended or its subject is refused.
// An error means that this cannot be determined now.
func (s *Server) browserOf(c echo.Context) (*browser, error) {
	none := &browser{}
	kept, err := c.Cookie(web.CookieName(cookieName, s.secure))
	if err != nil || s.settings.BrowserSessionMinutes == 0 {
		return none, nil
	}
	var found browser
	if _, ok := s.cookies.open(kept.Value, &found.cookie); !ok {
		return none, nil
	}
	found.session, err = s.sessions.Live(c.Request().Context(), found.cookie.SID)
	switch {
	case errors.Is(err, session.ErrEnded), errors.Is(err, claims.ErrSubjectRefused):
		return none, nil
	case err != nil:
		return nil, err
	default:
		return &found, nil
	}
}

// signIn begins the session of a browser, and ends the one that the browser had before.
func (s *Server) signIn(
	c echo.Context, subject store.Subject, proof store.WalletProof, r *request, began time.Time, settle func() error,
) (*browser, error) {
	ctx, from := c.Request().Context(), serverauth.OriginOf(c, began)
	from.RequestID, from.Proof = r.id, proof
	if s.settings.BrowserSessionMinutes == 0 {
		subject, err := s.sessions.Admit(ctx, subject, settle)
		if err != nil {
			return nil, err
		}
		return &browser{session: store.Session{Subject: subject, StartedAt: began.UnixMilli()}}, nil
	}
	before, err := s.browserOf(c)
	if err != nil {
		return nil, err
	}
	row, err := s.sessions.Open(ctx, subject, from, s.settings.BrowserSession(), settle)
	if err != nil {
		return nil, err
	}
	if before.signedIn() {
		if err := s.sessions.Close(context.WithoutCancel(ctx), before.session.ID); err != nil {
			return nil, err
		}
	}
	now := &browser{session: row, cookie: browserCookie{SID: row.ID}}
	if before.signedIn() && before.session.Subject == row.Subject {
		now.cookie.Consents = before.cookie.Consents
	}
	return now, nil
}

// remember writes the cookie.
func (s *Server) remember(c echo.Context, b *browser) error {
	if b.cookie.SID == "" {
		return nil
	}
	for {
		value, _, err := s.cookies.seal(b.cookie)
		if err != nil {
			return err
		}
		if n := len(b.cookie.Consents); len(value) > maxCookie && n > 0 {
			b.cookie.Consents = b.cookie.Consents[:n-1]
			continue
		}
		c.SetCookie(s.newCookie(value, int((b.session.EndsAt-s.now().UnixMilli())/1000)))
		return nil
	}
}

func (s *Server) forget(c echo.Context) { c.SetCookie(s.newCookie("", -1)) }

func (s *Server) newCookie(value string, seconds int) *http.Cookie {
	cookie := web.NewCookie(cookieName, value, s.secure) //nolint:gosec // it has all three
	cookie.MaxAge = seconds
	return cookie
}

// isOwnForm reports whether a form came from a page of this server in the same browser.
func (s *Server) isOwnForm(c echo.Context, form url.Values) bool {
	c.Request().PostForm = form
	return s.forms.Check(c) == nil
}

// sameOrigin refuses requests from pages of other sites, which could sign people in as somebody else (login CSRF).
var sameOrigin = http.NewCrossOriginProtection()
