// Resource is a service that accepts the tokens of an auth server elsewhere.
package main

import (
	"flag"
	"net/http"

	"github.com/labstack/echo/v4"
	"go.uber.org/fx"

	"github.com/picoauth/picoauth/app"
	"github.com/picoauth/picoauth/clientauth"
)

func main() {
	config := flag.String("config", "", "YAML configuration `file` (default: application.yaml, if it is there)")
	flag.Parse()
	app.New(
		app.ConfigDefaults(map[string]any{
			"app":         map[string]any{"port": 8200},
			"auth_client": map[string]any{"issuer": "http://localhost:8100", "audience": "pico"},
		}),
		app.ConfigFlag(*config),
		clientauth.Module,
		fx.Invoke(register),
	).Run()
}

func register(e *echo.Echo) {
	e.GET("/api/profile", func(c echo.Context) error {
		user, ok := clientauth.FromContext(c.Request().Context())
		if !ok {
			return echo.ErrUnauthorized
		}
		return c.JSON(http.StatusOK, map[string]string{"subject": user.Subject, "role": user.Role})
	})
}
