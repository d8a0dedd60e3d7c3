package console_test

import (
	"encoding/json"
	"net/http"
	"net/url"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"go.uber.org/fx"

	"github.com/picoauth/picoauth/app"
	"github.com/picoauth/picoauth/serverauth"
	"github.com/picoauth/picoauth/serverauth/oauth"
	"github.com/picoauth/picoauth/testutil"
)

func TestNobodySeesAPageWithoutSigningIn(t *testing.T) {
	base := newServer(t, nil)
	for _, path := range []string{"/account", "/console", "/console/sessions", "/console/keys", "/console/clients"} {
		status, text := newBrowser(t, base).get(path)
		assert.Equal(t, http.StatusOK, status)
		assert.Contains(t, text, "<h1>Sign in</h1>", path)
		assert.Contains(t, text, `name="next" value="`+path+`"`)
	}
	status, text := newBrowser(t, base).send("/account", "/account/sign-in", map[string]string{"email": email, "password": "wrong"})
	assert.Equal(t, http.StatusUnauthorized, status)
	assert.Contains(t, text, "That did not work: invalid credentials")
}

func TestTheConsoleIsOffUnlessItIsWanted(t *testing.T) {
	base := newServer(t, map[string]any{"server_auth.console_enabled": false})
	status, _ := newBrowser(t, base).get("/console")
	assert.Equal(t, http.StatusUnauthorized, status, "a route that is not there, behind a validator")
	status, text := newBrowser(t, base).get("/account")
	assert.Equal(t, http.StatusOK, status)
	assert.Contains(t, text, "<h1>Sign in</h1>")
}

// signedIn is a browser of a wallet, by the form that the page's script fills.
func signedIn(t *testing.T, base, algorithm string) (*browser, string) {
	t.Helper()
	wallet, err := testutil.NewWallet(algorithm)
	require.NoError(t, err)
	return signedInWith(t, base, wallet)
}

func signedInWith(t *testing.T, base string, wallet *testutil.Wallet) (*browser, string) {
	t.Helper()
	var challenge testutil.Challenge
	require.NoError(t, testutil.Post(t.Context(), base+serverauth.Prefix+"/challenge", map[string]any{"address": wallet.Address, "algorithm": wallet.Algorithm}, &challenge))
	proof, err := testutil.SignInRequest(wallet, challenge)
	require.NoError(t, err)
	text, err := json.Marshal(proof)
	require.NoError(t, err)
	b := newBrowser(t, base)
	status, page := b.send("/account", "/account/sign-in", map[string]string{"proof": string(text), "next": "/account"})
	require.Equal(t, http.StatusOK, status, page)
	require.Contains(t, page, "<h1>My account</h1>")
	return b, regexp.MustCompile(`signed in as <code>([^<]+)</code>`).FindStringSubmatch(page)[1]
}

func TestEverybodySeesAndEndsTheirOwn(t *testing.T) {
	base := newServer(t, nil)
	for _, algorithm := range []string{"eip191", "ML-DSA-65"} {
		b, subject := signedIn(t, base, algorithm)
		wallet, _ := signedIn(t, base, algorithm)
		_, strange := wallet.get("/account")
		assert.NotContains(t, strange, subject)

		_, page := b.get("/account")
		assert.Contains(t, page, "this one")
		assert.NotContains(t, page, ">Keys<", "no operator")
		status, text := b.get("/console/keys")
		assert.Equal(t, http.StatusForbidden, status)
		assert.Contains(t, text, "This is for operators")
		for _, path := range []string{"/console", "/console/sessions", "/console/clients"} {
			status, _ := b.get(path)
			assert.Equal(t, http.StatusForbidden, status, path)
		}
		sid := regexp.MustCompile(`name="sid" value="([\w-]+)"`).FindStringSubmatch(strange)[1]
		_, text = b.send("/account", "/account/end", map[string]string{"sid": sid})
		assert.Contains(t, text, "That did not work: there is no such session", "somebody else's")
		_, text = wallet.get("/account")
		assert.Contains(t, text, "this one", "it lives")

		_, text = b.send("/account", "/account/sign-out", nil)
		assert.Contains(t, text, "<h1>Sign in</h1>")
	}
}

