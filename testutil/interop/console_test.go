package interop_test

import (
	"testing"

	"github.com/picoauth/picoauth/testutil/services"
)

// TestConsole drives the pages of the console and of the account in a browser.
func TestConsole(t *testing.T) {
	find(t, "node", "node")
	chromium := findChromium(t)
	installPackages(t, ".")
	watchFiles(t, "console", "browser", "../../serverauth/console", "../../serverauth/web")
	const email, password = "admin@example.com", "correct horse battery"
	base := server{port: services.FreePort(t), program: "../../serverauth/cmd/picoauth", command: []string{"serve"}, env: []string{
		"SERVER_AUTH__CONSOLE_ENABLED=true", "SERVER_AUTH__AUTO_CREATE_ADMIN=true", "SERVER_AUTH__STORAGE_URL=memory:",
		"SERVER_AUTH__ADMIN_EMAIL=" + email, "SERVER_AUTH__ADMIN_PASSWORD=" + password,
	}}.start(t)
	runScripts(t, 5, "console/*.test.mjs", "PICOAUTH_URL="+base, "PICOAUTH_CHROMIUM="+chromium, "PICOAUTH_EMAIL="+email, "PICOAUTH_PASSWORD="+password)
}
