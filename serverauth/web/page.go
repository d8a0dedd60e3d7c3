package web

import (
	"bytes"
	_ "embed"
	"fmt"
	"html/template"
	"io/fs"
	"strings"

	"github.com/labstack/echo/v4"
)

var (
	//go:embed page.html
	pageLayout string
	//go:embed page.css
	pageStyle []byte
)

// Kit makes pages that look and behave alike: one layout, one style sheet, no inline script or style, nothing from
// another origin.
type Kit struct {
	base   string
	layout *template.Template
}

// NewKit returns a kit for pages below base, a path as browsers see it, such as "/api/v1/auth". The style sheet is that of
// [Docs], which must be registered at "/docs" below base.
func NewKit(base string) (*Kit, error) {
	layout, err := template.New("page.html").Parse(pageLayout)
	if err != nil {
		return nil, fmt.Errorf("web: layout: %w", err)
	}
	return &Kit{strings.TrimSuffix(base, "/"), layout}, nil
}

// Page is the layout with the template of one kind of page.
type Page struct {
	base string
	text *template.Template
}

// Page parses templates. They define "content", and may define "bar" for the end of the navigation bar. The data of both is
// a [Frame].
func (k *Kit) Page(files fs.FS, funcs template.FuncMap, names ...string) (*Page, error) {
	text, err := k.layout.Clone()
	if err == nil {
		text, err = text.Funcs(funcs).ParseFS(files, names...)
	}
	if err != nil {
		return nil, fmt.Errorf("web: page %v: %w", names, err)
	}
	return &Page{k.base, text}, nil
}

// Frame is the data that a page is rendered with.
type Frame struct {
	Title string // of the document, and its first heading
	// Narrow is for a page with one question, such as a sign-in.
	Narrow bool
	// Places are the links of the navigation bar; without links there is no bar.
	Places []Place
	// Notice is shown above the content, if it is not nil.
	Notice *Notice
	// Scripts are the paths of ES modules of this origin.
	Scripts []string
	// FormTargets are other origins that a form may lead to, such as the target of a redirect after it (CSP form-action).
	FormTargets []string
	// Data is the data of the page's own template.
	Data any
	// Base is the path of the kit. Render sets it.
	Base string
}

// Place is a link of the navigation bar.
type Place struct {
	Name, Path string
	Current    bool // it is the page itself
}

// Notice is a sentence above the content. A bad one is an alert.
type Notice struct {
	Text string
	Bad  bool
}

// Render replies with the page. Its headers forbid caches, frames and the header Referer.
func (p *Page) Render(c echo.Context, status int, f Frame) error {
	f.Base = p.base
	var body bytes.Buffer
	if err := p.text.Execute(&body, f); err != nil {
		return fmt.Errorf("web: page %q: %w", f.Title, err)
	}
	header := c.Response().Header()
	header.Set(echo.HeaderContentSecurityPolicy, strings.Replace(contentSecurityPolicy, "form-action 'none'",
		strings.Join(append([]string{"form-action 'self'"}, f.FormTargets...), " "), 1))
	header.Set(echo.HeaderCacheControl, "no-store")
	header.Set(echo.HeaderXContentTypeOptions, "nosniff")
	header.Set(echo.HeaderReferrerPolicy, "no-referrer")
	header.Set("Cross-Origin-Opener-Policy", "same-origin")
	return c.HTMLBlob(status, body.Bytes())
}
