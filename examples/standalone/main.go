// Standalone runs the auth server alone. It keeps its state in ./picoauth-data, or wherever storage_url says.
package main

import (
	"flag"

	"github.com/picoauth/picoauth/app"
	"github.com/picoauth/picoauth/serverauth"
	"github.com/picoauth/picoauth/serverauth/oauth"
	"github.com/picoauth/picoauth/serverauth/redisstore"
	"github.com/picoauth/picoauth/serverauth/sqlstore/postgres"
	"github.com/picoauth/picoauth/serverauth/sqlstore/sqlite"
)

func main() {
	config := flag.String("config", "", "YAML configuration `file` (default: application.yaml, if it is there)")
	flag.Parse()
	app.New(
		app.ConfigDefaults(map[string]any{"server_auth.data_dir": "picoauth-data"}),
		app.ConfigFlag(*config),
		serverauth.Module,
		oauth.Module,                                      // no client is known until one is configured
		serverauth.Home,                                   // GET /
		sqlite.Module, postgres.Module, redisstore.Module, // what storage_url can name
	).Run()
}
