package web

import (
	"bytes"
	"crypto/sha256"
	"encoding/base64"
	"net/http"
	"path"
	"time"

	"github.com/labstack/echo/v4"
)

// contentSecurityPolicy is the policy of every file. Page.Render replaces its form-action.
const contentSecurityPolicy = "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; " +
	"connect-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'"

// contentTypes are the media types by extension. They are not those of the operating system, whose tables differ.
var contentTypes = map[string]string{
	".html": "text/html; charset=utf-8",
	".css":  "text/css; charset=utf-8",
	".js":   "text/javascript; charset=utf-8",
	".ts":   "text/plain; charset=utf-8",
}

// file is a static file that browsers may store and must revalidate each time.
type file struct {
	content     []byte
	contentType string
	etag        string
	anyOrigin   bool // pages of other origins may import it
}

func newFile(name string, content []byte) *file {
	sum := sha256.Sum256(content)
	return &file{content: content, contentType: contentTypes[path.Ext(name)], etag: `"` + base64.RawURLEncoding.EncodeToString(sum[:16]) + `"`}
}

// RegisterFile adds a compiled-in file at a path, for GET and HEAD, and returns its routes, which need no authentication.
// The extension of name sets the media type: .html, .css, .js or .ts.
func RegisterFile(e *echo.Echo, path, name string, content []byte) []*echo.Route {
	return newFile(name, content).register(e, path)
}

// register adds the file at a path, for GET and HEAD.
func (f *file) register(e *echo.Echo, path string) []*echo.Route {
	return []*echo.Route{e.GET(path, f.serve), e.HEAD(path, f.serve)}
}

func (f *file) serve(c echo.Context) error {
	header := c.Response().Header()
	header.Set(echo.HeaderContentType, f.contentType)
	header.Set(echo.HeaderCacheControl, "public, no-cache")
	header.Set(echo.HeaderContentSecurityPolicy, contentSecurityPolicy)
	header.Set(echo.HeaderXContentTypeOptions, "nosniff")
	header.Set(echo.HeaderReferrerPolicy, "no-referrer")
	header.Set("ETag", f.etag)
	if f.anyOrigin {
		header.Set(echo.HeaderAccessControlAllowOrigin, "*")
		header.Set("Cross-Origin-Resource-Policy", "cross-origin")
	}
	for _, condition := range []string{"Range", "If-Range", "If-Match", "If-Unmodified-Since"} {
		c.Request().Header.Del(condition) // reply with the whole file or 304 only, never 206, 412 or 416
	}
	http.ServeContent(c.Response(), c.Request(), "", time.Time{}, bytes.NewReader(f.content))
	return nil
}
