package web_test

import (
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
	"github.com/picoauth/picoauth/serverauth/web"
	"github.com/picoauth/picoauth/testutil"
	"github.com/picoauth/picoauth/testutil/openapitest"
)

const page = serverauth.Prefix + "/docs"

func newEcho(t testing.TB) *echo.Echo {
	t.Helper()
	e := echo.New()
	document, err := serverauth.OpenAPI("http://localhost:8100")
	require.NoError(t, err)
	docs, err := web.NewDocs(document)
	require.NoError(t, err)
	docs.Register(e, page)
	web.RegisterClient(e, serverauth.Prefix)
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

func TestDocsShowEveryEndpoint(t *testing.T) {
	text := get(newEcho(t), http.MethodGet, page).Body.String()
	for _, route := range []string{"sign-in", "revoked-jtis", "keys/{kid}/compromised"} {
		assert.Contains(t, text, serverauth.Prefix+"/"+route)
	}
	anchors := regexp.MustCompile(`href="#([^"]+)"`).FindAllStringSubmatch(text, -1)
	require.Greater(t, len(anchors), 40)
	for _, anchor := range anchors {
		assert.Contains(t, text, `id="`+anchor[1]+`"`, "a link that leads nowhere")
	}
}

// TestPagesObeyTheirPolicy looks for what the policy would stop.
func TestPagesObeyTheirPolicy(t *testing.T) {
	reply := get(newEcho(t), http.MethodGet, page)
	policy := reply.Header().Get("Content-Security-Policy")
	assert.Contains(t, policy, "default-src 'none'; script-src 'self';")
	assert.NotContains(t, policy, "unsafe")
	body := reply.Body.String()
	assert.NotContains(t, body, "<script")
	assert.NotContains(t, body, "<style")
	assert.NotRegexp(t, ` (style|on\w+)="`, body)
	assert.NotRegexp(t, `(src|href)="(https?:)?//`, body, "no address of anybody else")
}

func TestDocsOfABrokenDocument(t *testing.T) {
	for _, document := range []string{``, `[]`, `{"paths":{"/a":{"get":{"responses":{"200":{"$ref":"#/components/responses/None"}}}}}}`} {
		_, err := web.NewDocs([]byte(document))
		assert.Error(t, err, document)
	}
}

func TestFiles(t *testing.T) {
	e := newEcho(t)
	client := serverauth.Prefix + "/client.js"
	tag := get(e, http.MethodGet, client).Header().Get("ETag")
	tests := []struct {
		name, method, path string
		header             []string
		status             int
		contentType        string
		empty              bool
	}{
		{"the page", "GET", page, nil, 200, "text/html; charset=utf-8", false},
		{"the page, HEAD", "HEAD", page, nil, 200, "text/html; charset=utf-8", true},
		{"style sheet", "GET", page + "/docs.css", nil, 200, "text/css; charset=utf-8", false},
		{"style sheet of all pages", "GET", page + "/page.css", nil, 200, "text/css; charset=utf-8", false},
		{"client", "GET", client, nil, 200, "text/javascript; charset=utf-8", false},
		{"types", "GET", serverauth.Prefix + "/client.d.ts", nil, 200, "text/plain; charset=utf-8", false},
		{"unchanged", "GET", client, []string{"If-None-Match", tag}, 304, "", true},
		{"a part is the whole", "GET", client, []string{"Range", "bytes=0-3"}, 200, "text/javascript; charset=utf-8", false},
		{"no other files", "GET", page + "/docs.go", nil, 404, "application/json", false},
		{"no package.json", "GET", serverauth.Prefix + "/package.json", nil, 404, "application/json", false},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			reply := get(e, test.method, test.path, test.header...)
			assert.Equal(t, test.status, reply.Code)
			assert.Equal(t, test.contentType, reply.Header().Get("Content-Type"))
			assert.Equal(t, test.empty, reply.Body.Len() == 0)
			if test.status == http.StatusOK {
				assert.Equal(t, "public, no-cache", reply.Header().Get("Cache-Control"))
				assert.Equal(t, "nosniff", reply.Header().Get("X-Content-Type-Options"))
			}
		})
	}
	assert.Equal(t, "*", get(e, http.MethodGet, client).Header().Get("Access-Control-Allow-Origin"), "pages of other origins import it")
	assert.Empty(t, get(e, http.MethodGet, page).Header().Get("Access-Control-Allow-Origin"))
}

// TestInAnApp has a validator in front that asks everybody for a token.
func TestInAnApp(t *testing.T) {
	document, err := serverauth.OpenAPI("http://localhost:8100")
	require.NoError(t, err)
	running := testutil.NewApp(t, serverauth.Module, clientauth.Module)
	client := &http.Client{Transport: openapitest.ValidateReplies(t, nil, document)}
	for _, path := range []string{page, page + "/docs.css", serverauth.Prefix + "/client.js", serverauth.Prefix + "/client.d.ts"} {
		reply, err := client.Get(running.URL + path)
		require.NoError(t, err)
		require.NoError(t, reply.Body.Close())
		assert.Equal(t, http.StatusOK, reply.StatusCode, path)
		assert.True(t, strings.HasPrefix(reply.Header.Get("Content-Security-Policy"), "default-src 'none'"), path)
	}
	reply, err := http.Get(running.URL + page + "/unknown")
	require.NoError(t, err)
	require.NoError(t, reply.Body.Close())
	assert.Equal(t, http.StatusUnauthorized, reply.StatusCode)
}
