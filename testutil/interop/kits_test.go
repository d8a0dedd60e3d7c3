package interop_test

import (
	"fmt"
	"os"
	"regexp"
	"strings"
	"testing"

	"github.com/picoauth/picoauth/testutil/services"
)

const clientPage = "../../serverauth/web/client/README.md"

// TestKits runs the code of the client's README in a browser: each page signs in with its kit from npm. The pages are on
// another origin than the server, which has the README's settings.
func TestKits(t *testing.T) {
	find(t, "node", "node")
	chromium := findChromium(t)
	installPackages(t, ".")
	installPackages(t, "kits")
	watchFiles(t, ".", program, "../../serverauth/web")

	port := services.FreePort(t)
	site := fmt.Sprintf("localhost:%d", port)
	base := server{port: services.FreePort(t), config: settingsOfPage(t, site)}.start(t)
	forgetful := server{port: services.FreePort(t), env: []string{
		"APP__CORS_ORIGINS=http://" + site, "SERVER_AUTH__ALLOWED_DOMAINS=" + fmt.Sprintf("127.0.0.1:%d", port),
	}}.start(t)
	runScripts(t, 16, "kits/*.test.mjs", "PICOAUTH_URL="+base, "PICOAUTH_CHROMIUM="+chromium,
		fmt.Sprintf("PICOAUTH_PAGE_PORT=%d", port), "PICOAUTH_FORGETFUL_URL="+forgetful)
}

// settingsOfPage returns the README's settings, for another site.
func settingsOfPage(t *testing.T, site string) string {
	t.Helper()
	page, err := os.ReadFile(clientPage)
	if err != nil {
		t.Fatal(err)
	}
	found := regexp.MustCompile("(?s)```yaml\n(.*?)```").FindSubmatch(page)
	if found == nil {
		t.Fatal("the README has no settings")
	}
	return strings.NewReplacer("https://shop.example.com", "http://"+site, "shop.example.com", site).Replace(string(found[1]))
}
