package main

import (
	"os"
	"path/filepath"
	"reflect"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"go.uber.org/fx"

	"github.com/picoauth/picoauth/app"
	"github.com/picoauth/picoauth/app/config"
	"github.com/picoauth/picoauth/serverauth"
)

func TestConfigCheckReportsAllFaultsAtOnce(t *testing.T) {
	c := newConsole(t)
	t.Setenv("SERVER_AUTH__AUDIENCE", "")
	file := write(t, "app:\n  port: 99999\nserver_auth:\n  isuer: x\n  fleet_mint_secret: do-not-show\nauth_client:\n  issuer: x\n")
	r := c.run("config", "check", "--config", file)
	assert.Equal(t, exitFailed, r.code)
	for _, want := range []string{
		"app.port: 99999", `server_auth.isuer: unknown key; did you mean "issuer"? (` + file + ":4)", "server_auth.fleet_mint_secret: is too short",
		"server_auth.audience: must not be empty (environment variable SERVER_AUTH__AUDIENCE)", "warning: auth_client:",
	} {
		assert.Contains(t, r.out, want)
	}
	assert.NotContains(t, r.out+r.err, "do-not-show")
	assert.Empty(t, r.err)

	type checked struct{ Faults, Warnings []string }
	got := decode[checked](t, c.run("config", "check", "--config", file, "-o", "json").out)
	assert.Len(t, got.Faults, 4)
	assert.Len(t, got.Warnings, 1)

	r = c.run("config", "print", "--config", file)
	assert.Equal(t, exitFailed, r.code)
	assert.Contains(t, r.err, "the configuration has 4 faults; list them with: picoauth config check")
	r = c.run("config", "check", "--config", file+".none")
	assert.Equal(t, exitFailed, r.code)
	assert.Contains(t, r.out, "no such file")
}

// What the start refuses because of the configuration alone, config check reports too, all at once.
func TestConfigCheckReportsWhatTheStartRefuses(t *testing.T) {
	subjects := filepath.Join(t.TempDir(), "subjects.yaml")
	require.NoError(t, os.WriteFile(subjects, []byte("subjects: [{sub: alice}]"), 0o600))
	file := write(t, `
server_auth:
  issuer: https://auth.example.com
  storage_url: postgres://u@h/d?sslmode=do-not-know
  session_storage_url: redis://h:6379/x
  revocation_storage_url: "memory:"
  mint_storage_url: "sqlite:"
  key_dir: /nonexistent/keys
  subjects: [{sub: vitalik.eth, blocked: true}]
  subjects_file: `+subjects+`
oauth:
  fleet_may_act: {nobody: [{roles: [wallet]}]}
  clients: [{id: agent, secret: 0123456789abcdef0123456789abcdef, grants: [client_credentials], may_act: [{roles: [wallet], resources: [picoo]}]}]
  workloads:
    - {issuer: "https://auth.example.com", audience: x, subject: "*", client: own}
    - {issuer: "https://ci.example.com", audience: x, subject: "*", client: ci, ca_file: /nonexistent}
`)
	c := newConsole(t)
	r := c.run("config", "check", "--config", file)
	start := app.New(server(file), fx.NopLogger).Err()
	for _, want := range []string{
		"server_auth.storage_url: postgres: the URL is not valid", "server_auth.session_storage_url: is not redis://", "server_auth.mint_storage_url: sqlite: the URL names no file",
		"server_auth.revocation_storage_url: persistent keys need persistent sessions", "server_auth.subjects[0].sub: is neither an e-mail address nor a wallet address",
		"subjects_file.subjects[0].sub: is neither", "oauth.fleet_may_act.nobody: the role is not among server_auth.fleet_roles",
		`oauth.clients[0].may_act[0].resources[0]: "picoo" is not one of the server's resources`, "oauth.workloads[0].issuer: is this server",
		"oauth.workloads[1].ca_file: open /nonexistent: no such file or directory",
	} {
		assert.Equal(t, 1, strings.Count(r.out, want), "%s in\n%s", want, r.out)
		assert.ErrorContains(t, start, want, "serve says the same at once")
	}
}

