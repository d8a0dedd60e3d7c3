package console

import (
	"crypto/sha256"
	"encoding/json"
	"net/http"
	"slices"
	"sync"
	"time"

	"github.com/labstack/echo/v4"

	"github.com/picoauth/picoauth/app"
	"github.com/picoauth/picoauth/clientauth/jose"
	"github.com/picoauth/picoauth/serverauth/web"
)

// cookieName is the cookie with the refresh token of a browser.
const cookieName = "picoauth-account"

// person is the user who is signed in at a browser, from the claims of the server's own access token.
type person struct {
	Subject string `json:"sub"`
	Role    string `json:"role"`
	SID     string `json:"sid"`
	token   string
	expires time.Time
}

func (w *person) isOperator(roles []string) bool { return slices.Contains(roles, w.Role) }

// tokens is a token response.
type tokens struct {
	AccessToken  string `json:"access_token"`
	RefreshToken string `json:"refresh_token"`
	ExpiresIn    int64  `json:"expires_in"`
}

// browsers caches access tokens, so that a page does not need a new one, and the notice for the next page. Another process
// gets a new token with the refresh token of the cookie.
type browsers struct {
	now    app.Clock
	mu     *sync.Mutex
	people map[[32]byte]kept     // by SHA-256 of the refresh token
	say    map[string]web.Notice // by session ID
}

// kept has the person of a refresh token, and the session's newest refresh token. A browser that disconnected may not have
// received the newest one; its older one would look stolen.
type kept struct {
	who     *person
	refresh string
}

const (
	maxBrowsers = 10_000
	tokenMargin = 20 * time.Second
)

func newBrowsers(now app.Clock) browsers {
	return browsers{now, &sync.Mutex{}, make(map[[32]byte]kept), make(map[string]web.Notice)}
}

// find returns the newest known refresh token for the one of a cookie, and its person if the access token is still valid
// for tokenMargin.
func (b browsers) find(refresh string) (newest string, who *person) {
	b.mu.Lock()
	defer b.mu.Unlock()
	found, known := b.people[sha256.Sum256([]byte(refresh))]
	if !known {
		return refresh, nil
	}
	if found.who.expires.Sub(b.now()) < tokenMargin {
		return found.refresh, nil
	}
	return found.refresh, found.who
}

func (b browsers) keep(who *person, refresh string, earlier ...string) {
	b.mu.Lock()
	defer b.mu.Unlock()
	if len(b.people) >= maxBrowsers {
		clear(b.people)
	}
	for _, token := range append(earlier, refresh) {
		b.people[sha256.Sum256([]byte(token))] = kept{who, refresh}
	}
}

func (b browsers) tell(sid, text string, bad bool) {
	b.mu.Lock()
	defer b.mu.Unlock()
	if len(b.say) >= maxBrowsers {
		clear(b.say)
	}
	if text != "" {
		b.say[sid] = web.Notice{Text: text, Bad: bad}
	}
}

// told returns the notice for the next page of a session, once.
func (b browsers) told(sid string) *web.Notice {
	b.mu.Lock()
	defer b.mu.Unlock()
	notice, there := b.say[sid]
	if !there {
		return nil
	}
	delete(b.say, sid)
	return &notice
}

// person returns the user who is signed in at the browser of a request, or nil.
func (p *Pages) person(c echo.Context) (*person, error) {
	cookie, err := c.Cookie(web.CookieName(cookieName, p.forms.Secure))
	if err != nil || cookie.Value == "" {
		return nil, nil
	}
	newest, who := p.browsers.find(cookie.Value)
	if who != nil {
		if newest != cookie.Value {
			c.SetCookie(web.NewCookie(cookieName, newest, p.forms.Secure))
		}
		return who, nil
	}
	var fresh tokens
	err = p.api.call(c, http.MethodPost, "/refresh", "", map[string]string{"refresh_token": newest}, &fresh)
	if isStatus(err, http.StatusUnauthorized) || isStatus(err, http.StatusForbidden) || isStatus(err, http.StatusBadRequest) {
		p.forget(c)
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	return p.remember(c, fresh, cookie.Value, newest)
}

// remember stores new tokens and sets the cookie of a browser, after a sign-in or a refresh. earlier are the refresh tokens
// that the new one replaces.
func (p *Pages) remember(c echo.Context, fresh tokens, earlier ...string) (*person, error) {
	who := &person{token: fresh.AccessToken, expires: p.now().Add(time.Duration(fresh.ExpiresIn) * time.Second)}
	parts, err := jose.ParseCompact(fresh.AccessToken)
	if err == nil {
		err = json.Unmarshal(parts.Payload, who)
	}
	if err != nil {
		return nil, err
	}
	p.browsers.keep(who, fresh.RefreshToken, earlier...)
	c.SetCookie(web.NewCookie(cookieName, fresh.RefreshToken, p.forms.Secure))
	return who, nil
}

func (p *Pages) forget(c echo.Context) {
	cookie := web.NewCookie(cookieName, "", p.forms.Secure) //nolint:gosec // Secure where there is https
	cookie.MaxAge = -1
	c.SetCookie(cookie)
}

// drop expires a cached access token, so that the next page gets a new one.
func (b browsers) drop(who *person) {
	b.mu.Lock()
	defer b.mu.Unlock()
	who.expires = time.Time{}
}
