package web_test

import (
	"net/http"
	"net/http/httptest"
	"net/url"
	"regexp"
	"strings"
	"testing"
	"testing/fstest"

	"github.com/labstack/echo/v4"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/picoauth/picoauth/serverauth/web"
)

func newPage(t testing.TB, content string) *web.Page {
	t.Helper()
	kit, err := web.NewKit("/auth/api/v1/auth/")
	require.NoError(t, err)
	page, err := kit.Page(fstest.MapFS{"own.html": {Data: []byte(content)}}, nil, "own.html")
	require.NoError(t, err)
	return page
}

func TestAPageHasTheLayoutAndItsPolicy(t *testing.T) {
	page := newPage(t, `{{define "content"}}<p>{{.Data}}</p>{{end}}{{define "bar"}}<b>end</b>{{end}}`)
	e, reply := echo.New(), httptest.NewRecorder()
	err := page.Render(e.NewContext(httptest.NewRequest(http.MethodGet, "/", nil), reply), http.StatusOK, web.Frame{
		Title: "<Sessions>", Places: []web.Place{{"Here", "/here", true}, {"There", "/there", false}}, Data: "<script>",
		Notice: &web.Notice{Text: "It <did> not work.", Bad: true}, Scripts: []string{"/x.js"}, FormTargets: []string{"https://app.example.com"},
	})
	require.NoError(t, err)
	body := reply.Body.String()
	for _, want := range []string{
		"<title>&lt;Sessions&gt;</title>", `<h1>&lt;Sessions&gt;</h1>`, "<p>&lt;script&gt;</p>", `<a href="/here" aria-current="page">Here</a>`,
		`<a href="/there">There</a>`, "<b>end</b>", `role="alert">It &lt;did&gt; not work.`, `<script type="module" src="/x.js">`,
		`href="/auth/api/v1/auth/docs/page.css"`, `<a class="skip" href="#content">`,
	} {
		assert.Contains(t, body, want)
	}
	policy := reply.Header().Get("Content-Security-Policy")
	assert.Contains(t, policy, "default-src 'none'; script-src 'self';")
	assert.Contains(t, policy, "form-action 'self' https://app.example.com; frame-ancestors 'none'")
	assert.NotContains(t, policy, "unsafe")
	assert.Equal(t, "no-store", reply.Header().Get("Cache-Control"))
	assert.Equal(t, "no-referrer", reply.Header().Get("Referrer-Policy"))
}

func TestAPageThatCannotBeRead(t *testing.T) {
	kit, err := web.NewKit("/api/v1/auth")
	require.NoError(t, err)
	_, err = kit.Page(fstest.MapFS{"own.html": {Data: []byte("{{")}}, nil, "own.html")
	assert.ErrorContains(t, err, "own.html")
	c := echo.New().NewContext(httptest.NewRequest(http.MethodGet, "/", nil), httptest.NewRecorder())
	assert.Error(t, newPage(t, `{{define "content"}}{{.Data.Missing}}{{end}}`).Render(c, http.StatusOK, web.Frame{Data: 1}))
}

// TestOnlyFormsOfOwnPagesAreTaken has a form of a page, and what others send.
func TestOnlyFormsOfOwnPagesAreTaken(t *testing.T) {
	e := echo.New()
	forms := web.Forms{Secure: true}
	shown := httptest.NewRecorder()
	token := forms.Token(e.NewContext(httptest.NewRequest(http.MethodGet, "/", nil), shown))
	cookie := shown.Result().Cookies()[0]
	assert.Regexp(t, regexp.MustCompile(`^__Host-picoauth-form=\w{26}; Path=/; HttpOnly; Secure; SameSite=Lax$`), shown.Header().Get("Set-Cookie"))
	again, request := httptest.NewRecorder(), httptest.NewRequest(http.MethodGet, "/", nil)
	request.AddCookie(cookie)
	assert.Equal(t, token, forms.Token(e.NewContext(request, again)), "one token for all tabs")
	assert.Empty(t, again.Header().Get("Set-Cookie"))

	for name, test := range map[string]struct {
		token, cookie string
		header        [2]string
		right         bool
	}{
		"own":                         {token, token, [2]string{"Sec-Fetch-Site", "same-origin"}, true},
		"own, of an old browser":      {token, token, [2]string{"Origin", "https://example.com"}, true},
		"of another site":             {token, token, [2]string{"Sec-Fetch-Site", "cross-site"}, false},
		"of a sibling":                {token, token, [2]string{"Sec-Fetch-Site", "same-site"}, false},
		"of another site, old":        {token, token, [2]string{"Origin", "https://evil.example"}, false},
		"without a token":             {"", token, [2]string{}, false},
		"with another token":          {strings.Repeat("A", 26), token, [2]string{}, false},
		"without a cookie":            {token, "", [2]string{}, false},
		"with neither, and one empty": {"", "empty", [2]string{}, false},
	} {
		request := httptest.NewRequest(http.MethodPost, "https://example.com/", strings.NewReader(url.Values{web.FormField: {test.token}}.Encode()))
		request.Header.Set("Content-Type", "application/x-www-form-urlencoded")
		if test.header[0] != "" {
			request.Header.Set(test.header[0], test.header[1])
		}
		switch test.cookie {
		case "":
		case "empty":
			request.AddCookie(&http.Cookie{Name: cookie.Name})
		default:
			request.AddCookie(cookie)
		}
		err := forms.Check(e.NewContext(request, httptest.NewRecorder()))
		if test.right {
			assert.NoError(t, err, name)
		} else {
			assert.ErrorIs(t, err, web.ErrForeignForm, name)
		}
	}
	assert.Equal(t, "picoauth-form", web.CookieName("picoauth-form", false))
}