func TestConfigCheckKnowsTheAlgorithmsAndTheStorageOfTheProgram(t *testing.T) {
	c := newConsole(t)
	file := write(t, "server_auth:\n  supported_wallet_algorithms: Ed25519, bitcoin\n  mint_storage_url: mysql://u:do-not-show@db/pico\n  clock_skew_seconds: -1\n")
	r := c.run("config", "check", "--config", file)
	assert.Equal(t, exitFailed, r.code)
	start := app.New(server(file), fx.NopLogger).Err()
	for _, want := range []string{
		`server_auth.supported_wallet_algorithms[1]: "bitcoin" is not one of`, `server_auth.mint_storage_url: no backend for "mysql" URLs in this program`,
		"server_auth.clock_skew_seconds: -1 is not within",
	} {
		assert.Contains(t, r.out, want)
		assert.ErrorContains(t, start, want, "serve says the same at once")
	}
	assert.NotContains(t, r.out+start.Error(), "do-not-show")
	assert.Equal(t, 1, strings.Count(start.Error(), "clock_skew_seconds"), start)
}

func TestConfigCheckHasOneOrder(t *testing.T) {
	c := newConsole(t)
	file := write(t, "server_auth:\n  session_storage_url: mysql://a\n  mint_storage_url: mysql://a\n  link_storage_url: mysql://a\n  key_storage_url: mysql://a\n")
	first := c.run("config", "check", "--config", file).out
	for range 10 {
		assert.Equal(t, first, c.run("config", "check", "--config", file).out)
	}
}

func TestConfigPrintShowsSourcesAndNoSecret(t *testing.T) {
	c := newConsole(t)
	t.Setenv("SERVER_AUTH__FLEET_MINT_SECRET", "do-not-show-this-secret")
	file := write(t, "server_auth:\n  storage_url: postgres://u:do-not-show@db/pico\n  audience: shop\n")
	text := c.must("config", "print", "--config", file)
	assert.NotContains(t, text, "do-not-show")
	for _, want := range []string{
		`server_auth\.audience +shop +` + file + `:3`, `server_auth\.storage_url +postgres:\(hidden\) +`, `app\.port +8100 +default`,
		`server_auth\.data_dir +picoauth-data +default`, `server_auth\.fleet_mint_secret +\(hidden\) +environment variable SERVER_AUTH__FLEET_MINT_SECRET`,
	} {
		assert.Regexp(t, want, text)
	}
	set := decode[[]config.Value](t, c.must("config", "print", "--config", file, "--set-only", "-o", "json"))
	assert.Len(t, set, 3)
}

func TestConfigDocsHasEverySetting(t *testing.T) {
	t.Setenv("APP__PORT", "9999")
	got := map[string]config.Value{}
	for _, value := range decode[[]config.Value](t, newConsole(t).must("config", "docs", "-o", "json")) {
		got[value.Key] = value
	}
	for section, settings := range map[string]any{app.SectionName: app.Settings{}, serverauth.SettingsSection: serverauth.ServerAuthSettings{}} {
		for i := range reflect.TypeOf(settings).NumField() {
			key := section + "." + reflect.TypeOf(settings).Field(i).Tag.Get("koanf")
			assert.Contains(t, got, key)
			assert.NotEmpty(t, got[key].Form, key)
		}
	}
	assert.Equal(t, config.Value{Key: "app.port", Variable: "APP__PORT", Form: "whole number", Value: "8100"}, got["app.port"], "the default, whatever is set")
	assert.Equal(t, "whole number of seconds", got["server_auth.challenge_ttl_seconds"].Form)
	assert.True(t, strings.Contains(newConsole(t).must("config", "docs"), "SERVER_AUTH__ISSUER"))
}
