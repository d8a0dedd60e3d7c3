package web

import (
	"bytes"
	_ "embed"
	"fmt"
	"html/template"
	"slices"

	"github.com/labstack/echo/v4"
	"github.com/yuin/goldmark"
)

var (
	//go:embed docs.html
	docsLayout string
	//go:embed docs.css
	docsStyle []byte
)

// Docs is the page that shows an OpenAPI document: every endpoint with its fields, errors and examples.
type Docs struct {
	page, style, common *file
}

// NewDocs renders the page of an OpenAPI 3.1 document in JSON.
func NewDocs(document []byte) (*Docs, error) {
	api, err := readOpenAPI(document)
	if err != nil {
		return nil, fmt.Errorf("web: OpenAPI document: %w", err)
	}
	text, err := template.New("docs.html").Funcs(template.FuncMap{"markdown": markdown, "example": example}).Parse(docsLayout)
	if err != nil {
		return nil, fmt.Errorf("web: page of the OpenAPI document: %w", err)
	}
	var page bytes.Buffer
	if err := text.Execute(&page, api); err != nil {
		return nil, fmt.Errorf("web: page of the OpenAPI document: %w", err)
	}
	return &Docs{newFile("docs.html", page.Bytes()), newFile("docs.css", docsStyle), newFile("page.css", pageStyle)}, nil
}

// Register adds the page at a path, and below that path docs.css and page.css, the style sheet of every [Page]. The page
// links to openapi.json in the same folder as itself. Register returns the routes, which need no authentication.
func (d *Docs) Register(e *echo.Echo, path string) []*echo.Route {
	return slices.Concat(d.page.register(e, path), d.style.register(e, path+"/docs.css"), d.common.register(e, path+"/page.css"))
}

// markdown renders a description as HTML. Raw HTML in it is left out.
func markdown(text string) (template.HTML, error) {
	var out bytes.Buffer
	if err := goldmark.Convert([]byte(text), &out); err != nil {
		return "", err
	}
	return template.HTML(out.String()), nil //nolint:gosec // goldmark escapes, and the text is our own document's
}
