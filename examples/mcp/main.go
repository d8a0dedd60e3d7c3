// Mcp is an MCP server (streamable HTTP, at /mcp) whose tools are for people who signed in with a wallet. README.md says how
// a client comes to them.
package main

import (
	"flag"

	"go.uber.org/fx"

	"github.com/picoauth/picoauth/app"
	"github.com/picoauth/picoauth/clientauth"
)

func main() {
	config := flag.String("config", "", "YAML configuration `file` (default: application.yaml, if it is there)")
	flag.Parse()
	app.New(defaults, app.ConfigFlag(*config), program).Run()
}

// defaults are those of a server beside examples/standalone.
var defaults = app.ConfigDefaults(map[string]any{
	"app": map[string]any{"port": 8400},
	"auth_client": map[string]any{
		"issuer": "http://localhost:8100", "resource": "http://localhost:8400/mcp", "resource_name": "picoauth's example of MCP",
	},
})

var program = fx.Options(clientauth.Module, fx.Invoke(register))