func TestWalletsAreSeenAndUnlinked(t *testing.T) {
	clock := testutil.NewClock(time.Now())
	base := newServer(t, nil, testutil.WithClock(clock))
	first, err := testutil.NewWallet("eip191")
	require.NoError(t, err)
	second, err := testutil.NewWallet("Ed25519")
	require.NoError(t, err)
	in, err := testutil.SignIn(t.Context(), base, first)
	require.NoError(t, err)
	require.NoError(t, testutil.JoinWallet(t.Context(), base, in.AccessToken, second, false))

	b, subject := signedInWith(t, base, second)
	assert.Equal(t, first.Address, subject, "whichever wallet signs")
	_, text := b.get("/account")
	wallets := regexp.MustCompile(`name="wallet" value="([^"]+)"`).FindAllStringSubmatch(text, -1)
	require.Len(t, wallets, 2)
	mine, other := wallets[0][1], wallets[1][1] // wallets that were linked in one second have no order
	if strings.Index(text, ">Ed25519<") < strings.Index(text, mine) {
		mine, other = other, mine
	}
	assert.Contains(t, text, ">Ed25519<")
	clock.Advance(6 * time.Minute)
	_, text = b.send("/account", "/account/end", map[string]string{"wallet": mine})
	assert.Contains(t, text, "Sign out, sign in again, and unlink the wallet within five minutes.")
	b, _ = signedInWith(t, base, first)
	_, text = b.send("/account", "/account/end", map[string]string{"wallet": other})
	assert.Contains(t, text, "The wallet is not linked any more.")
	assert.Len(t, regexp.MustCompile(`name="wallet"`).FindAllString(text, -1), 1)
	_, text = b.send("/account", "/account/end", map[string]string{"wallet": mine})
	assert.Contains(t, text, "That did not work")
}

func TestOnlyFormsOfThePagesAreTaken(t *testing.T) {
	base := newServer(t, nil)
	b := administrator(t, base)
	for _, path := range []string{"/account/end", "/account/sign-out", "/account/sign-in", "/console/end", "/console/keys", "/console/clients"} {
		status, _ := b.read(b.PostForm(b.base+path, url.Values{"csrf": {strings.Repeat("A", 26)}, "sub": {email}}))
		assert.Equal(t, http.StatusForbidden, status, path)
	}
	_, text := b.get("/console")
	assert.Contains(t, text, "<h1>Overview</h1>", "nothing has happened")
}

func TestASignInLeadsNowhereElse(t *testing.T) {
	base := newServer(t, nil)
	b := newBrowser(t, base)
	for _, next := range []string{"https://evil.example/", "//evil.example", "/../../evil", "/docs", "/console/none", ""} {
		b.CheckRedirect = func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }
		_, page := b.get("/account")
		token := formToken.FindStringSubmatch(page)
		require.NotNil(t, token)
		reply, err := b.PostForm(b.base+"/account/sign-in", url.Values{"csrf": {token[1]}, "email": {email}, "password": {password}, "next": {next}})
		require.NoError(t, err)
		require.NoError(t, reply.Body.Close())
		assert.Equal(t, serverauth.Prefix+"/account", reply.Header.Get("Location"), next)
	}
}

func TestAnOperatorSeesAndEnds(t *testing.T) {
	base := newServer(t, nil)
	user, subject := signedIn(t, base, "eip191")
	b := administrator(t, base)
	_, text := b.get("/console/sessions")
	assert.Contains(t, text, subject)
	assert.Contains(t, text, email)
	_, text = b.get("/console/sessions?sub=" + strings.ToUpper(subject[2:3]) + "x")
	assert.Contains(t, text, "There is no live session of this subject")
	_, text = b.get("/console/sessions?sub=" + subject)
	assert.Contains(t, text, "End everything of this subject")
	assert.NotContains(t, text, "End the session of "+email)
	jti := regexp.MustCompile(`name="jti" value="([\w-]+)"`).FindStringSubmatch(text)
	require.NotNil(t, jti)
	_, text = b.send("/console/sessions", "/console/end", map[string]string{"jti": jti[1], "shown": subject})
	assert.Contains(t, text, "Ended 0 sessions and 1 token.")
	assert.Contains(t, text, "There is no live token of this subject")
	_, text = b.get("/console/sessions")
	assert.NotContains(t, text, "Ended 0 sessions", "it is said once")

	_, text = user.get("/account")
	assert.Contains(t, text, "<h1>My account</h1>", "the session lives, and brings another token")
	_, text = b.send("/console/sessions", "/console/end", map[string]string{"sub": subject, "shown": subject, "reason": "stolen"})
	assert.Contains(t, text, "Ended 1 session and 1 token.")
	assert.Contains(t, text, "There is no live session of this subject")
	_, text = user.get("/account")
	assert.Contains(t, text, "<h1>Sign in</h1>")
}

