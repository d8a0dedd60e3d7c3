package oauth_test

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/picoauth/picoauth/testutil/services"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// httpdConfig is what Apache needs beside what the page shows.
const httpdConfig = `
ServerName localhost
ServerRoot "{{dir}}"
Listen 127.0.0.1:{{port}}
PidFile "{{dir}}/httpd.pid"
ErrorLog "{{dir}}/error.log"
DocumentRoot "{{dir}}/site"
LoadModule mpm_event_module {{modules}}/mod_mpm_event.so
LoadModule authn_core_module {{modules}}/mod_authn_core.so
LoadModule authz_core_module {{modules}}/mod_authz_core.so
LoadModule authz_user_module {{modules}}/mod_authz_user.so
LoadModule dir_module {{modules}}/mod_dir.so
LoadModule headers_module {{modules}}/mod_headers.so
LoadModule auth_openidc_module {{modules}}/mod_auth_openidc.so
User www-data
Group www-data
`

// Debian's Apache with mod_auth_openidc in front of a page.
func TestApache(t *testing.T) {
	const modules = "/usr/lib/apache2/modules"
	httpd, err := lookPath("apache2")
	if err != nil {
		services.Missing(t, "apache2 is NOT installed (Debian: apache2)")
	}
	if _, err := os.Stat(modules + "/mod_auth_openidc.so"); err != nil {
		services.Missing(t, "mod_auth_openidc is NOT installed (Debian: libapache2-mod-auth-openidc)")
	}
	port, dir := services.FreePort(t), t.TempDir()
	address := fmt.Sprintf("localhost:%d", port)
	require.NoError(t, os.Chmod(filepath.Dir(dir), 0o711))                                                          //nolint:gosec // Apache comes through it as another user
	require.NoError(t, os.MkdirAll(filepath.Join(dir, "site"), 0o755))                                              //nolint:gosec // Apache reads it as another user
	require.NoError(t, os.WriteFile(filepath.Join(dir, "site", "index.html"), []byte("the page behind it"), 0o644)) //nolint:gosec // the same
	const documentedSite = "https://wiki.example.com"
	site := "http://" + address
	issuer := runServer(t, documented(t, "apache.md", "yaml", documentedSite, site), "WIKI_SECRET="+secret)
	config := filepath.Join(dir, "httpd.conf")
	text := strings.NewReplacer("{{dir}}", dir, "{{port}}", fmt.Sprint(port), "{{modules}}", modules).Replace(httpdConfig) +
		documented(t, "apache.md", "apache", documentedIssuer, issuer, documentedSite, site)
	require.NoError(t, os.WriteFile(config, []byte(text), 0o600))
	command := exec.Command(httpd, "-f", config, "-DFOREGROUND")
	command.Env = append(os.Environ(), "WIKI_SECRET="+secret, "WIKI_PASSPHRASE=a-passphrase-of-the-site-itself")
	startProcess(t, command).awaitPort(t, fmt.Sprintf("127.0.0.1:%d", port))
	t.Cleanup(func() {
		if log, err := os.ReadFile(filepath.Join(dir, "error.log")); err == nil && t.Failed() {
			t.Logf("error.log:\n%s", log)
		}
	})

	someone := newPerson(t)
	page, err := someone.visit(t.Context(), site+"/", issuer)
	require.NoError(t, err)
	assert.Equal(t, "the page behind it", page)
	assert.Len(t, someone.signed, 1)
	reply, err := someone.browser.Get(site + "/") //nolint:noctx // the browser has its own time
	require.NoError(t, err)
	require.NoError(t, reply.Body.Close())
	assert.True(t, strings.HasPrefix(strings.ToLower(reply.Header.Get("X-Signed-In-As")), strings.ToLower(someone.wallet.Address)), "%v", reply.Header)
}
