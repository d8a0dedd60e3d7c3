// Bitcoinwallet adds a wallet algorithm of its own to the auth server: Bitcoin's signed messages.
package main

import (
	"flag"

	"go.uber.org/fx"

	"github.com/picoauth/picoauth/app"
	"github.com/picoauth/picoauth/serverauth"
)

func main() {
	config := flag.String("config", "", "YAML configuration `file` (default: application.yaml, if it is there)")
	flag.Parse()
	app.New(app.ConfigFlag(*config), options()).Run()
}

func options() fx.Option {
	return fx.Options(
		serverauth.Module,
		serverauth.AsWalletScheme(NewBitcoin), // allowed by being given
	)
}
