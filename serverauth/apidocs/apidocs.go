// Package apidocs shows the OpenAPI document of the auth server as a page, GET /api/v1/auth/docs, on which one can also
// try the endpoints.
//
// The page is Swagger UI, compiled in (half a megabyte) and served from the same origin, with nothing from a CDN. Its
// Content-Security-Policy allows neither inline scripts nor any other origin, so that what is typed into it, a token
// perhaps, goes to this server and nowhere else. It shows no other document than this server's own.
package apidocs

import "github.com/labstack/echo/v4"

// contentSecurityPolicy is that of the page. Swagger UI has its icons in data URLs.
const contentSecurityPolicy = "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; " +
	"connect-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'"

// Page is the page with its files.
type Page struct {
	files []*file
}

// New returns the page. It returns an error if the files cannot be read, which is a defect of the build.
func New() (*Page, error) {
	files, err := readFiles()
	return &Page{files}, err
}

// Register adds the page at a path, beside which openapi.json is, and its files below that path. It returns the routes,
// which are for everyone.
func (p *Page) Register(e *echo.Echo, path string) (routes []*echo.Route) {
	for _, f := range p.files {
		place := path
		if f.name != pageName {
			place += "/" + f.name
		}
		routes = append(routes, e.GET(place, f.serve), e.HEAD(place, f.serve))
	}
	return routes
}
