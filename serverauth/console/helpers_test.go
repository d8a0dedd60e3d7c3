package console_test

import (
	"io"
	"net/http"
	"net/http/cookiejar"
	"net/url"
	"regexp"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"go.uber.org/fx"

	"github.com/picoauth/picoauth/app"
	"github.com/picoauth/picoauth/clientauth"
	"github.com/picoauth/picoauth/serverauth"
	"github.com/picoauth/picoauth/serverauth/console"
	"github.com/picoauth/picoauth/testutil"
)

const (
	email    = "admin@example.com"
	password = "correct horse battery"
)

// newServer runs a server with both groups of pages, behind a validator that asks everybody for a token.
func newServer(t *testing.T, settings map[string]any, options ...fx.Option) string {
	t.Helper()
	values := map[string]any{
		"server_auth.console_enabled": true, "server_auth.auto_create_admin": true, "server_auth.admin_email": email,
		"server_auth.admin_password": password, "server_auth.mint_audit_min_ttl_seconds": 0,
	}
	for key, value := range settings {
		values[key] = value
	}
	return testutil.NewApp(t, append([]fx.Option{serverauth.Module, clientauth.Module, console.Module, app.ConfigMap(values)}, options...)...).URL
}

// browser keeps cookies and follows links as a person does.
type browser struct {
	*http.Client
	t    *testing.T
	base string
}

func newBrowser(t *testing.T, base string) *browser {
	t.Helper()
	jar, err := cookiejar.New(nil)
	require.NoError(t, err)
	return &browser{&http.Client{Jar: jar}, t, base + serverauth.Prefix}
}

func (b *browser) read(reply *http.Response, err error) (int, string) {
	b.t.Helper()
	require.NoError(b.t, err)
	defer reply.Body.Close()
	body, err := io.ReadAll(reply.Body)
	require.NoError(b.t, err)
	text := string(body)
	if strings.HasPrefix(reply.Header.Get("Content-Type"), "text/html") {
		assert.NotContains(b.t, text, "<no value>")
		assert.NotRegexp(b.t, ` (style|on\w+)="`, text, "what the policy forbids")
		assert.Equal(b.t, "no-store", reply.Header.Get("Cache-Control"))
		assert.Contains(b.t, reply.Header.Get("Content-Security-Policy"), "default-src 'none'; script-src 'self';")
		assert.NotRegexp(b.t, `eyJ[\w-]+\.`, text, "no token comes to a page")
	}
	return reply.StatusCode, text
}

func (b *browser) get(path string) (int, string) {
	b.t.Helper()
	return b.read(b.Get(b.base + path))
}

var formToken = regexp.MustCompile(`name="csrf" value="(\w+)"`)

// send sends a form of the page at a path.
func (b *browser) send(page, path string, fields map[string]string) (int, string) {
	b.t.Helper()
	_, text := b.get(page)
	found := formToken.FindStringSubmatch(text)
	require.NotNil(b.t, found, text)
	values := url.Values{"csrf": {found[1]}}
	for name, value := range fields {
		values.Set(name, value)
	}
	return b.read(b.PostForm(b.base+path, values))
}

// administrator is a browser of somebody with a role of operators.
func administrator(t *testing.T, base string) *browser {
	t.Helper()
	b := newBrowser(t, base)
	status, text := b.send("/console", "/account/sign-in", map[string]string{"email": email, "password": password, "next": "/console"})
	require.Equal(t, http.StatusOK, status)
	require.Contains(t, text, "<h1>Overview</h1>")
	return b
}
