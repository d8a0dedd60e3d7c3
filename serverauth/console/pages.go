package console

import (
	"embed"
	"errors"
	"html/template"
	"log/slog"
	"net/http"
	"net/url"
	"strings"
	"time"

	"github.com/labstack/echo/v4"

	"github.com/picoauth/picoauth/app"
	"github.com/picoauth/picoauth/serverauth"
	"github.com/picoauth/picoauth/serverauth/web"
)

//go:embed page
var files embed.FS

// Pages are the pages of the console and of the account.
type Pages struct {
	api      api
	browsers browsers
	forms    web.Forms
	settings serverauth.ServerAuthSettings
	base     string // path of the API as browsers see it
	history  *history
	views    map[string]*web.Page
	log      *slog.Logger
	now      app.Clock
}

// newPages returns the pages, which call the HTTP API of the app's echo.
func newPages(c params) (*Pages, error) {
	issuer, err := url.Parse(c.Settings.Issuer)
	if err != nil {
		return nil, err
	}
	now, base := app.ClockOr(c.Clock), strings.TrimSuffix(issuer.Path, "/")+serverauth.Prefix
	p := &Pages{
		api: api{c.Echo}, settings: c.Settings, base: base, log: c.Log, now: now,
		forms: web.Forms{Secure: issuer.Scheme == "https"}, browsers: newBrowsers(now), history: newHistory(gatherer(c.Telemetry), now),
		views: make(map[string]*web.Page),
	}
	kit, err := web.NewKit(base)
	if err != nil {
		return nil, err
	}
	functions := template.FuncMap{"short": short, "when": p.when}
	for _, name := range []string{"sign-in", "account", "overview", "sessions", "keys", "clients", "message"} {
		if p.views[name], err = kit.Page(files, functions, "page/parts.html", "page/"+name+".html"); err != nil {
			return nil, err
		}
	}
	return p, nil
}

const (
	accountPath = "/account"
	consolePath = "/console"
)

// Register adds the pages and returns their routes. The routes need no access token: each page checks who is signed in.
func (p *Pages) Register(e *echo.Echo) (routes []*echo.Route) {
	get := func(path string, flow flow) {
		h := p.page(path, flow)
		routes = append(routes, e.GET(serverauth.Prefix+path, h), e.HEAD(serverauth.Prefix+path, h))
	}
	post := func(path string, action action) {
		routes = append(routes, e.POST(serverauth.Prefix+path, p.action(action)))
	}
	script, err := files.ReadFile("page/sign-in.js")
	if err != nil {
		panic("console: an embedded file is missing: sign-in.js")
	}
	routes = append(routes, web.RegisterFile(e, serverauth.Prefix+accountPath+"/sign-in.js", "sign-in.js", script)...)
	get(accountPath, p.account)
	routes = append(routes, e.POST(serverauth.Prefix+accountPath+"/sign-in", p.signIn))
	post(accountPath+"/sign-out", p.signOut)
	post(accountPath+"/end", p.endOwn)
	if p.settings.ConsoleEnabled {
		get(consolePath, p.overview)
		get(consolePath+"/sessions", p.sessions)
		get(consolePath+"/keys", p.keys)
		get(consolePath+"/clients", p.clients)
		post(consolePath+"/end", p.end)
		post(consolePath+"/keys", p.changeKeys)
		post(consolePath+"/clients", p.changeClients)
	}
	return routes
}

// flow shows a page to a person.
type flow func(c echo.Context, who *person) error

// action executes a form. It returns the path of the next page and the notice to show there.
type action func(c echo.Context, who *person) (next, said string, err error)

// page calls a flow for a signed-in user, and shows the sign-in page to others.
func (p *Pages) page(path string, show flow) echo.HandlerFunc {
	return func(c echo.Context) error {
		who, err := p.as(c, func(who *person) error { return show(c, who) })
		switch {
		case err == nil && who == nil, isStatus(err, http.StatusUnauthorized):
			return p.showSignIn(c, http.StatusOK, path, "")
		case err != nil:
			return p.showError(c, err)
		}
		return nil
	}
}

// as calls do for the signed-in user; it returns nil if there is none. If the access token is refused (revoked, or its key
// compromised) but the session lives, as calls do again with a new token: the refused call had no effect.
func (p *Pages) as(c echo.Context, do func(*person) error) (*person, error) {
	who, err := p.person(c)
	if err != nil || who == nil {
		return nil, err
	}
	if err = do(who); !isStatus(err, http.StatusUnauthorized) {
		return who, err
	}
	p.browsers.drop(who)
	if who, err = p.person(c); err != nil || who == nil {
		return nil, err
	}
	return who, do(who)
}

