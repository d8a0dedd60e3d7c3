package main

import (
	"reflect"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
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
