package app_test

import (
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"

	"github.com/picoauth/picoauth/app"
	"github.com/picoauth/picoauth/app/config"
	"github.com/picoauth/picoauth/clientauth"
	"github.com/picoauth/picoauth/serverauth"
)

// A password in a URL that is refused is in no error, whichever setting it was put into.
func TestErrorsShowNoPasswordOfAURL(t *testing.T) {
	for _, at := range []string{
		"http://user:SECRETPART@localhost:8100", "http://user:SECRET@SECRETPART@localhost:8100", "http://user:SECRET/SECRETPART@localhost:8100",
		"http://user:%zzSECRETPART@localhost:8100", "http:/user:SECRETPART@localhost:8100", "user:SECRETPART@localhost:8100/x", "http//user:SECRETPART@localhost",
		"http:user:SECRETPART@localhost", `http:\\user:SECRETPART@localhost`,
	} {
		for _, key := range []string{
			"server_auth.issuer", "server_auth.allowed_domains", "server_auth.claims_url", "server_auth.storage_url",
			"auth_client.issuer", "auth_client.jwks_url", "auth_client.revocation_endpoint", "auth_client.public_url", "auth_client.resource",
			"app.cors_origins", "app.host",
		} {
			values := map[string]any{"app.port": 0, "server_auth.claims_secret": "0123456789abcdef0123456789abcdef"}
			module := serverauth.Module
			if strings.HasPrefix(key, "auth_client.") {
				values = map[string]any{"app.port": 0, "auth_client.issuer": "http://127.0.0.1:1", "auth_client.audience": "pico"}
				module = clientauth.Module
			}
			values[key] = at
			err := app.New(module, app.ConfigMap(values)).Err()
			if assert.Error(t, err, key) {
				assert.NotContains(t, err.Error(), "SECRET", key+" "+at)
			}
		}
	}
	at := "https://user:SECRET@localhost:8100"
	issuer := map[string]any{"issuer": at, "audience": "pico", "jwks_url": "https://localhost/keys"}
	for name, values := range map[string]map[string]any{
		"a list":           {"auth_client.issuer": at + ",https://b.example"},
		"a template":       {"auth_client.issuer": at + "/{tenantid}"},
		"a wrong pattern":  {"auth_client.issuer": at, "auth_client.tenants": "a"},
		"a wrong tenant":   {"auth_client.issuer": at + "/{tenant}", "auth_client.tenants": "*,a"},
		"an issuer twice":  {"auth_client.issuers": []any{issuer, issuer}},
		"an audience list": {"auth_client.issuers": []any{map[string]any{"issuer": "https://a.example", "audience": []any{at + ",b"}}}},
	} {
		values["auth_client.audience"], values["auth_client.jwks_url"] = "pico", "https://localhost/keys"
		if err := app.New(clientauth.Module, app.ConfigMap(values)).Err(); assert.Error(t, err, name) {
			assert.NotContains(t, err.Error(), "SECRET", name)
			assert.Contains(t, err.Error(), "…@localhost:8100", name)
		}
	}
	assert.Equal(t, "https://…@host/x", config.WithoutUserinfo("https://a:b@host/x"))
	assert.Equal(t, "https://host/x", config.WithoutUserinfo("https://host/x"))
	assert.Equal(t, "…@host", config.WithoutUserinfo("a:b@host"))
	assert.Equal(t, "a@b", config.WithoutUserinfo("a@b"))
}
