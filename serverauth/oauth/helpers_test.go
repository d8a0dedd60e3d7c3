package oauth_test

import (
	"bytes"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"html"
	"io"
	"net"
	"net/http"
	"net/http/cookiejar"
	"net/http/httptest"
	"net/url"
	"regexp"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/labstack/echo/v4"
	"github.com/stretchr/testify/require"
	"go.uber.org/fx"
	"golang.org/x/oauth2"

	"github.com/picoauth/picoauth/app"
	"github.com/picoauth/picoauth/serverauth"
	"github.com/picoauth/picoauth/serverauth/oauth"
	"github.com/picoauth/picoauth/testutil"
	"github.com/picoauth/picoauth/testutil/openapitest"
)

const (
	redirect     = "https://grafana.example.com/login/generic_oauth"
	clientSecret = "a secret of the client that nobody guesses"
	mcp          = "https://mcp.example.com/mcp"
)

// server is a running authorization server whose issuer is where it listens.
type server struct {
	testing.TB
	url   string
	clock *testutil.Clock
}

// defaultClients are a confidential client, a public one on the same device, and one without a person.
func defaultClients() []any {
	return []any{
		map[string]any{"id": "grafana", "name": "Grafana", "redirect_uris": []string{redirect}, "secret": clientSecret,
			"post_logout_redirect_uris": []string{"https://grafana.example.com/bye"}, "resources": []string{mcp},
			"scopes": []string{"openid", "profile", "email", "groups", "wallet", "offline_access", "read", "tools"}},
		map[string]any{"id": "cli", "name": "The tool", "redirect_uris": []string{"http://127.0.0.1/callback"}},
		map[string]any{"id": "job", "secret": clientSecret, "grants": []string{"client_credentials"}, "scopes": []string{"read"}},
		map[string]any{"id": "reader", "secret": clientSecret, "introspect": true},
	}
}

// startServer runs a server with the settings of the sections oauth and server_auth over those of the tests.
func startServer(tb testing.TB, settings, auth map[string]any, options ...fx.Option) *server {
	tb.Helper()
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	require.NoError(tb, err)
	port := listener.Addr().(*net.TCPAddr).Port
	require.NoError(tb, listener.Close())
	issuer := fmt.Sprintf("http://127.0.0.1:%d", port)
	all := map[string]any{
		"clients": defaultClients(), "scopes": map[string]any{"read": "read your data"},
		"resources": []any{map[string]any{"uri": mcp, "name": "Tools", "scopes": map[string]any{"tools": "use the tools"}},
			map[string]any{"uri": "https://open.example.com/", "open": true}},
	}
	for key, value := range settings {
		all[key] = value
	}
	server := &server{TB: tb, url: issuer, clock: testutil.NewClock(time.Now())}
	if _, real := auth["real_clock"]; !real {
		options = append(options, testutil.WithClock(server.clock))
	}
	own := map[string]any{"issuer": issuer, "algorithm": "EdDSA", "rate_limit_per_minute": 0}
	for key, value := range auth {
		if key != "real_clock" {
			own[key] = value
		}
	}
	testutil.NewApp(tb, append([]fx.Option{
		app.ConfigMap(map[string]any{"app": map[string]any{"port": port}, "server_auth": own, "oauth": all}),
		serverauth.Module, oauth.Module,
	}, options...)...)
	return server
}

// startRealServer runs one by the machine's clock.
func startRealServer(tb testing.TB, auth map[string]any) *server {
	tb.Helper()
	auth["real_clock"] = true
	return startServer(tb, nil, auth)
}

// endpoint is the URL of an endpoint of this package.
func (s *server) endpoint(path string) string { return s.url + oauth.Prefix + path }

// browser is a browser that keeps cookies and follows no redirect.
type browser struct {
	*server
	http *http.Client
}

func (s *server) browser() *browser {
	jar, err := cookiejar.New(nil)
	require.NoError(s, err)
	document, err := openAPI()
	require.NoError(s, err)
	return &browser{s, &http.Client{Transport: document.Transport(s, nil), Jar: jar, CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }}}
}

var openAPI = sync.OnceValues(func() (*openapitest.Document, error) {
	text, err := serverauth.OpenAPI("https://auth.example.com")
	if err != nil {
		return nil, err
	}
	return openapitest.Parse(text)
})

// answer is a reply with its body.
type answer struct {
	*http.Response
	body string
}

