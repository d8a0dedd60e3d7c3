package web

import (
	"crypto/rand"
	"crypto/subtle"
	"errors"
	"net/http"

	"github.com/labstack/echo/v4"
)

// FormField is the name of the form field with the CSRF token.
const FormField = "csrf"

// ErrForeignForm is returned for a form that did not come from a page of this server in the same browser.
var ErrForeignForm = errors.New("web: the form is not from a page of this server")

// Forms protects forms against cross-site request forgery (CSRF): the token in a form must be that of a cookie of the
// browser, and the browser must not report a request from another origin.
type Forms struct {
	// Secure is set if browsers reach the server by https. Its cookies are then Secure.
	Secure bool
}

var sameOrigin = http.NewCrossOriginProtection()

func (f Forms) cookieName() string { return CookieName("picoauth-form", f.Secure) }

// Token returns the token for the forms of a page, and sets its cookie if the browser has none.
func (f Forms) Token(c echo.Context) string {
	if cookie, err := c.Cookie(f.cookieName()); err == nil && len(cookie.Value) == len(rand.Text()) {
		return cookie.Value
	}
	token := rand.Text()
	c.SetCookie(NewCookie("picoauth-form", token, f.Secure))
	return token
}

// Check returns ErrForeignForm unless the request is a form from a page of this server in the same browser.
func (f Forms) Check(c echo.Context) error {
	cookie, err := c.Cookie(f.cookieName())
	if err != nil || sameOrigin.Check(c.Request()) != nil ||
		subtle.ConstantTimeCompare([]byte(cookie.Value), []byte(c.Request().PostFormValue(FormField))) != 1 || cookie.Value == "" {
		return ErrForeignForm
	}
	return nil
}

// CookieName returns the full name of a cookie. If secure, it has the prefix __Host-, so that no other host or subdomain
// can set the cookie.
func CookieName(name string, secure bool) string {
	if secure {
		return "__Host-" + name
	}
	return name
}

// NewCookie returns a session cookie for this host only, which scripts cannot read (HttpOnly).
func NewCookie(name, value string, secure bool) *http.Cookie {
	return &http.Cookie{ //nolint:gosec // Secure where there is https
		Name: CookieName(name, secure), Value: value, Path: "/", HttpOnly: true, Secure: secure, SameSite: http.SameSiteLaxMode,
	}
}