// action returns a handler that checks that a form came from our own pages, then runs an action.
func (p *Pages) action(act action) echo.HandlerFunc {
	return func(c echo.Context) error {
		if err := p.forms.Check(c); err != nil {
			return p.showMessage(c, http.StatusForbidden, "This form is not valid any more", "Go back, reload the page, and try again.")
		}
		next, said := accountPath, ""
		who, err := p.as(c, func(who *person) (err error) {
			next, said, err = act(c, who)
			return err
		})
		if refused := (*refusal)(nil); errors.As(err, &refused) && refused.Status < http.StatusInternalServerError {
			said = "That did not work: " + refused.Detail + "."
			if refused.Code == "recent_sign_in_required" {
				said = "This needs a recent sign-in. Sign out, sign in again, and unlink the wallet within five minutes."
			}
		} else if err != nil {
			return p.showError(c, err)
		}
		if who != nil {
			p.browsers.tell(who.SID, said, err != nil)
		}
		return c.Redirect(http.StatusSeeOther, p.base+next)
	}
}

func (p *Pages) showError(c echo.Context, err error) error {
	refused := (*refusal)(nil)
	switch {
	case isStatus(err, http.StatusForbidden):
		return p.showMessage(c, http.StatusForbidden, "This is for operators", "Your account has none of the roles that are required. Give it one in server_auth.subjects, then sign in again.")
	case errors.As(err, &refused) && refused.Status < http.StatusInternalServerError:
		return p.showMessage(c, refused.Status, "That did not work", refused.Detail+".")
	}
	p.log.WarnContext(c.Request().Context(), "a page could not be shown", "path", c.Path(), "error", err)
	return p.showMessage(c, http.StatusServiceUnavailable, "The server cannot answer now", "Try again in a moment. If the problem remains, the server's log says why.")
}

func (p *Pages) showMessage(c echo.Context, status int, title, text string) error {
	return p.views["message"].Render(c, status, web.Frame{Title: title, Narrow: true, Data: view{Text: text, Base: p.base}})
}

// view is the data of every page.
type view struct {
	Base, CSRF string
	Who        *person
	Text       string
	Own        any // data of the specific page
}

// show renders a page for a person, with the notice of the action before it.
func (p *Pages) show(c echo.Context, who *person, name, title string, own any) error {
	frame := web.Frame{Title: title, Data: view{Base: p.base, CSRF: p.forms.Token(c), Who: who, Own: own}, Notice: p.browsers.told(who.SID)}
	places := []web.Place{{Name: "My account", Path: accountPath}}
	if p.settings.ConsoleEnabled && who.isOperator(p.settings.OperatorRoles) {
		places = append(places, web.Place{Name: "Overview", Path: consolePath}, web.Place{Name: "Sessions", Path: consolePath + "/sessions"},
			web.Place{Name: "Keys", Path: consolePath + "/keys"}, web.Place{Name: "Clients", Path: consolePath + "/clients"})
	}
	for i := range places {
		places[i].Current = c.Path() == serverauth.Prefix+places[i].Path
		places[i].Path = p.base + places[i].Path
	}
	frame.Places = places
	return p.views[name].Render(c, http.StatusOK, frame)
}

// short returns both ends of a text that is too long for a table, such as a public key.
func short(text string) string {
	const longest, end = 30, 10
	if len(text) <= longest {
		return text
	}
	return text[:longest-end-1] + "…" + text[len(text)-end:]
}

// when returns a readable time and its distance from now. value is RFC 3339 text, Unix seconds or a time.Time.
func (p *Pages) when(value any) template.HTML {
	var at time.Time
	switch v := value.(type) {
	case string:
		at, _ = time.Parse(time.RFC3339, v)
	case int64:
		at = time.Unix(v, 0)
	case time.Time:
		at = v
	}
	if at.IsZero() {
		return "–"
	}
	at = at.UTC()
	//nolint:gosec // numbers and our own words
	return template.HTML(`<time datetime="` + at.Format(time.RFC3339) + `">` + at.Format("2 Jan 2006, 15:04") + " UTC</time>" +
		` <small>(` + distance(at.Sub(p.now())) + `)</small>`)
}

func distance(d time.Duration) string {
	text, length := "less than a minute", d.Abs()
	for _, unit := range []struct {
		length time.Duration
		name   string
	}{{24 * time.Hour, "day"}, {time.Hour, "hour"}, {time.Minute, "minute"}} {
		if n := int(length / unit.length); n > 0 {
			text = plural(n, unit.name)
			break
		}
	}
	if d > 0 {
		return "in " + text
	}
	return text + " ago"
}