func (b *browser) do(request *http.Request) answer {
	b.Helper()
	reply, err := b.http.Do(request)
	require.NoError(b, err)
	defer reply.Body.Close()
	body, err := io.ReadAll(reply.Body)
	require.NoError(b, err)
	return answer{reply, string(body)}
}

func (b *browser) get(address string) answer {
	b.Helper()
	request, err := http.NewRequest(http.MethodGet, address, nil)
	require.NoError(b, err)
	return b.do(request)
}

func (b *browser) postForm(address string, form url.Values) answer {
	b.Helper()
	request, err := http.NewRequest(http.MethodPost, address, strings.NewReader(form.Encode()))
	require.NoError(b, err)
	request.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	return b.do(request)
}

func (b *browser) postJSON(address string, body any) answer {
	b.Helper()
	text, err := json.Marshal(body)
	require.NoError(b, err)
	request, err := http.NewRequest(http.MethodPost, address, bytes.NewReader(text))
	require.NoError(b, err)
	request.Header.Set("Content-Type", "application/json")
	return b.do(request)
}

// json decodes the body.
func (a answer) json(tb testing.TB) map[string]any {
	tb.Helper()
	var decoded map[string]any
	require.NoError(tb, json.Unmarshal([]byte(a.body), &decoded), a.body)
	return decoded
}

// at returns where a redirect leads, without and with its query.
func (a answer) at(tb testing.TB) (string, url.Values) {
	tb.Helper()
	location, err := url.Parse(a.Header.Get("Location"))
	require.NoError(tb, err)
	query := location.Query()
	location.RawQuery = ""
	return location.String(), query
}

var hiddenField = regexp.MustCompile(`name="([a-z_]+)" value="([^"]*)"`)

// fields are the hidden fields of a page's forms.
func (a answer) fields() url.Values {
	found := url.Values{}
	for _, match := range hiddenField.FindAllStringSubmatch(a.body, -1) {
		if match[1] != "action" {
			found.Set(match[1], html.UnescapeString(match[2]))
		}
	}
	return found
}

// ask is an authorization request.
type ask struct {
	url.Values
	verifier string
}

// newAsk returns a request of the client grafana, changed by pairs of name and value; an empty value takes one away.
func newAsk(pairs ...string) ask {
	verifier := oauth2.GenerateVerifier()
	a := ask{url.Values{
		"client_id": {"grafana"}, "redirect_uri": {redirect}, "response_type": {"code"}, "scope": {"openid profile groups"},
		"state": {"the state"}, "code_challenge": {oauth2.S256ChallengeFromVerifier(verifier)}, "code_challenge_method": {"S256"},
	}, verifier}
	for i := 0; i < len(pairs); i += 2 {
		if a.Del(pairs[i]); pairs[i+1] != "" {
			a.Set(pairs[i], pairs[i+1])
		}
	}
	return a
}

// authorize opens /authorize.
func (b *browser) authorize(a ask) answer {
	b.Helper()
	return b.get(b.endpoint("/authorize?" + a.Encode()))
}

// message asks the page's challenge for a wallet.
func (b *browser) message(page answer, w *testutil.Wallet) testutil.Challenge {
	b.Helper()
	reply := b.postJSON(b.endpoint("/authorize/challenge"), map[string]any{
		"request": page.fields().Get("request"), "address": w.Address, "algorithm": w.Algorithm,
	})
	require.Equal(b, http.StatusOK, reply.StatusCode, reply.body)
	var challenge testutil.Challenge
	require.NoError(b, json.Unmarshal([]byte(reply.body), &challenge))
	return challenge
}

// sign has a wallet sign the page's message.
func (b *browser) sign(page answer, w *testutil.Wallet) answer {
	b.Helper()
	return b.signed(page, w, b.message(page, w))
}

func (b *browser) signed(page answer, w *testutil.Wallet, challenge testutil.Challenge) answer {
	b.Helper()
	body, err := testutil.SignInRequest(w, challenge)
	require.NoError(b, err)
	body["request"] = page.fields().Get("request")
	return b.postJSON(b.endpoint("/authorize/sign-in"), body)
}

