package web

import (
	_ "embed"
	"slices"

	"github.com/labstack/echo/v4"
)

var (
	//go:embed client/client.js
	clientScript []byte
	//go:embed client/client.d.ts
	clientTypes []byte
)

// RegisterClient adds client.js and client.d.ts below a path and returns their routes. They need no authentication: pages
// of other origins import the module from here.
func RegisterClient(e *echo.Echo, path string) []*echo.Route {
	script, types := newFile("client.js", clientScript), newFile("client.d.ts", clientTypes)
	script.anyOrigin, types.anyOrigin = true, true
	return slices.Concat(script.register(e, path+"/client.js"), types.register(e, path+"/client.d.ts"))
}
