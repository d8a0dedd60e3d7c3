package console

import (
	"encoding/json"
	"errors"
	"net/http"
	"strings"

	"github.com/labstack/echo/v4"

	"github.com/picoauth/picoauth/serverauth"
	"github.com/picoauth/picoauth/serverauth/web"
)

// signInView is what the sign-in page shows.
type signInView struct {
	Password bool
	Next     string // path to go to after the sign-in, below the base
}

func (p *Pages) showSignIn(c echo.Context, status int, next, refused string) error {
	frame := web.Frame{
		Title: "Sign in", Narrow: true, Scripts: []string{p.base + accountPath + "/sign-in.js"},
		Data: view{Base: p.base, CSRF: p.forms.Token(c), Own: signInView{p.settings.AutoCreateAdmin, next}},
	}
	if refused != "" {
		frame.Notice = &web.Notice{Text: refused, Bad: true}
	}
	return p.views["sign-in"].Render(c, status, frame)
}

// maxProof is the largest proof of a wallet in bytes, like the API's limit for a body.
const maxProof = 64 << 10

// signIn handles the form with a password, or with a wallet's proof that the page's script filled in.
func (p *Pages) signIn(c echo.Context) error {
	if err := p.forms.Check(c); err != nil {
		return p.showMessage(c, http.StatusForbidden, "This form is not valid any more", "Go back, reload the page, and try again.")
	}
	next := c.FormValue("next")
	if !p.isPlace(next) {
		next = accountPath
	}
	var path string
	var body any
	if proof := c.FormValue("proof"); proof != "" {
		path, body = "/sign-in", json.RawMessage(proof)
		if len(proof) > maxProof || !json.Valid([]byte(proof)) {
			return p.showSignIn(c, http.StatusBadRequest, next, "The wallet's answer cannot be read.")
		}
	} else {
		path, body = "/login", map[string]string{"email": c.FormValue("email"), "password": c.FormValue("password")}
	}
	var fresh tokens
	err := p.api.call(c, http.MethodPost, path, "", body, &fresh)
	if refused := (*refusal)(nil); errors.As(err, &refused) && refused.Status < http.StatusInternalServerError {
		text := refused.Detail
		if refused.Hint != "" {
			text += " (" + refused.Hint + ")"
		}
		return p.showSignIn(c, refused.Status, next, "That did not work: "+text+".")
	}
	if err != nil {
		return p.showError(c, err)
	}
	if err := p.logout(c); err != nil { // end the session that this browser had before
		return p.showError(c, err)
	}
	if _, err := p.remember(c, fresh); err != nil {
		return p.showError(c, err)
	}
	return c.Redirect(http.StatusSeeOther, p.base+next)
}

// isPlace reports whether a path is one of these pages: the sign-in redirects nowhere else.
func (p *Pages) isPlace(path string) bool {
	for _, route := range p.api.echo.Routes() {
		if route.Method == http.MethodGet && route.Path == serverauth.Prefix+path &&
			(path == accountPath || path == consolePath || strings.HasPrefix(path, consolePath+"/")) {
			return true
		}
	}
	return false
}

// signOut ends the session of the browser.
func (p *Pages) signOut(c echo.Context, who *person) (next, said string, err error) {
	if err := p.logout(c); err != nil {
		return accountPath, "", err
	}
	p.browsers.drop(who)
	p.forget(c)
	return accountPath, "", nil
}

// logout ends the session of the cookie, if there is one.
func (p *Pages) logout(c echo.Context) error {
	cookie, err := c.Cookie(web.CookieName(cookieName, p.forms.Secure))
	if err != nil || cookie.Value == "" {
		return nil
	}
	newest, _ := p.browsers.find(cookie.Value)
	err = p.api.call(c, http.MethodPost, "/logout", "", map[string]string{"refresh_token": newest}, nil)
	if isStatus(err, http.StatusUnauthorized) || isStatus(err, http.StatusBadRequest) {
		return nil // it has ended already
	}
	return err
}
