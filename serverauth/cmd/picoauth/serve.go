package main

import (
	"github.com/spf13/cobra"
	"go.uber.org/fx"

	"github.com/picoauth/picoauth/app"
	"github.com/picoauth/picoauth/app/config"
	"github.com/picoauth/picoauth/serverauth"
	"github.com/picoauth/picoauth/serverauth/console"
	"github.com/picoauth/picoauth/serverauth/oauth"
	"github.com/picoauth/picoauth/serverauth/redisstore"
	"github.com/picoauth/picoauth/serverauth/sqlstore/postgres"
	"github.com/picoauth/picoauth/serverauth/sqlstore/sqlite"
)

// serverDefaults are the program's own defaults: without a configuration, a server stores its state in a folder.
func serverDefaults() map[string]any { return map[string]any{"server_auth.data_dir": "picoauth-data"} }

func newServe() *cobra.Command {
	c := &cobra.Command{
		Use:   "serve",
		Short: "Run the server",
		Long: "Runs the server until SIGINT or SIGTERM. It reads application.yaml, if that is there, or the file that --config names, and\n" +
			"the environment; without a storage_url it keeps its state in data_dir. Its log goes to standard output.",
		Example: "  picoauth serve\n  picoauth serve --config /etc/picoauth/application.yaml\n  APP__PORT=9000 picoauth serve",
	}
	config := configFlag(c)
	c.RunE = func(*cobra.Command, []string) error {
		app.New(server(*config), serverauth.Home).Run()
		return nil
	}
	return c
}

// server returns the server that the program runs, with a configuration file.
func server(file string) fx.Option {
	if _, _, err := config.Describe(serverConfig(file)); err != nil {
		return fx.Error(err) // includes the checks of programSettings, before anything is built
	}
	return fx.Options(
		app.ConfigDefaults(serverDefaults()),
		app.ConfigFlag(file),
		serverauth.Module, oauth.Module, console.Module,
		sqlite.Module, postgres.Module, redisstore.Module, // the storages that storage_url can name
	)
}
