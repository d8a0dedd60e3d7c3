package examples_test

import (
	"net/http"
	"testing"

	"github.com/labstack/echo/v4"
	"go.uber.org/fx"

	"github.com/picoauth/picoauth/app"
	"github.com/picoauth/picoauth/clientauth"
	"github.com/picoauth/picoauth/serverauth"
	"github.com/picoauth/picoauth/serverauth/sqlstore/postgres"
	"github.com/picoauth/picoauth/testutil"
)

// embeddedOn is an app with its own issuer, on a PostgreSQL database.
func embeddedOn(t *testing.T, url string) *testutil.App {
	t.Helper()
	return testutil.NewApp(t,
		app.ConfigMap(map[string]any{
			"app": map[string]any{"log_level": "error"},
			"server_auth": map[string]any{
				"storage_url": url, "key_encryption_key": encryptionKey, "algorithm": "EdDSA", "rate_limit_per_minute": 0,
				"auto_create_admin": true, "admin_password": adminPassword,
			},
		}),
		serverauth.Module, clientauth.Module, postgres.Module,
		fx.Invoke(func(e *echo.Echo) {
			e.GET("/api/profile", func(c echo.Context) error { return c.NoContent(http.StatusOK) })
		}),
	)
}
