package interop_test

import (
	"testing"

	"github.com/picoauth/picoauth/testutil/services"
)

// standalone is the program whose pages of /authorize and /device are tested.
const standalone = "../../examples/standalone"

// TestAuthorize signs in to a program by the pages of /authorize and /device, in a browser with wallets.
func TestAuthorize(t *testing.T) {
	find(t, "node", "node")
	chromium := findChromium(t)
	installPackages(t, ".")
	watchFiles(t, ".", standalone, "../../serverauth/web", "../../serverauth/oauth")
	base := server{port: services.FreePort(t), program: standalone, config: `
server_auth: {auto_create_admin: true, admin_password: correct horse, algorithm: EdDSA}
oauth:
  clients:
    - id: tool
      name: The tool
      redirect_uris: ["http://127.0.0.1/callback"]
      scopes: [openid, profile, groups, email, wallet, tools]
    - id: television
      name: The television
      grants: ["urn:ietf:params:oauth:grant-type:device_code", refresh_token]
  resources:
    - {uri: "https://mcp.example.com/mcp", name: Tools, open: true, scopes: {tools: use the tools}}
`}.start(t)
	runScripts(t, 23, "authorize/*.test.mjs", "PICOAUTH_URL="+base, "PICOAUTH_CHROMIUM="+chromium)
}
