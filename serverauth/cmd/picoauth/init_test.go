package main

import (
	"net/http"
	"os"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"syscall"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/picoauth/picoauth/app/config"
	"github.com/picoauth/picoauth/testutil/services"
)

// The shortest way to production: an empty folder, two commands, and an operator who is signed in.
func TestInitThenServeInAnEmptyFolder(t *testing.T) {
	c := newConsole(t)
	dir, port := t.TempDir(), strconv.Itoa(services.FreePort(t))
	url := "http://localhost:" + port
	initialise := launch(t, dir, nil, "init", "--issuer", url)
	require.Error(t, initialise.Wait(), "without a password")
	assert.Contains(t, initialise.out.String(), "there is no password")
	entries, err := os.ReadDir(dir)
	require.NoError(t, err)
	assert.Empty(t, entries, "nothing is left of it")

	t.Chdir(dir)
	text := c.mustWith(adminPassword+"\n", "init", "--issuer", url)
	assert.Contains(t, text, "picoauth serve\n")
	for _, name := range []string{"application.yaml", "key-encryption-key"} {
		info, err := os.Stat(filepath.Join(dir, name))
		require.NoError(t, err)
		assert.Equal(t, os.FileMode(0o600), info.Mode().Perm(), name)
	}
	assert.Equal(t, "The configuration has no faults.\n", c.must("config", "check"))

	server := launch(t, dir, []string{"APP__PORT=" + port}, "serve")
	await(t, server, url)
	c.mustWith(adminPassword, "login", "--url", url, "--email", "admin@pico.local", "--password-stdin")
	assert.Contains(t, c.must("sessions", "list"), "admin@pico.local")
	require.NoError(t, server.Process.Signal(syscall.SIGTERM))
	require.NoError(t, server.Wait(), "%s", &server.out)
	assert.FileExists(t, filepath.Join(dir, "picoauth-data", "picoauth.db"))

	again := c.runWith(adminPassword, "init")
	assert.Equal(t, exitFailed, again.code)
	assert.Contains(t, again.err, "application.yaml exists already")
}

func TestAWalletIsTheOperatorOfANewServer(t *testing.T) {
	c := newConsole(t)
	dir, port := filepath.Join(t.TempDir(), "new", "folder"), strconv.Itoa(services.FreePort(t))
	url, key := "http://localhost:"+port, filepath.Join(t.TempDir(), "wallet.json")
	address := strings.TrimSpace(c.must("wallet", "new", "--key", key, "--algorithm", "eip191"))
	made := decode[map[string]string](t, c.must("init", "--dir", dir, "--issuer", url, "--operator", address, "-o", "json"))

	server := launch(t, t.TempDir(), []string{"APP__PORT=" + port}, "serve", "--config", made["config"])
	await(t, server, url)
	c.must("login", "--url", url, "--wallet", key)
	assert.Contains(t, c.must("keys", "list"), "active")
}

func TestInitWritesNothingThatTheServerRefuses(t *testing.T) {
	c := newConsole(t)
	dir := t.TempDir()
	for line, want := range map[string]string{
		"--issuer https://auth.example.com/":  "trailing slash",
		"--email admin@a.example,b@b.example": "server_auth.admin_email",
	} {
		r := c.runWith(adminPassword, append([]string{"init", "--dir", dir}, strings.Fields(line)...)...)
		assert.Equal(t, exitFailed, r.code)
		assert.Contains(t, r.err, want)
		entries, err := os.ReadDir(dir)
		require.NoError(t, err)
		assert.Empty(t, entries)
	}
	r := c.runWith("short", "init", "--dir", dir)
	assert.Contains(t, r.err, "picoauth init --operator ADDRESS")
}

var commentedOut = regexp.MustCompile(`(?m)^(\s*)#( *[a-z_]+:.*|  - sub:.*|    role:.*)$`)

// What is commented out are settings too: the file without those signs has no unknown key.
func TestTheCommentedSettingsExist(t *testing.T) {
	for _, s := range []start{
		{Issuer: "https://auth.example.com", DataDir: "data", Operator: "0x71C7656EC7ab88b098defB751B7401B5f6d8976F"},
		{Issuer: "https://auth.example.com", DataDir: "data", Email: adminEmail, Hash: "$2a$"},
	} {
		s.KeyFile = write(t, randomSecret())
		var text strings.Builder
		require.NoError(t, configurationTemplate.Execute(&text, s))
		all := commentedOut.ReplaceAllString(text.String(), "$1$2")
		assert.GreaterOrEqual(t, strings.Count(text.String(), "#")-strings.Count(all, "#"), 12)
		all = strings.ReplaceAll(all, "/run/secrets/fleet", write(t, randomSecret()))
		sources := config.Sources{Files: []string{write(t, all)}}
		addServerSections(&sources)
		_, _, err := config.Load(sources)
		for _, fault := range configFaults(err) {
			assert.Contains(t, fault, "admin_password", "only the hash is no hash")
		}
	}
}

func TestServeReportsEveryFaultOfItsConfiguration(t *testing.T) {
	dir := t.TempDir()
	require.NoError(t, os.WriteFile(filepath.Join(dir, "application.yaml"), []byte("app:\n  port: 99999\nserver_auth:\n  isuer: x\n"), 0o600))
	server := launch(t, dir, nil, "serve")
	require.Error(t, server.Wait())
	assert.Equal(t, 1, server.ProcessState.ExitCode())
	assert.Contains(t, server.out.String(), "the configuration has 2 faults")
}

func TestTheServerAnswersAtItsRoot(t *testing.T) {
	dir, port := t.TempDir(), strconv.Itoa(services.FreePort(t))
	server := launch(t, dir, []string{"APP__PORT=" + port}, "serve")
	await(t, server, "http://127.0.0.1:"+port)
	reply, err := http.Get("http://127.0.0.1:" + port + "/") //nolint:noctx // a test
	require.NoError(t, err)
	defer reply.Body.Close()
	assert.Equal(t, http.StatusOK, reply.StatusCode)
	assert.DirExists(t, filepath.Join(dir, "picoauth-data"), "a server that nobody configured keeps its state")
}
