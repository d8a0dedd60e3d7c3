package apidocs_test

import (
	"io"
	"net/http"
	"net/http/httptest"
	"regexp"
	"strings"
	"testing"

	"github.com/labstack/echo/v4"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/picoauth/picoauth/clientauth"
	"github.com/picoauth/picoauth/serverauth"
	"github.com/picoauth/picoauth/serverauth/apidocs"
	"github.com/picoauth/picoauth/testutil"
	"github.com/picoauth/picoauth/testutil/openapitest"
)

const page = serverauth.Prefix + "/docs"

var (
	linked = regexp.MustCompile(`(?:src|href)="(docs/[^"]+)"`)
	script = regexp.MustCompile(`(?s)<script[^>]*>(.*?)</script>`)
)

// newEcho has the page and nothing else.
func newEcho(t testing.TB) *echo.Echo {
	t.Helper()
	e := echo.New()
	docs, err := apidocs.New()
	require.NoError(t, err)
	docs.Register(e, page)
	return e
}

func get(e *echo.Echo, method, path string, header ...string) *httptest.ResponseRecorder {
	request := httptest.NewRequest(method, path, nil)
	for i := 0; i < len(header); i += 2 {
		request.Header.Set(header[i], header[i+1])
	}
	recorder := httptest.NewRecorder()
	e.ServeHTTP(recorder, request)
	return recorder
}

func TestPageBringsAllThatItNeeds(t *testing.T) {
	e := newEcho(t)
	text := get(e, http.MethodGet, page).Body.String()
	files := linked.FindAllStringSubmatch(text, -1)
	require.Len(t, files, 4)
	for _, file := range files {
		assert.Equal(t, http.StatusOK, get(e, http.MethodGet, serverauth.Prefix+"/"+file[1]).Code, file[1])
	}
	assert.NotContains(t, text, "//", "no address of anybody else")
}

// TestPageObeysItsPolicy has no browser: it looks for what the policy would stop.
func TestPageObeysItsPolicy(t *testing.T) {
	reply := get(newEcho(t), http.MethodGet, page)
	policy := reply.Header().Get("Content-Security-Policy")
	assert.Contains(t, policy, "default-src 'none'; script-src 'self';")
	assert.NotContains(t, policy, "unsafe")
	for _, inline := range script.FindAllStringSubmatch(reply.Body.String(), -1) {
		assert.Empty(t, inline[1])
	}
	assert.NotContains(t, reply.Body.String(), "<style")
	assert.NotRegexp(t, ` (style|on\w+)=`, reply.Body.String())
}

func TestFile(t *testing.T) {
	const bundle = page + "/swagger-ui-bundle.js"
	e := newEcho(t)
	packed := get(e, http.MethodGet, bundle, "Accept-Encoding", "br, gzip;q=0.8")
	tag := packed.Header().Get("ETag")
	tests := []struct {
		name, method, path string
		header             []string
		status             int
		contentType        string
		encoding           string
		empty              bool
	}{
		{"the page", "GET", page, nil, 200, "text/html; charset=utf-8", "", false},
		{"the page, HEAD", "HEAD", page, nil, 200, "text/html; charset=utf-8", "", true},
		{"script, compressed", "GET", bundle, []string{"Accept-Encoding", "gzip, deflate"}, 200, "text/javascript; charset=utf-8", "gzip", false},
		{"script, plain", "GET", bundle, nil, 200, "text/javascript; charset=utf-8", "", false},
		{"script, compression refused", "GET", bundle, []string{"Accept-Encoding", "gzip;q=0"}, 200, "text/javascript; charset=utf-8", "", false},
		{"style sheet", "GET", page + "/swagger-ui.css", nil, 200, "text/css; charset=utf-8", "", false},
		{"unchanged", "GET", bundle, []string{"Accept-Encoding", "gzip", "If-None-Match", tag}, 304, "", "", true},
		{"the other form is another", "GET", bundle, []string{"If-None-Match", tag}, 200, "text/javascript; charset=utf-8", "", false},
		{"no other files", "GET", page + "/files.go", nil, 404, "application/json", "", false},
		{"no folders", "GET", page + "/", nil, 404, "application/json", "", false},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			reply := get(e, test.method, test.path, test.header...)
			assert.Equal(t, test.status, reply.Code)
			assert.Equal(t, test.contentType, reply.Header().Get("Content-Type"))
			assert.Equal(t, test.encoding, reply.Header().Get("Content-Encoding"))
			assert.Equal(t, test.empty, reply.Body.Len() == 0)
			if test.status == http.StatusOK {
				assert.Equal(t, "public, no-cache", reply.Header().Get("Cache-Control"))
				assert.Equal(t, "Accept-Encoding", reply.Header().Get("Vary"))
				assert.Equal(t, "nosniff", reply.Header().Get("X-Content-Type-Options"))
			}
		})
	}
	plain := get(e, http.MethodGet, bundle).Body.String()
	assert.Contains(t, plain, "SwaggerUIBundle")
	assert.Greater(t, len(plain), packed.Body.Len())
}

// TestInAnApp has a validator in front that asks everybody for a token.
func TestInAnApp(t *testing.T) {
	const issuer = "http://localhost:8100"
	document, err := serverauth.OpenAPI(issuer)
	require.NoError(t, err)
	running := testutil.NewApp(t, serverauth.Module, clientauth.Module)
	client := &http.Client{Transport: openapitest.ValidateReplies(t, nil, document)}
	for _, path := range []string{page, page + "/page.js", page + "/swagger-ui.css"} {
		reply, err := client.Get(running.URL + path)
		require.NoError(t, err)
		body, err := io.ReadAll(reply.Body)
		require.NoError(t, err)
		require.NoError(t, reply.Body.Close())
		assert.Equal(t, http.StatusOK, reply.StatusCode, path)
		assert.NotEmpty(t, body, path)
		assert.True(t, strings.HasPrefix(reply.Header.Get("Content-Security-Policy"), "default-src 'none'"), path)
	}
	reply, err := http.Get(running.URL + page + "/unknown") // no file: nothing that the document describes
	require.NoError(t, err)
	require.NoError(t, reply.Body.Close())
	assert.Equal(t, http.StatusUnauthorized, reply.StatusCode)
}
