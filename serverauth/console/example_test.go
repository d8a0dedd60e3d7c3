package console_test

import (
	"context"
	"fmt"
	"net/http"

	"go.uber.org/fx"

	"github.com/picoauth/picoauth/app"
	"github.com/picoauth/picoauth/serverauth"
	"github.com/picoauth/picoauth/serverauth/console"
)

// An auth server with the account page, and the console for its operators.
func Example() {
	var server *app.Server
	running := app.New(
		serverauth.Module,
		console.Module,
		app.ConfigMap(map[string]any{"app.port": 0, "app.log_level": "error", "server_auth.console_enabled": true}),
		fx.Populate(&server),
	)
	ctx := context.Background()
	if err := running.Start(ctx); err != nil {
		fmt.Println(err)
		return
	}
	defer func() { _ = running.Stop(ctx) }()
	for _, path := range []string{"/account", "/console"} {
		reply, err := http.Get("http://" + server.Addr().String() + serverauth.Prefix + path)
		if err != nil {
			fmt.Println(err)
			return
		}
		_ = reply.Body.Close()
		fmt.Println(path, reply.StatusCode, reply.Header.Get("Content-Type"))
	}
	// Output:
	// /account 200 text/html; charset=UTF-8
	// /console 200 text/html; charset=UTF-8
}