// code goes through a request with a wallet and returns the code.
func (b *browser) code(a ask, w *testutil.Wallet) string {
	b.Helper()
	page := b.authorize(a)
	require.Equal(b, http.StatusOK, page.StatusCode, page.body)
	reply := b.sign(page, w)
	require.Equal(b, http.StatusOK, reply.StatusCode, reply.body)
	location, err := url.Parse(reply.json(b)["location"].(string))
	require.NoError(b, err)
	require.NotEmpty(b, location.Query().Get("code"), reply.body)
	return location.Query().Get("code")
}

// token posts to /token as the client grafana; pairs of name and value, of which an empty value takes one away.
func (s *server) token(pairs ...string) answer { return s.tokenAs("grafana", pairs...) }

func (s *server) tokenAs(id string, pairs ...string) answer {
	s.Helper()
	return s.clientPost("/token", id, pairs...)
}

func (s *server) clientPost(path, id string, pairs ...string) answer {
	s.Helper()
	form, proof := url.Values{}, ""
	for i := 0; i < len(pairs); i += 2 {
		switch {
		case pairs[i] == "DPoP":
			proof = pairs[i+1]
		case pairs[i+1] != "":
			form.Add(pairs[i], pairs[i+1])
		}
	}
	return s.postClientForm(path, id, form, proof)
}

// postClientForm posts a form as a client, with a proof if there is one.
func (s *server) postClientForm(path, id string, form url.Values, proof string) answer {
	s.Helper()
	if id == "cli" {
		form.Set("client_id", id)
	}
	request, err := http.NewRequest(http.MethodPost, s.endpoint(path), strings.NewReader(form.Encode()))
	require.NoError(s, err)
	request.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	if proof != "" {
		request.Header.Set("DPoP", proof)
	}
	if id != "cli" && id != "" {
		request.SetBasicAuth(url.QueryEscape(id), url.QueryEscape(clientSecret))
	}
	return s.browser().do(request)
}

// exchange exchanges a code of a request.
func (s *server) exchange(a ask, code string, pairs ...string) answer {
	s.Helper()
	return s.token(append([]string{
		"grant_type", "authorization_code", "code", code, "redirect_uri", a.Get("redirect_uri"), "code_verifier", a.verifier,
	}, pairs...)...)
}

// signIn returns the tokens of a request.
func (s *server) signIn(a ask, w *testutil.Wallet) map[string]any {
	s.Helper()
	reply := s.exchange(a, s.browser().code(a, w))
	require.Equal(s, http.StatusOK, reply.StatusCode, reply.body)
	return reply.json(s)
}

// refused checks an error of OAuth.
func (a answer) refused(tb testing.TB, status int, code string) {
	tb.Helper()
	require.Equal(tb, status, a.StatusCode, a.body)
	require.Equal(tb, code, a.json(tb)["error"], a.body)
}

// claimsOf are the claims of a JWT, unverified.
func claimsOf(tb testing.TB, token any) map[string]any {
	tb.Helper()
	text, _ := token.(string)
	parts := strings.Split(text, ".")
	require.Len(tb, parts, 3, text)
	raw, err := base64.RawURLEncoding.DecodeString(parts[1])
	require.NoError(tb, err)
	var decoded map[string]any
	require.NoError(tb, json.Unmarshal(raw, &decoded))
	return decoded
}

func newWallet(tb testing.TB, algorithm string) *testutil.Wallet {
	tb.Helper()
	w, err := testutil.NewWallet(algorithm)
	require.NoError(tb, err)
	return w
}

// signInEcho has a wallet sign the message of a request in process, and returns the browser's cookie.
func signInEcho(tb testing.TB, e *echo.Echo, sealed string, w *testutil.Wallet) string {
	tb.Helper()
	post := func(path string, body map[string]any) *httptest.ResponseRecorder {
		text, err := json.Marshal(body)
		require.NoError(tb, err)
		reply := serve(e, http.MethodPost, oauth.Prefix+path, echo.MIMEApplicationJSON, string(text))
		require.Equal(tb, http.StatusOK, reply.Code, reply.Body.String())
		return reply
	}
	var challenge testutil.Challenge
	require.NoError(tb, json.Unmarshal(post("/authorize/challenge", map[string]any{"request": sealed, "address": w.Address}).Body.Bytes(), &challenge))
	body, err := testutil.SignInRequest(w, challenge)
	require.NoError(tb, err)
	body["request"] = sealed
	cookie, _, _ := strings.Cut(post("/authorize/sign-in", body).Header().Get("Set-Cookie"), ";")
	return cookie
}
