package serverauth_test

import (
	"encoding/json"
	"io"
	"net/http"
	"regexp"
	"slices"
	"strings"
	"sync"
	"testing"

	"github.com/labstack/echo/v4"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"go.uber.org/fx"

	"github.com/picoauth/picoauth/app"
	"github.com/picoauth/picoauth/serverauth"
	"github.com/picoauth/picoauth/serverauth/oauth"
	"github.com/picoauth/picoauth/testutil"
	"github.com/picoauth/picoauth/testutil/openapitest"
)

var openAPI = sync.OnceValues(func() (*openapitest.Document, error) {
	text, err := serverauth.OpenAPI("https://auth.example.com")
	if err != nil {
		return nil, err
	}
	return openapitest.Parse(text)
})

// documented is a transport that fails the test for a reply that the OpenAPI document does not describe.
func documented(t testing.TB, base http.RoundTripper) http.RoundTripper {
	t.Helper()
	document, err := openAPI()
	require.NoError(t, err)
	return document.Transport(t, base)
}

func TestOpenAPIDocumentIsValid(t *testing.T) {
	document, err := openAPI()
	require.NoError(t, err)
	require.NoError(t, document.Validate())
}

func TestOpenAPIHasTheRoutes(t *testing.T) {
	var e *echo.Echo
	testutil.NewApp(t, app.ConfigMap(map[string]any{"oauth": map[string]any{"dynamic_registration": "open"}}), serverauth.Module, oauth.Module, fx.Populate(&e))
	parameter := regexp.MustCompile(`:(\w+)`)
	script := regexp.MustCompile(`/oauth/\w+\.js$`)
	docsFile := regexp.MustCompile(`/docs/[\w.-]+$`)
	var routed, described []string
	for _, route := range e.Routes() {
		if route.Method != http.MethodHead && route.Method != echo.RouteNotFound {
			path := docsFile.ReplaceAllString(parameter.ReplaceAllString(route.Path, "{$1}"), "/docs/{file}")
			path = script.ReplaceAllString(path, "/oauth/{script}")
			routed = append(routed, route.Method+" "+path)
		}
	}
	document, err := openAPI()
	require.NoError(t, err)
	for _, operation := range document.Operations() {
		described = append(described, operation.Method+" "+operation.Path)
	}
	slices.Sort(routed)
	assert.ElementsMatch(t, slices.Compact(routed), described)
}

func TestOpenAPIIsServed(t *testing.T) {
	const issuer = "https://auth.example.com/a&b"
	running := testutil.NewApp(t, app.ConfigMap(map[string]any{"server_auth": map[string]any{"issuer": issuer}}), serverauth.Module)
	client := &http.Client{Transport: documented(t, nil)}
	url := running.URL + serverauth.Prefix + "/openapi.json"
	got, err := client.Get(url)
	require.NoError(t, err)
	defer got.Body.Close()
	assert.Equal(t, http.StatusOK, got.StatusCode)
	body, err := io.ReadAll(got.Body)
	require.NoError(t, err)
	var document struct {
		OpenAPI string
		Info    struct{ Version string }
		Servers []struct{ URL string }
	}
	require.NoError(t, json.Unmarshal(body, &document))
	assert.True(t, strings.HasPrefix(document.OpenAPI, "3.1."))
	assert.Equal(t, app.Version, document.Info.Version)
	require.Len(t, document.Servers, 1)
	assert.Equal(t, issuer, document.Servers[0].URL)

	request, err := http.NewRequest(http.MethodGet, url, nil)
	require.NoError(t, err)
	request.Header.Set("If-None-Match", got.Header.Get("ETag"))
	unchanged, err := client.Do(request)
	require.NoError(t, err)
	defer unchanged.Body.Close()
	assert.Equal(t, http.StatusNotModified, unchanged.StatusCode)
}
