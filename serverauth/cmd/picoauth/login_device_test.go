package main

import (
	"encoding/json"
	"fmt"
	"html"
	"io"
	"net/http"
	"net/http/cookiejar"
	"net/http/httptest"
	"net/url"
	"os"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/picoauth/picoauth/testutil"
	"github.com/picoauth/picoauth/testutil/services"
)

// deviceBrowser is the browser at which a person answers what a program asks for.
type deviceBrowser struct {
	*http.Client
	t *testing.T
}

var (
	pageField  = regexp.MustCompile(`name="([a-z_]+)" value="([^"]*)"`)
	openedPage = regexp.MustCompile(`Open (\S+)\nor open (\S+) and enter the code (\S+)`)
)

// page reads a page, and the fields of its forms.
func (b deviceBrowser) page(reply *http.Response, err error) (string, url.Values) {
	b.t.Helper()
	require.NoError(b.t, err)
	defer reply.Body.Close()
	text, err := io.ReadAll(reply.Body)
	require.NoError(b.t, err)
	require.Equal(b.t, http.StatusOK, reply.StatusCode, "%s", text)
	fields := url.Values{}
	for _, match := range pageField.FindAllStringSubmatch(string(text), -1) {
		fields.Set(match[1], html.UnescapeString(match[2]))
	}
	return string(text), fields
}

// open waits for what the program prints, and goes to the page on which the person reads what is asked.
func (b deviceBrowser) open(p *program) (base string, request url.Values) {
	b.t.Helper()
	require.Eventually(b.t, func() bool { return openedPage.MatchString(p.out.String()) }, patience, 20*time.Millisecond, "%s", &p.out)
	shown := openedPage.FindStringSubmatch(p.out.String())
	_, form := b.page(b.Get(shown[1]))
	require.Equal(b.t, strings.ReplaceAll(shown[3], "-", ""), form.Get("user_code"))
	text, request := b.page(b.PostForm(shown[2], form))
	require.Contains(b.t, text, "operate this server with your role")
	return strings.TrimSuffix(shown[2], "/device"), request
}

func (b deviceBrowser) allow(p *program, wallet *testutil.Wallet) {
	b.t.Helper()
	base, request := b.open(p)
	var challenge testutil.Challenge
	require.NoError(b.t, testutil.Post(b.t.Context(), base+"/authorize/challenge",
		map[string]any{"request": request.Get("request"), "address": wallet.Address, "algorithm": wallet.Algorithm}, &challenge))
	assert.Contains(b.t, challenge.Message, "Sign in to picoauth (another device), which may: operate this server with your role.")
	proof, err := testutil.SignInRequest(wallet, challenge)
	require.NoError(b.t, err)
	proof["request"] = request.Get("request")
	text, err := json.Marshal(proof)
	require.NoError(b.t, err)
	b.page(b.Post(base+"/authorize/sign-in", "application/json", strings.NewReader(string(text))))
}

func newDeviceBrowser(t *testing.T) deviceBrowser {
	t.Helper()
	jar, err := cookiejar.New(nil)
	require.NoError(t, err)
	return deviceBrowser{&http.Client{Jar: jar}, t}
}

