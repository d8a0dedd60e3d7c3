package oauth_test

import (
	"fmt"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/picoauth/picoauth/testutil/services"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

const documentedReports = "https://reports.example.com"

// startProxy runs oauth2-proxy for a site that people know at an address, as its page says, and the server that it signs in with.
func startProxy(t *testing.T, listen, site string, replacements ...string) (issuer string) {
	t.Helper()
	issuer = runServer(t, documented(t, "nginx.md", "yaml", documentedReports, site), "OAUTH2_PROXY_CLIENT_SECRET="+secret)
	config := filepath.Join(t.TempDir(), "oauth2-proxy.cfg")
	text := documented(t, "nginx.md", "toml", append(replacements, documentedIssuer, issuer, documentedReports, site, "127.0.0.1:4180", listen)...)
	require.NoError(t, os.WriteFile(config, []byte(text), 0o600))
	command := exec.Command(build(t, "proxy", "github.com/oauth2-proxy/oauth2-proxy/v7"), "--config", config)
	command.Env = append(os.Environ(), "OAUTH2_PROXY_CLIENT_SECRET="+secret, "OAUTH2_PROXY_COOKIE_SECRET="+strings.Repeat("k", 32),
		"OAUTH2_PROXY_COOKIE_SECURE=false") // the site of the test has no https
	startProcess(t, command).awaitPort(t, listen)
	return issuer
}

// startSite runs a site that knows nothing of signing in.
func startSite(t *testing.T) string {
	t.Helper()
	site := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		_, _ = fmt.Fprint(w, "hello ", r.Header.Get("X-Forwarded-User"))
	}))
	t.Cleanup(site.Close)
	return site.URL
}

// signsInOnce visits the site twice.
func signsInOnce(t *testing.T, site, issuer string) {
	t.Helper()
	someone := newPerson(t)
	page, err := someone.visit(t.Context(), site+"/report", issuer)
	require.NoError(t, err)
	assert.Contains(t, strings.ToLower(page), "hello "+strings.ToLower(someone.wallet.Address))
	require.Len(t, someone.signed, 1)
	assert.Contains(t, someone.signed[0], "Sign in to Reports (")
	page, err = someone.visit(t.Context(), site+"/report", issuer)
	require.NoError(t, err)
	assert.Contains(t, page, "hello ")
	assert.Len(t, someone.signed, 1, "the proxy's own cookie was forgotten")
}

// oauth2-proxy in front of a page.
func TestOAuth2Proxy(t *testing.T) {
	listen := fmt.Sprintf("127.0.0.1:%d", services.FreePort(t))
	issuer := startProxy(t, listen, "http://"+listen, "static://202", startSite(t), "reverse_proxy = true\n", "", "set_xauthrequest = true\n", "")
	signsInOnce(t, "http://"+listen, issuer)
}

// nginx in front of a page, with oauth2-proxy beside it.
func TestNginx(t *testing.T) {
	listen, proxy := fmt.Sprintf("127.0.0.1:%d", services.FreePort(t)), fmt.Sprintf("127.0.0.1:%d", services.FreePort(t))
	issuer := startProxy(t, proxy, "http://"+listen)
	locations := documented(t, "nginx.md", "nginx", "http://127.0.0.1:4180", "http://"+proxy, "http://127.0.0.1:8080", startSite(t))
	services.StartNGINX(t, listen, "server {\n listen "+listen+";\n "+locations+"\n}")
	signsInOnce(t, "http://"+listen, issuer)
}
