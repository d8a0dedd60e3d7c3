// Package apidocs shows the OpenAPI document of the auth server as a page, GET /api/v1/auth/docs, on which one can also
// try the endpoints. It is optional: whoever does not import it does not carry its half a megabyte.
//
//	app.New(serverauth.Module, apidocs.Module, clientauth.Module).Run()
//
// The page is Swagger UI, compiled in and served from the same origin, with nothing from a CDN. Its
// Content-Security-Policy allows neither inline scripts nor any other origin, so that what is typed into it, a token
// perhaps, goes to this server and nowhere else. It shows no other document than this server's own.
package apidocs

import (
	"github.com/labstack/echo/v4"

	"github.com/picoauth/picoauth/serverauth"
)

// contentSecurityPolicy is that of the page. Swagger UI has its icons in data URLs.
const contentSecurityPolicy = "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; " +
	"connect-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'"

// Register adds the page and its files to an echo that has the routes of [serverauth.AuthController], and returns the
// routes, which are for everyone. It returns an error if the files cannot be read, which is a defect of the build.
func Register(e *echo.Echo) ([]*echo.Route, error) {
	const page = serverauth.Prefix + "/docs"
	files, err := readFiles()
	if err != nil {
		return nil, err
	}
	var routes []*echo.Route
	for _, f := range files {
		path := page
		if f.name != pageName {
			path += "/" + f.name
		}
		routes = append(routes, e.GET(path, f.serve), e.HEAD(path, f.serve))
	}
	return routes, nil
}
