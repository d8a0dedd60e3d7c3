package web

import (
	"embed"

	"github.com/labstack/echo/v4"
)

//go:embed client/client.js client/client.d.ts
var clientFiles embed.FS

// RegisterClient adds client.js and client.d.ts below a path and returns their routes. They need no authentication: pages
// of other origins import the module from here.
func RegisterClient(e *echo.Echo, path string) (routes []*echo.Route) {
	for _, name := range []string{"client.js", "client.d.ts"} {
		content, err := clientFiles.ReadFile("client/" + name)
		if err != nil {
			panic("web: a compiled-in file is missing: " + name)
		}
		f := newFile(name, content)
		f.anyOrigin = true
		routes = append(routes, f.register(e, path+"/"+name)...)
	}
	return routes
}
