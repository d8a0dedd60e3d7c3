package main

import (
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/picoauth/picoauth/testutil"
	"github.com/picoauth/picoauth/testutil/services"
)

// signedIn returns a console with an operator's session, and the server.
func signedIn(t *testing.T) (shell, string) {
	t.Helper()
	c := newConsole(t)
	url := newServer(t, map[string]any{"server_auth.mint_audit_min_ttl_seconds": 0})
	c.mustWith(adminPassword+"\n", "login", "--url", url, "--email", adminEmail, "--password-stdin")
	return c, url
}

// user signs a new wallet in.
func user(t *testing.T, url string) (subject string, session tokens) {
	t.Helper()
	wallet, err := testutil.NewWallet("Ed25519")
	require.NoError(t, err)
	signed, err := testutil.SignIn(t.Context(), url, wallet)
	require.NoError(t, err)
	return wallet.Address, tokens{AccessToken: signed.AccessToken, RefreshToken: signed.RefreshToken}
}

// An incident: find what a user has, and end it.
func TestAnOperatorEndsWhatAUserHas(t *testing.T) {
	c, url := signedIn(t)
	subject, first := user(t, url)
	claims, err := readToken(first.AccessToken)
	require.NoError(t, err)
	sid, jti := claims.Claims["sid"].(string), claims.Claims["jti"].(string)

	rows := decode[[]tokenRow](t, c.must("tokens", "list", "--sub", subject, "-o", "json"))
	require.Len(t, rows, 1)
	assert.Equal(t, jti, rows[0].ID)
	assert.Contains(t, c.must("tokens", "list", "--sid", sid), "live")
	sessions := decode[[]sessionRow](t, c.must("sessions", "list", "--sub", subject, "-o", "json"))
	require.Len(t, sessions, 1)
	assert.Equal(t, sid, sessions[0].ID)
	assert.True(t, decode[inspectedToken](t, c.mustWith("Bearer "+first.AccessToken+"\n", "tokens", "inspect", "-", "-o", "json")).Active)

	assert.Equal(t, "Ended 0 sessions and 1 token.\n", c.must("tokens", "revoke", "--jti", jti, "--reason", "stolen"))
	r := c.run("tokens", "inspect", first.AccessToken)
	assert.Equal(t, exitNotFound, r.code)
	assert.Contains(t, r.out, "active false")
	assert.Contains(t, c.must("tokens", "list", "--jti", jti), "revoked")

	assert.Equal(t, ended{Sessions: 1}, decode[ended](t, c.must("sessions", "end", "--sid", sid, "-o", "json")))
	r = c.run("sessions", "end", "--sid", sid)
	assert.Equal(t, exitNotFound, r.code)
	assert.Equal(t, "Ended 0 sessions and 0 tokens.\n", r.out)

	other, _ := user(t, url)
	assert.Equal(t, ended{Sessions: 1, Tokens: 1}, decode[ended](t, c.must("sessions", "end", "--sub", other, "-o", "json")))
}

func TestNothingFoundIsExit3(t *testing.T) {
	c, _ := signedIn(t)
	for _, line := range []string{
		"keys compromised -JMKR2KCiXO5alg-SUFjYajRNHNTbqXBvY3SzlxXhUY", "keys compromised --JMK2KCiXO5alg-SUFjYajRNHNTbqXBvY3SzlxXhUY -o json",
		"tokens list --jti nobody", "tokens list --sid nobody -o json", "sessions list --sub nobody@example.com", "keys compromised nobody",
		"sessions end --sid nobody", "tokens revoke --jti nobody", "tokens revoke --sub nobody@example.com",
	} {
		r := c.run(strings.Fields(line)...)
		assert.Equal(t, exitNotFound, r.code, line)
		assert.Contains(t, r.err, "nothing found", line)
	}
	assert.Equal(t, "[]\n", c.run("sessions", "list", "--sub", "nobody@example.com", "-o", "json").out)
}

func TestListsAreReadPageByPage(t *testing.T) {
	c, url := signedIn(t)
	wallet, err := testutil.NewWallet("Ed25519")
	require.NoError(t, err)
	for range 3 {
		_, err := testutil.SignIn(t.Context(), url, wallet)
		require.NoError(t, err)
	}
	for limit, want := range map[string]int{"1": 1, "2": 2, "100": 3} {
		assert.Len(t, decode[[]tokenRow](t, c.must("tokens", "list", "--sub", wallet.Address, "--limit", limit, "-o", "json")), want)
		assert.Len(t, decode[[]sessionRow](t, c.must("sessions", "list", "--sub", wallet.Address, "--limit", limit, "-o", "json")), want)
	}
	pages := 0
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		pages++
		if pages == 3 {
			assert.Equal(t, "2", r.URL.Query().Get("before"))
			_, _ = w.Write([]byte(`{"items":[{}]}`))
			return
		}
		_, _ = w.Write([]byte(`{"items":[{}],"next":"` + string(rune('0'+pages)) + `"}`))
	}))
	defer server.Close()
	items, err := (&operator{http: server.Client(), session: session{Issuer: server.URL}}).list(t.Context(), "/mints", filters{}.query(), 10)
	require.NoError(t, err)
	assert.Len(t, items, 3)
}

