package main

import (
	"database/sql"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

func TestTheAuditIsVerifiedOnTheStorage(t *testing.T) {
	i := install(t)
	c := i.console
	i.login()
	for range 3 {
		user(t, i.url)
	}
	c.must("tokens", "list") // has the audit written
	running := strings.TrimSpace(c.must("audit", "head", "--config", i.config))
	assert.Contains(t, c.must("audit", "verify", "--config", i.config, "--head", running), "4 tokens, 0 not recorded", "while the server runs")
	i.stop()
	before := decode[verified](t, c.must("audit", "verify", "--config", i.config, "-o", "json"))
	assert.Equal(t, int64(4), before.Mints)
	assert.Empty(t, before.Faults)

	database, err := sql.Open("sqlite", filepath.Join(i.dir, "picoauth-data", "picoauth.db"))
	require.NoError(t, err)
	_, err = database.Exec(`UPDATE picoauth_mint SET role = x'00' WHERE seq = 2`)
	require.NoError(t, err)
	r := c.run("audit", "verify", "--config", i.config)
	assert.Equal(t, exitFailed, r.code)
	assert.Contains(t, r.out, "BROKEN  entry 2 altered")
	_, err = database.Exec(`DELETE FROM picoauth_mint WHERE seq >= 2`)
	require.NoError(t, err)
	require.NoError(t, database.Close())
	assert.Zero(t, c.run("audit", "verify", "--config", i.config).code, "a cut at the end is seen by a head only")
	r = c.run("audit", "verify", "--config", i.config, "--head", running, "-o", "json")
	assert.Equal(t, exitFailed, r.code)
	assert.Equal(t, []string{"entries 2 to 4 truncated"}, decode[verified](t, r.out).Faults)

	for _, head := range []string{"", "4", "4:ff", "-1:" + strings.Repeat("0", 64), "x:" + strings.Repeat("0", 64)} {
		assert.Equal(t, exitUsage, c.run("audit", "verify", "--head", head).code, head)
	}
}

func TestKeysOfAStoppedServer(t *testing.T) {
	i := install(t)
	c := i.console
	_, session := user(t, i.url)
	i.stop()
	line := func(arguments ...string) []string {
		return append(append([]string{"keys"}, arguments...), "--offline", "--config", i.config, "-o", "json")
	}
	list := func(arguments ...string) map[string]string {
		states := make(map[string]string)
		for _, k := range decode[[]keyRow](t, c.must(line(arguments...)...)) {
			states[k.State] = k.KID
		}
		return states
	}
	active := list("list")["active"]
	require.NotEmpty(t, active)
	assert.Len(t, list("rotate"), 2)
	after := list("compromised", active)
	assert.Equal(t, active, after["removed"])
	assert.NotEmpty(t, after["active"])
	assert.Equal(t, exitNotFound, c.run(line("compromised", "nobody")...).code)
	assert.Equal(t, exitUsage, c.run("keys", "list", "--config", i.config).code)

	i.start()
	i.login()
	assert.Equal(t, exitNotFound, c.run("tokens", "inspect", session.AccessToken).code, "its key is on the denylist")
	i.stop()

	i.lose()
	r := c.run(line("list")...)
	assert.Equal(t, exitFailed, r.code)
	assert.Contains(t, r.err, "check that --config is that of the server")
}
