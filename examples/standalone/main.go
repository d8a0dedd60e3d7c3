// Standalone runs the auth server alone.
package main

import (
	"flag"

	"github.com/picoauth/picoauth/app"
	"github.com/picoauth/picoauth/serverauth"
)

func main() {
	config := flag.String("config", "", "YAML configuration `file` (default: application.yaml, if it is there)")
	flag.Parse()
	app.New(
		app.ConfigFlag(*config),
		serverauth.Module,
	).Run()
}
