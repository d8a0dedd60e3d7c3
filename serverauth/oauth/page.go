package oauth

import (
	"embed"
	"errors"
	"html/template"
	"net/http"
	"net/url"

	"github.com/labstack/echo/v4"

	"github.com/picoauth/picoauth/app"
	"github.com/picoauth/picoauth/serverauth/claims"
	"github.com/picoauth/picoauth/serverauth/oauth/client"
	"github.com/picoauth/picoauth/serverauth/web"
)

//go:embed page
var pageFiles embed.FS

// newPages returns the pages by the names of their files.
func newPages(base string) (map[string]*web.Page, error) {
	kit, err := web.NewKit(base)
	if err != nil {
		return nil, err
	}
	pages := make(map[string]*web.Page)
	for _, name := range []string{"request", "message", "continue", "send", "logout", "device"} {
		if pages[name], err = kit.Page(pageFiles, nil, "page/"+name+".html"); err != nil {
			return nil, err
		}
	}
	return pages, nil
}

// registerScripts adds the routes of the pages' scripts.
func registerScripts(e *echo.Echo, path string) (routes []*echo.Route) {
	for _, name := range []string{"page.js", "send.js"} {
		content, err := pageFiles.ReadFile("page/" + name)
		if err != nil {
			panic("oauth: an embedded file is missing: " + name)
		}
		routes = append(routes, web.RegisterFile(e, path+"/"+name, name, content)...)
	}
	return routes
}

// requestPage is the data of a request's page.
type requestPage struct {
	Base             string // of the endpoints
	Name, Target     string
	ThisDevice       bool
	AnotherDevice    bool
	Allowed          []string
	Resources        []Resource
	Request, CSRF    string
	SignedInAs, Anew string
	Password         bool
	PasswordOpen     bool
}

// field is a hidden field of a form.
type field struct{ Name, Value string }

// formTargets returns where else the forms of a request's page may lead. With form_post they lead to the client, which may redirect
// to any site, and browsers apply the policy to such redirects too.
func formTargets(r *request) []string {
	if r.Mode == modeFormPost {
		return []string{"https:", "http:"}
	}
	return nil
}

// showRequest shows the page of a request: a button if somebody is signed in, else the wallets.
func (s *Server) showRequest(c echo.Context, status int, r *request, b *browser, alert string) error {
	host := r.client.Host(r.RedirectURI)
	data := requestPage{
		Base: s.path, Name: shownName(r), Target: client.HostOf(r.RedirectURI), AnotherDevice: r.Device != "", Allowed: s.allowed(r), Request: r.sealed,
		CSRF: s.forms.Token(c), Password: s.core.PasswordEnabled(), PasswordOpen: alert != "",
	}
	data.ThisDevice = data.Target == client.ThisDevice
	for _, uri := range r.Resources {
		data.Resources = append(data.Resources, s.catalogue.resources[uri].Resource)
	}
	frame := web.Frame{Title: "Sign in to " + host, Narrow: true, Data: &data, FormTargets: formTargets(r)}
	if alert != "" {
		frame.Notice = &web.Notice{Text: alert, Bad: true}
	}
	if b.signedIn() {
		data.SignedInAs, data.Anew = b.session.Subject.ID, s.anew(c)
	} else {
		frame.Scripts = []string{s.path + "/page.js"}
	}
	return s.pages["request"].Render(c, status, frame)
}

// anew returns the URL of the same request with prompt=login, so that the person must sign in.
func (s *Server) anew(c echo.Context) string {
	values, _ := url.ParseQuery(c.Request().URL.RawQuery) // it was read before
	values.Set("prompt", promptLogin)
	return s.path + "/authorize?" + values.Encode()
}

// showRefusal shows the page again after a sign-in was refused, with the reason.
func (s *Server) showRefusal(c echo.Context, r *request, err error) error {
	var problem *app.Problem
	switch {
	case errors.Is(err, claims.ErrSubjectRefused):
		return s.showRequest(c, http.StatusForbidden, r, &browser{}, "This server refuses the account.")
	case errors.As(err, &problem) && problem.Status < http.StatusInternalServerError:
		return s.showRequest(c, problem.Status, r, &browser{}, "That did not work: "+problem.Detail+".")
	default:
		return s.refuse(c, r, err)
	}
}

func (s *Server) showMessage(c echo.Context, status int, title, text string) error {
	return s.pages["message"].Render(c, status, web.Frame{Title: title, Narrow: true, Data: text})
}

func (s *Server) showError(c echo.Context, status int, e *errPage) error {
	return s.showMessage(c, status, e.title, e.text+" Nobody was signed in. Close this page, or go back to where you came from.")
}

func (s *Server) showUnavailable(c echo.Context) error {
	c.Response().Header().Set("Retry-After", "1")
	return s.showError(c, http.StatusServiceUnavailable, &errPage{"The server cannot answer now", "Try again in a moment."})
}

// showContinue shows a page that leads to the client.
func (s *Server) showContinue(c echo.Context, location string) error {
	c.Response().Header().Set("Refresh", "0; url="+location)
	return s.pages["continue"].Render(c, http.StatusOK, web.Frame{
		Title: "Continuing", Narrow: true, Data: template.URL(location), //nolint:gosec // a redirect URI that was registered and checked
	})
}

// showGoBack lets the person decide whether to go back to the client with an error.
func (s *Server) showGoBack(c echo.Context, r *request, e *Error) error {
	return s.pages["continue"].Render(c, http.StatusBadRequest, web.Frame{
		Title: "Go back to " + client.HostOf(r.RedirectURI) + "?", Narrow: true,
		Notice: &web.Notice{Text: "The request of that program was refused: " + e.Description + ". Nobody was signed in.", Bad: true},
		Data:   template.URL(s.location(r, errorValues(e))), //nolint:gosec // a redirect URI that was registered and checked
	})
}

// showFormPost sends a response to the client by a form (OAuth 2.0 Form Post Response Mode).
func (s *Server) showFormPost(c echo.Context, r *request, values url.Values) error {
	data := struct {
		Location template.URL
		Fields   map[string]string
	}{template.URL(r.RedirectURI), s.fields(r, values)} //nolint:gosec // registered and checked
	return s.pages["send"].Render(c, http.StatusOK, web.Frame{
		Title: "Continuing", Narrow: true, Data: data, Scripts: []string{s.path + "/send.js"}, FormTargets: formTargets(r),
	})
}

// fields returns a response as fields of a form.
func (s *Server) fields(r *request, values url.Values) map[string]string {
	all := make(map[string]string)
	for name := range s.complete(r, values) {
		all[name] = values.Get(name)
	}
	return all
}

// askLogout shows the page that asks for confirmation.
func (s *Server) askLogout(c echo.Context, r *logoutRequest, b *browser) error {
	data := struct {
		Base, SignedInAs, CSRF string
		Fields                 []field
	}{Base: s.path, SignedInAs: b.session.Subject.ID, CSRF: s.forms.Token(c)}
	for _, name := range logoutParameters {
		if value := r.values.Get(name); value != "" {
			data.Fields = append(data.Fields, field{name, value})
		}
	}
	return s.pages["logout"].Render(c, http.StatusOK, web.Frame{Title: "Sign out?", Narrow: true, Data: data})
}
