package main

import (
	"database/sql"
	"net/http"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/labstack/echo/v4"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"go.uber.org/fx"

	"github.com/picoauth/picoauth/app"
	"github.com/picoauth/picoauth/clientauth"
	"github.com/picoauth/picoauth/testutil"
	"github.com/picoauth/picoauth/testutil/services"
)

// Each test here carries out a runbook of OPERATING.md with the commands that stand there.

func (i *installation) database(statement string) {
	i.t.Helper()
	db, err := sql.Open("sqlite", filepath.Join(i.dir, "picoauth-data", "picoauth.db"))
	require.NoError(i.t, err)
	_, err = db.Exec(statement)
	require.NoError(i.t, err)
	require.NoError(i.t, db.Close())
}

// fails starts the server and returns what it says before it ends with an error.
func (i *installation) fails() string {
	i.t.Helper()
	p := launch(i.t, i.dir, i.environ(), "serve", "--config", i.config)
	require.Error(i.t, p.Wait())
	return p.out.String()
}

func TestRunbookStolenSigningKey(t *testing.T) {
	i := install(t)
	c := i.console
	i.login()
	_, session := user(t, i.url)
	kid := ""
	for _, k := range decode[[]keyRow](t, c.must("keys", "list", "-o", "json")) {
		if k.State == "active" {
			kid = k.KID
		}
	}
	c.must("keys", "compromised", kid)
	assert.Contains(t, c.run("keys", "list").err, "picoauth login", "the operator's own token was signed with it")
	i.login()
	assert.Equal(t, exitNotFound, c.run("tokens", "inspect", session.AccessToken).code)
	assert.Equal(t, http.StatusOK, refresh(t, i.url, &session), "nobody signs in anew")
	assert.True(t, decode[inspectedToken](t, c.must("tokens", "inspect", session.AccessToken, "-o", "json")).Active)
	assert.Contains(t, i.process.out.String(), "msg=key_compromised")
}

func TestRunbookLostEncryptionKey(t *testing.T) {
	i := install(t)
	c := i.console
	i.login()
	var session tokens
	for range 5 {
		_, session = user(t, i.url)
	}
	c.must("tokens", "list")
	i.stop()
	require.NoError(t, os.WriteFile(filepath.Join(i.dir, "key-encryption-key"), []byte(c.must("secret")), 0o600))
	assert.Contains(t, i.fails(), "key_encryption_key", "a server does not start with another key")

	data := filepath.Join(i.dir, "picoauth-data")
	require.NoError(t, os.Rename(filepath.Join(data, "keys"), filepath.Join(i.dir, "keys.lost")))
	i.start()
	assert.Equal(t, http.StatusUnauthorized, refresh(t, i.url, &session), "everybody signs in again")
	i.login()
	_, session = user(t, i.url)
	assert.Equal(t, http.StatusOK, refresh(t, i.url, &session))
	c.must("tokens", "list")
	require.Eventually(t, func() bool {
		series, err := testutil.Scrape(t.Context(), i.url)
		return err == nil && series["picoauth_audit_broken"] == 1
	}, patience, 50*time.Millisecond, "an alert tells it")
	i.stop()
	assert.Len(t, regexp.MustCompile(`level=ERROR msg=audit_broken`).FindAllString(i.process.out.String(), -1), 1, "once, not once an entry")
	r := c.run("audit", "verify", "--config", i.config)
	assert.Equal(t, exitFailed, r.code)
	assert.Contains(t, r.out, "altered", "the audit of before can no longer be verified")
}

func TestRunbookLostEncryptionKeyOfPostgreSQL(t *testing.T) {
	server := services.Postgres(t)
	url := server.URL()
	t.Setenv("SERVER_AUTH__STORAGE_URL", url)
	i := install(t)
	_, session := user(t, i.url)
	i.stop()
	require.NoError(t, os.WriteFile(filepath.Join(i.dir, "key-encryption-key"), []byte(i.console.must("secret")), 0o600))
	assert.Contains(t, i.fails(), "key_encryption_key")
	db, err := sql.Open("pgx", url)
	require.NoError(t, err)
	_, err = db.Exec(`DELETE FROM picoauth_key`)
	require.NoError(t, err)
	require.NoError(t, db.Close())
	i.start()
	assert.Equal(t, http.StatusUnauthorized, refresh(t, i.url, &session))
	_, session = user(t, i.url)
	assert.Equal(t, http.StatusOK, refresh(t, i.url, &session))
	i.stop()
}

