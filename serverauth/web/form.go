package web

import (
	"crypto/rand"
	"crypto/subtle"
	"errors"
	"net/http"

	"github.com/labstack/echo/v4"
)

// FormField is the name of the field that holds the token of a form.
const FormField = "csrf"

// ErrForeignForm is returned for a form that did not come from a page of this server in the same browser.
var ErrForeignForm = errors.New("web: the form is not from a page of this server")

// Forms protects forms against other sites (CSRF): a form carries the token that is in a cookie of its browser, and the
// browser must not say that another site sends it.
type Forms struct {
	// Secure says that browsers reach the server by https, as its cookies then demand.
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

// Check returns ErrForeignForm unless the request is a form of a page of this server.
func (f Forms) Check(c echo.Context) error {
	cookie, err := c.Cookie(f.cookieName())
	if err != nil || sameOrigin.Check(c.Request()) != nil ||
		subtle.ConstantTimeCompare([]byte(cookie.Value), []byte(c.Request().PostFormValue(FormField))) != 1 || cookie.Value == "" {
		return ErrForeignForm
	}
	return nil
}

// CookieName is the name of a cookie that no other host and no subdomain can set, where there is https.
func CookieName(name string, secure bool) string {
	if secure {
		return "__Host-" + name
	}
	return name
}

// NewCookie returns a cookie of the browser's session for this host alone, which no script reads.
func NewCookie(name, value string, secure bool) *http.Cookie {
	return &http.Cookie{ //nolint:gosec // Secure where there is https
		Name: CookieName(name, secure), Value: value, Path: "/", HttpOnly: true, Secure: secure, SameSite: http.SameSiteLaxMode,
	}
}
