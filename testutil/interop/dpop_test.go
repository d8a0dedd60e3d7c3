package interop_test

import (
	"fmt"
	"net/http"
	"testing"

	"github.com/labstack/echo/v4"
	"go.uber.org/fx"

	"github.com/picoauth/picoauth/app"
	"github.com/picoauth/picoauth/clientauth"
	"github.com/picoauth/picoauth/serverauth"
	"github.com/picoauth/picoauth/serverauth/oauth"
	"github.com/picoauth/picoauth/testutil"
	"github.com/picoauth/picoauth/testutil/services"
)

// TestDPoP binds tokens to keys of dpop and oauth4webapi from npm, and calls a route that wants nonces with them.
func TestDPoP(t *testing.T) {
	find(t, "node", "node")
	installPackages(t, "dpop")
	watchFiles(t, "dpop")
	const secret = "a secret of a client that makes reports"
	port := services.FreePort(t)
	base := fmt.Sprintf("http://localhost:%d", port)
	testutil.NewApp(t, serverauth.Module, oauth.Module, clientauth.Module, app.ConfigMap(map[string]any{
		"app":         map[string]any{"port": port, "host": "localhost"},
		"server_auth": map[string]any{"issuer": base, "rate_limit_per_minute": 0},
		"auth_client": map[string]any{"dpop_nonce": true},
		"oauth":       map[string]any{"clients": []any{map[string]any{"id": "reports", "secret": secret, "grants": []any{"client_credentials"}}}},
	}), fx.Invoke(func(e *echo.Echo) {
		e.GET("/api/profile", func(c echo.Context) error { return c.NoContent(http.StatusOK) })
	}))
	runScripts(t, 9, "dpop/*.test.mjs", "PICOAUTH_URL="+base, "PICOAUTH_CLIENT_SECRET="+secret)
}
