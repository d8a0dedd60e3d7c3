package main

import (
	"bytes"
	"crypto/sha256"
	"embed"
	"fmt"
	"io/fs"
	"net/http"
	"path"
	"time"

	"github.com/labstack/echo/v4"

	"github.com/picoauth/picoauth/clientauth"
)

//go:embed page
var files embed.FS

// contentPolicy lets the page run its own modules, apply its own style sheet, call its own server and show the icons
// that wallets announce, which are data URIs (EIP-6963); nothing else.
const contentPolicy = "default-src 'none'; script-src 'self'; style-src 'self'; connect-src 'self'; img-src 'self' data:; " +
	"base-uri 'none'; form-action 'none'; frame-ancestors 'none'"

// Page serves the files of the page to everyone.
type Page struct {
	policy *clientauth.Policy
}

// NewPage returns the page.
func NewPage(policy *clientauth.Policy) *Page { return &Page{policy: policy} }

// Register adds one route a file, so that a path which is no file stays as closed as any other.
func (p *Page) Register(e *echo.Echo) error {
	return fs.WalkDir(files, "page", func(name string, entry fs.DirEntry, err error) error {
		if err != nil || entry.IsDir() {
			return err
		}
		content, err := files.ReadFile(name)
		if err != nil {
			return err
		}
		route := "/" + path.Base(name)
		if route == "/index.html" {
			route = "/"
		}
		p.policy.AllowAnonymous(e.GET(route, serve(path.Ext(name), content)))
		return nil
	})
}

// serve answers with a file that browsers may keep and must ask about each time.
func serve(extension string, content []byte) echo.HandlerFunc {
	tag := fmt.Sprintf(`"%x"`, sha256.Sum256(content))
	contentType := contentTypes[extension]
	return func(c echo.Context) error {
		header := c.Response().Header()
		header.Set(echo.HeaderContentType, contentType)
		header.Set(echo.HeaderContentSecurityPolicy, contentPolicy)
		header.Set(echo.HeaderCacheControl, "no-cache")
		header.Set("ETag", tag)
		http.ServeContent(c.Response(), c.Request(), "", time.Time{}, bytes.NewReader(content))
		return nil
	}
}

// contentTypes are not left to the machine's MIME table: browsers run no module that is not called JavaScript.
var contentTypes = map[string]string{
	".html": "text/html; charset=utf-8",
	".css":  "text/css; charset=utf-8",
	".js":   "text/javascript; charset=utf-8",
	".svg":  "image/svg+xml",
}