// An operator at a machine without a browser signs in by a wallet elsewhere: three processes and a browser.
func TestAnOperatorSignsInAtABrowserElsewhere(t *testing.T) {
	c := newConsole(t)
	dir, port := t.TempDir(), strconv.Itoa(services.FreePort(t))
	issuer, path := "http://localhost:"+port, filepath.Join(t.TempDir(), "session.json")
	wallet, err := testutil.NewWallet("Ed25519")
	require.NoError(t, err)
	c.must("init", "--dir", dir, "--issuer", issuer, "--operator", wallet.Address)
	server := launch(t, dir, []string{"APP__PORT=" + port}, "serve")
	await(t, server, issuer)

	login := launch(t, dir, nil, "login", "--url", issuer, "--device", "--session", path)
	newDeviceBrowser(t).allow(login, wallet)
	require.NoError(t, login.Wait(), "%s", &login.out)
	assert.Contains(t, login.out.String(), "Signed in at "+issuer+" as "+wallet.Address+". Next")
	info, err := os.Stat(path)
	require.NoError(t, err)
	assert.Equal(t, os.FileMode(0o600), info.Mode().Perm())
	assert.Contains(t, c.must("keys", "list", "--session", path), "active", "the client has the operator's role")
	assert.Contains(t, c.must("clients", "add", "tool", "--auth-method", "none", "--redirect-uri", "http://127.0.0.1/callback", "--session", path), "Added tool")

	file, err := openSessionFile(path)
	require.NoError(t, err)
	kept, err := file.load()
	require.NoError(t, err)
	kept.ExpiresAt = time.Now()
	require.NoError(t, file.save(kept))
	c.must("sessions", "list", "--session", path)
	renewed, err := file.load()
	require.NoError(t, err)
	assert.NotEqual(t, kept.RefreshToken, renewed.RefreshToken)
	assert.True(t, renewed.ExpiresAt.After(time.Now()))

	refused := launch(t, dir, nil, "login", "--url", issuer, "--device", "--session", path)
	b := newDeviceBrowser(t)
	base, request := b.open(refused)
	request.Set("action", "cancel")
	text, _ := b.page(b.PostForm(base+"/authorize/decide", request))
	assert.Contains(t, text, "Your device will be told that you did not allow the sign-in.")
	require.Error(t, refused.Wait())
	assert.Equal(t, exitFailed, refused.ProcessState.ExitCode())
	assert.Contains(t, refused.out.String(), "the sign-in was refused in the browser; nobody is signed in here")

	interrupted := launch(t, dir, nil, "login", "--url", issuer, "--device", "--session", path)
	b.open(interrupted)
	require.NoError(t, interrupted.Process.Signal(syscall.SIGINT))
	require.Error(t, interrupted.Wait())
	assert.Contains(t, c.must("keys", "list", "--session", path), "active", "the session of before is kept")

	c.must("logout", "--session", path)
	assert.NoFileExists(t, path)
	require.NoError(t, file.save(renewed))
	assert.Contains(t, c.run("keys", "list", "--session", path).err, "sign in again: picoauth login")
	renewed.ExpiresAt = time.Now()
	require.NoError(t, file.save(renewed))
	assert.Contains(t, c.run("keys", "list", "--session", path).err, "the session has ended; sign in again")
	c.must("logout", "--session", path)
}

// scripted answers one login with a list of answers, the last one again and again.
func scripted(t *testing.T, expires int, answers ...string) string {
	t.Helper()
	asked := 0
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Content-Type", "application/json")
		if strings.HasSuffix(r.URL.Path, devicePath) {
			fmt.Fprintf(w, `{"device_code":"x","user_code":"BCDF-GHJK","verification_uri":"https://a.example/\u001b[2J","verification_uri_complete":"https://a.example/?c","expires_in":%d,"interval":1}`, expires)
			return
		}
		answer := answers[min(asked, len(answers)-1)]
		asked++
		code, body, _ := strings.Cut(answer, " ")
		status := http.StatusBadRequest
		if code != "400" {
			status = http.StatusServiceUnavailable
		}
		w.WriteHeader(status)
		_, _ = io.WriteString(w, body)
	}))
	t.Cleanup(server.Close)
	return server.URL
}

func TestASignInAtABrowserThatComesToNothing(t *testing.T) {
	c := newConsole(t)
	for name, test := range map[string]struct {
		url, want string
	}{
		"it expires":                         {scripted(t, 2, `400 {"error":"authorization_pending"}`), "the code expired before anybody signed in; start again: picoauth login --device"},
		"the server says so":                 {scripted(t, 600, `400 {"error":"authorization_pending"}`, `400 {"error":"expired_token"}`), "the code expired"},
		"a server that is away for a moment": {scripted(t, 600, `503 {"error":"temporarily_unavailable"}`, `400 {"error":"access_denied"}`), "the sign-in was refused"},
		"something else":                     {scripted(t, 600, `400 {"error":"invalid_grant","error_description":"used already"}`), "400: invalid_grant used already; start again"},
		"a server without the client":        {newServer(t, nil), "picoauth clients add picoauth --auth-method none"},
		"nobody":                             {"http://127.0.0.1:" + strconv.Itoa(services.FreePort(t)), "picoauth doctor --issuer"},
	} {
		t.Run(name, func(t *testing.T) {
			r := c.run("login", "--device", "--url", test.url)
			assert.Equal(t, exitFailed, r.code)
			assert.Contains(t, r.err, test.want)
			assert.NotContains(t, r.err, "\x1b", "the server cannot write to the terminal but text")
		})
	}
}
