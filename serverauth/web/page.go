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

// NewKit returns a kit for pages below a path as browsers see it, such as "/api/v1/auth", where the page of [Docs] is at
// "/docs" and has the style sheet.
func NewKit(base string) (*Kit, error) {
	layout, err := template.New("page.html").Parse(pageLayout)
	if err != nil {
		return nil, fmt.Errorf("web: layout: %w", err)
	}
	return &Kit{strings.TrimSuffix(base, "/"), layout}, nil
}

// Page is a kind of page: the layout around a template of its own.
type Page struct {
	base string
	text *template.Template
}

// Page reads templates. They define "content", and may define "bar" for the end of the bar; in both the dot is a [Frame].
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

// Frame is what a page is rendered with.
type Frame struct {
	Title string // of the document, and its first heading
	// Narrow is for a page of one question, such as a sign-in.
	Narrow bool
	// Places are the links of the bar; none: there is no bar.
	Places []Place
	// Notice tells what has happened.
	Notice *Notice
	// Scripts are paths of modules of this origin.
	Scripts []string
	// FormTargets are the other origins that a form may lead to, such as that of a redirect which answers it.
	FormTargets []string
	// Data is the page's own.
	Data any
	// Base is set by the kit: the path that it was made with.
	Base string
}

// Place is a link of the bar.
type Place struct {
	Name, Path string
	Current    bool // it is this page
}

// Notice is a sentence above the content. A bad one is an alert.
type Notice struct {
	Text string
	Bad  bool
}

// Render answers a request with the page. Nobody keeps it, frames it, or learns its address.
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
