package main

import (
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/picoauth/picoauth/serverauth"
	"github.com/picoauth/picoauth/testutil/services"
)

// refresh renews a session as its client does, and returns the status.
func refresh(t *testing.T, url string, session *tokens) int {
	t.Helper()
	err := send(t.Context(), newHTTPClient(), http.MethodPost, url+serverauth.Prefix+"/refresh", "", map[string]string{"refresh_token": session.RefreshToken}, session)
	if err == nil {
		return http.StatusOK
	}
	refused := (*refusal)(nil)
	require.ErrorAs(t, err, &refused)
	return refused.Status
}

// From SQLite to PostgreSQL and back: nobody is signed out, and what was revoked stays so.
func TestMigrateTakesEverythingAlong(t *testing.T) {
	postgres := services.Postgres(t)
	i := install(t)
	c := i.console
	i.login()
	_, kept := user(t, i.url)
	require.Equal(t, http.StatusOK, refresh(t, i.url, &kept))
	gone, revoked := user(t, i.url)
	c.must("tokens", "revoke", "--sub", gone)
	c.must("keys", "rotate")
	i.stop()
	head := strings.TrimSpace(c.must("audit", "head", "--config", i.config))

	first := "sqlite:" + filepath.Join(i.dir, "picoauth-data", "picoauth.db")
	for _, move := range []struct{ from, to string }{
		{first, postgres.URL()},
		{"", "sqlite:" + filepath.Join(i.dir, "back", "picoauth.db")},
	} {
		if move.from == "" {
			move.from = os.Getenv("SERVER_AUTH__STORAGE_URL")
		}
		m := decode[migrated](t, c.must("migrate", "--from", move.from, "--to", move.to, "--config", i.config, "-o", "json"))
		assert.Greater(t, m.Rows, int64(10))
		assert.GreaterOrEqual(t, m.Keys, 4, "the keys and the secrets")
		assert.Positive(t, m.Mints)
		r := c.run("migrate", "--from", move.from, "--to", move.to, "--config", i.config)
		assert.Equal(t, exitFailed, r.code)
		assert.Contains(t, r.err, "already", "a storage that is in use is not overwritten")

		t.Setenv("SERVER_AUTH__STORAGE_URL", move.to)
		assert.Zero(t, decode[verified](t, c.must("audit", "verify", "--head", head, "--config", i.config, "-o", "json")).Lost)
		i.start()
		assert.Equal(t, http.StatusOK, refresh(t, i.url, &kept))
		assert.Equal(t, http.StatusUnauthorized, refresh(t, i.url, &revoked))
		c.must("sessions", "list")
		assert.Equal(t, exitNotFound, c.run("tokens", "inspect", revoked.AccessToken).code)
		assert.True(t, decode[inspectedToken](t, c.must("tokens", "inspect", kept.AccessToken, "-o", "json")).Active)
		i.stop()
	}
}

func TestMigrateRefusesWhatItCannotCopy(t *testing.T) {
	c := newConsole(t)
	dir := t.TempDir()
	config := decode[map[string]string](t, c.mustWith(adminPassword, "init", "--dir", dir, "-o", "json"))["config"]
	file := func(name string) string { return "sqlite:" + filepath.Join(dir, name) }
	for want, line := range map[string][]string{
		"no such file":                     {"--from", file("none.db"), "--to", file("new.db")},
		"redis: storage cannot be copied":  {"--from", "redis://127.0.0.1:1/0", "--to", file("new.db")},
		"memory: storage cannot be copied": {"--from", "memory:", "--to", file("new.db")},
		"picoauth config check":            {"--from", "nowhere.yaml", "--to", file("new.db")},
		`required flag(s) "to" not`:        nil,
	} {
		r := c.run(append([]string{"migrate", "--config", config}, line...)...)
		assert.NotZero(t, r.code, line)
		assert.Contains(t, r.err, want)
	}
	assert.NoFileExists(t, filepath.Join(dir, "none.db"))
}