func TestKeysAreRotatedAndRemoved(t *testing.T) {
	c, _ := signedIn(t)
	find := func(is func(keyRow) bool) (found []string) {
		for _, k := range decode[[]keyRow](t, c.must("keys", "list", "-o", "json")) {
			if is(k) {
				found = append(found, k.KID)
			}
		}
		return found
	}
	dated := func(k keyRow) bool { return k.State == "pending" && k.ActivatesAt != nil }
	active := find(func(k keyRow) bool { return k.State == "active" })
	require.Len(t, active, 1)
	assert.Empty(t, find(dated))
	assert.Contains(t, c.must("keys", "rotate"), "SIGNS FROM")
	assert.Len(t, find(dated), 1, "the next key has a date")

	assert.Regexp(t, active[0]+` +RS256 +removed`, c.must("keys", "compromised", active[0]))
	r := c.run("sessions", "list")
	assert.Equal(t, exitFailed, r.code, "what the key signed is refused, the operator's own token too")
	assert.Contains(t, r.err, "picoauth login")
}

func TestAWalletWithoutARoleIsToldWhatItNeeds(t *testing.T) {
	c := newConsole(t)
	url, key := newServer(t, nil), filepath.Join(t.TempDir(), "wallet.json")
	c.must("wallet", "new", "--key", key)
	c.must("login", "--url", url, "--wallet", key)
	r := c.run("keys", "list")
	assert.Equal(t, exitFailed, r.code)
	assert.Contains(t, r.err, "403")
	assert.Contains(t, r.err, "server_auth.subjects")
}

func TestASessionIsKeptRenewedAndEnded(t *testing.T) {
	c := newConsole(t)
	r := c.run("keys", "list")
	assert.Equal(t, exitFailed, r.code)
	assert.Contains(t, r.err, "nobody is signed in; begin with: picoauth login")

	url, path := newServer(t, nil), filepath.Join(t.TempDir(), "folder", "session.json")
	c.mustWith(adminPassword, "login", "--url", url+"/", "--email", adminEmail, "--session", path)
	info, err := os.Stat(path)
	require.NoError(t, err)
	assert.Equal(t, os.FileMode(0o600), info.Mode().Perm())
	file, err := openSessionFile(path)
	require.NoError(t, err)
	kept, err := file.load()
	require.NoError(t, err)
	assert.Equal(t, url, kept.Issuer)

	kept.ExpiresAt = time.Now().Add(-time.Second)
	require.NoError(t, file.save(kept))
	c.must("keys", "list", "--session", path)
	renewed, err := file.load()
	require.NoError(t, err)
	assert.NotEqual(t, kept.RefreshToken, renewed.RefreshToken)
	assert.True(t, renewed.ExpiresAt.After(time.Now()))

	c.must("logout", "--session", path)
	assert.NoFileExists(t, path)
	require.NoError(t, file.save(renewed))
	assert.Contains(t, c.run("keys", "list", "--session", path).err, "sign in again: picoauth login")
	renewed.ExpiresAt = time.Now()
	require.NoError(t, file.save(renewed))
	assert.Contains(t, c.run("keys", "list", "--session", path).err, "the session has ended; sign in again")
	c.must("logout", "--session", path)
	assert.Equal(t, exitNotFound, c.run("logout", "--session", path).code)
}

func TestAServerThatIsNotThere(t *testing.T) {
	c := newConsole(t)
	r := c.runWith(adminPassword, "login", "--url", "http://127.0.0.1:"+strconv.Itoa(services.FreePort(t)), "--email", adminEmail)
	assert.Equal(t, exitFailed, r.code)
	assert.Contains(t, r.err, "picoauth doctor --issuer http://127.0.0.1:")
	other := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { _, _ = w.Write([]byte("<html>")) }))
	defer other.Close()
	assert.Contains(t, c.runWith(adminPassword, "login", "--url", other.URL, "--email", adminEmail).err, "check --url")
	assert.Contains(t, c.run("login", "--email", adminEmail).err, "there is no password")
}