// A browser that broke off before it had the reply with its next cookie comes with the one of before.
func TestABrowserThatBrokeOffIsNoThief(t *testing.T) {
	clock := testutil.NewClock(time.Now())
	base := newServer(t, nil, fx.Supply(app.Clock(clock.Now)))
	b := administrator(t, base)
	address, err := url.Parse(b.base)
	require.NoError(t, err)
	before := b.Jar.Cookies(address)
	for range 3 {
		clock.Advance(15 * time.Minute) // the access token is over, and the grace too
		b.Jar.SetCookies(address, before)
		_, text := b.get("/account")
		require.Contains(t, text, "<h1>My account</h1>")
	}
	assert.NotEqual(t, before, b.Jar.Cookies(address))
}

func TestASignInEndsTheSessionOfBefore(t *testing.T) {
	base := newServer(t, nil)
	b := administrator(t, base)
	_, first := b.get("/console/sessions")
	status, _ := b.read(b.PostForm(b.base+"/account/sign-in", url.Values{"csrf": {formToken.FindStringSubmatch(first)[1]}, "email": {email}, "password": {password}}))
	require.Equal(t, http.StatusOK, status)
	_, text := b.get("/console/sessions?sub=" + email)
	assert.Equal(t, 1, strings.Count(text, `name="sid"`))
}

func TestClientsAreListedAndRemoved(t *testing.T) {
	_, text := administrator(t, newServer(t, nil)).get("/console/clients")
	assert.Contains(t, text, "This server keeps no list of clients.")

	base := newServer(t, nil, oauth.Module)
	b := administrator(t, base)
	_, text = b.get("/console/clients")
	assert.Contains(t, text, "No client is in the store.")
	var in struct {
		AccessToken string `json:"access_token"`
	}
	require.NoError(t, testutil.Post(t.Context(), base+serverauth.Prefix+"/login", map[string]string{"email": email, "password": password}, &in))
	require.NoError(t, testutil.PostAs(t.Context(), base+serverauth.Prefix+"/oauth/clients", in.AccessToken,
		map[string]any{"id": "grafana", "name": "Grafana", "redirect_uris": []string{"https://grafana.example.com/cb"}}, nil))
	_, text = b.get("/console/clients")
	assert.Contains(t, text, "https://grafana.example.com/cb")
	_, text = b.send("/console/clients", "/console/clients", map[string]string{"id": "grafana"})
	assert.Contains(t, text, "No client is in the store.")
}

func TestTheOverviewAndTheKeys(t *testing.T) {
	base := newServer(t, map[string]any{"server_auth.key_rotation_days": 30})
	newBrowser(t, base).send("/account", "/account/sign-in", map[string]string{"email": email, "password": "wrong"})
	b := administrator(t, base)
	_, text := b.get("/console")
	for _, want := range []string{"Denylist, last read", `<dd class="good">whole</dd>`, `<span class="tag good">ready</span>`, `>sign-ins</span>`, `>invalid_credentials</span>`, `<rect class="c0"`} {
		assert.Contains(t, text, want)
	}
	_, text = b.get("/console/keys")
	assert.Contains(t, text, "Another key signs")
	assert.Contains(t, text, `class="tag good">active`)
	assert.Contains(t, text, `<rect class="active"`)
	_, text = b.send("/console/keys", "/console/keys", nil)
	assert.Contains(t, text, "The next key signs as soon as every service can have fetched it.")
	kid := regexp.MustCompile(`name="stolen" value="([\w-]+)"`).FindAllStringSubmatch(text, -1)
	require.NotEmpty(t, kid)
	_, text = b.send("/console/keys", "/console/keys", map[string]string{"stolen": "nobody"})
	assert.Contains(t, text, "That did not work: there is no such key.")
	_, text = b.send("/console/keys", "/console/keys", map[string]string{"stolen": kid[len(kid)-1][1]})
	assert.Contains(t, text, "class=\"tag bad\">removed")
}