// A failover, or a restore, loses the last commits: what was revoked then is to be revoked again.
func TestRunbookFailoverThatLostWrites(t *testing.T) {
	i := install(t)
	c := i.console
	i.login()
	subject, session := user(t, i.url)
	other, _ := user(t, i.url)
	c.must("tokens", "list")
	replica := filepath.Join(t.TempDir(), "replica.db")
	i.database(`VACUUM INTO '` + replica + `'`) // what the other machine has
	assert.Equal(t, http.StatusOK, refresh(t, i.url, &session))
	c.must("tokens", "revoke", "--sub", other, "--reason", "stolen laptop")
	c.must("tokens", "list")
	head := strings.TrimSpace(c.must("audit", "head", "--config", i.config))
	i.stop()
	log := i.process.out.String()

	data := filepath.Join(i.dir, "picoauth-data")
	for _, name := range []string{"picoauth.db", "picoauth.db-wal", "picoauth.db-shm"} {
		require.NoError(t, os.RemoveAll(filepath.Join(data, name)))
	}
	require.NoError(t, os.Rename(replica, filepath.Join(data, "picoauth.db")))
	require.NoError(t, os.Chmod(filepath.Join(data, "picoauth.db"), 0o600))
	i.start()
	r := c.run("audit", "verify", "--config", i.config, "--head", head)
	assert.Equal(t, exitFailed, r.code, "a head from the log shows that entries are gone")
	assert.Contains(t, r.out, "truncated")
	assert.Equal(t, http.StatusOK, refresh(t, i.url, &session), "a refresh token that is ahead of its row is no theft")

	i.login()
	revoked := regexp.MustCompile(`msg=revoked .*sub=(\S+)`).FindStringSubmatch(log)
	require.NotNil(t, revoked, "the log has what is to be revoked again")
	assert.Equal(t, other, revoked[1])
	c.must("tokens", "revoke", "--sub", other, "--reason", "again: lost in a failover")
	assert.Contains(t, c.must("sessions", "list", "--sub", subject, "-o", "json"), subject)
	i.stop()
}

func TestRunbookUpgradeAndGoingBack(t *testing.T) {
	i := install(t)
	c := i.console
	i.login()
	_, session := user(t, i.url)
	archive := filepath.Join(t.TempDir(), "before.tar")
	c.must("backup", archive, "--config", i.config)
	i.stop()
	i.database(`UPDATE picoauth_schema SET version = version + 1`) // as a later program leaves it
	assert.Contains(t, i.fails(), "a later version of the program has used it")
	require.NoError(t, os.Rename(filepath.Join(i.dir, "picoauth-data"), filepath.Join(i.dir, "picoauth-data.new")))
	c.must("restore", archive, "--config", i.config, "--end", "sessions")
	i.start()
	assert.Equal(t, http.StatusUnauthorized, refresh(t, i.url, &session))
	i.login()
	c.must("sessions", "list")
	i.stop()
}

// The configuration of the Python server is refused key by key, each with the name that it has here.
func TestRunbookFromThePythonServer(t *testing.T) {
	c := newConsole(t)
	old := write(t, "fastapi:\n  host: 0.0.0.0\nserver_auth:\n  revocation_store_path: revoked.json\n  issuer: https://auth.example.com\n  audience: pico\n")
	r := c.run("config", "check", "--config", old)
	assert.Equal(t, exitFailed, r.code)
	assert.Contains(t, r.out, "are in the section app")
	assert.Contains(t, r.out, "set server_auth.storage_url or server_auth.revocation_storage_url to store revocations")
	text, err := os.ReadFile("../../OPERATING.md")
	require.NoError(t, err)
	both := regexp.MustCompile("(?s)```yaml\n(auth_client:.*?)```").FindStringSubmatch(string(text))
	require.NotNil(t, both, "the settings of services that take tokens of both")
	url := newServer(t, map[string]any{"server_auth.audience": "pico"})
	before := testutil.NewIssuer(t, testutil.IssuerConfig{}) // the Python server's endpoints and tokens
	client := write(t, strings.NewReplacer("https://auth.example.com", url, "https://old.example.com", before.URL).Replace(both[1]))
	assert.NotContains(t, c.run("doctor", "--issuer", url, "--client-config", client).out, "client configuration:")

	service := testutil.NewApp(t, clientauth.Module, app.ConfigFile(client), fx.Invoke(func(e *echo.Echo) {
		e.GET("/who", func(c echo.Context) error {
			user, _ := clientauth.FromContext(c.Request().Context())
			return c.JSON(http.StatusOK, user.Subject)
		})
	}))
	subject, session := user(t, url)
	for _, token := range []string{session.AccessToken, before.Mint(testutil.Token{Subject: subject})} {
		var who string
		require.NoError(t, testutil.Get(t.Context(), service.URL+"/who", token, &who))
		assert.Equal(t, subject, who, "the same person, whichever server it was")
	}
}
