package clientauth_test

import (
	"context"
	"testing"

	"github.com/stretchr/testify/assert"
	"go.uber.org/fx"

	"github.com/picoauth/picoauth/app"
	"github.com/picoauth/picoauth/clientauth"
	"github.com/picoauth/picoauth/serverauth"
	"github.com/picoauth/picoauth/serverauth/oauth"
	"github.com/picoauth/picoauth/serverauth/revocation"
	"github.com/picoauth/picoauth/serverauth/session"
)

// A setting that no token could ever match refuses the start, wherever its value came from.
func TestSettingsThatMatchNothingRefuseTheStart(t *testing.T) {
	for name, change := range map[string]map[string]any{
		"two audiences in one text":  {"auth_client.audience": "pico,other"},
		"a line break":               {"auth_client.audience": "pico\n"},
		"white space":                {"auth_client.audience": " pico"},
		"quotes":                     {"auth_client.audience": `"pico"`},
		"a template in the issuer":   {"auth_client.issuer": "https://login.example.com/{tenantid}/v2.0"},
		"a wildcard in an origin":    {"app.cors_origins": "https://*.example.com"},
		"a list with a broken entry": {"auth_client.issuers": []map[string]any{{"issuer": "http://127.0.0.1:2", "audience": []string{"a", "b\n"}}}},
	} {
		values := map[string]any{"auth_client.issuer": "http://127.0.0.1:1", "auth_client.audience": "pico", "app.port": 0}
		for key, value := range change {
			values[key] = value
		}
		assert.Error(t, app.New(clientauth.Module, app.ConfigMap(values)).Err(), name)
	}
	good := map[string]any{"auth_client.issuers": []map[string]any{{"issuer": "http://127.0.0.1:2", "audience": []string{"a", "b"}}}, "app.port": 0}
	assert.NoError(t, app.New(clientauth.Module, app.ConfigMap(good)).Err(), "an entry of the list may have several audiences")
}

// A service is mended in one go: what is wrong with the URLs is said together with everything else.
func TestAllFaultsOfAServiceAreSaidAtOnce(t *testing.T) {
	err := app.New(clientauth.Module, app.ConfigMap(map[string]any{"app.port": 0, "auth_client": map[string]any{
		"issuer": "ftp://auth.example.com", "audience": "pico", "leeway_seconds": -1, "ca_file": "absent.pem", "revocation_endpoint": "http://auth.example.com/revoked-jtis",
		"accepted_algorithms": []string{"HS256", "none"}, "dpop_algorithms": []string{"ES256", "HS256"},
		"issuers": []map[string]any{{"issuer": "https://b.example.com", "audience": "b", "jwks_endpoint": "keys"}},
	}})).Err()
	for _, key := range []string{"issuer", "leeway_seconds", "ca_file", "revocation_endpoint", "accepted_algorithms[0]", "accepted_algorithms[1]", "dpop_algorithms[1]", "issuers[0].jwks_endpoint"} {
		assert.ErrorContains(t, err, "auth_client."+key+": ")
	}
	local := app.New(serverauth.Module, clientauth.Module, app.ConfigMap(map[string]any{
		"app.port": 0, "app.log_level": "error", "server_auth.issuer": "http://10.0.0.5:8100", "auth_client.issuer": "http://10.0.0.5:8100"}))
	assert.NoError(t, local.Err(), "the issuer in the same app is read without HTTP")
}

type nobodysRoles struct{}

func (nobodysRoles) ResolveRoles(context.Context, *clientauth.SecurityContext) ([]string, error) {
	return nil, nil
}

// A rule of authorisation that fx ignores would be gone without a word.
func TestARoleResolverThatFxIgnoresRefusesTheStart(t *testing.T) {
	for name, option := range map[string]fx.Option{
		"inside a module":           fx.Module("accounts", fx.Decorate(func(clientauth.RoleResolver) clientauth.RoleResolver { return nobodysRoles{} })),
		"a concrete type":           fx.Decorate(func(clientauth.RoleResolver) nobodysRoles { return nobodysRoles{} }),
		"a store inside a module":   fx.Module("accounts", fx.Decorate(func(s serverauth.ChallengeStore) serverauth.ChallengeStore { return s })),
		"claims inside a module":    fx.Module("accounts", fx.Decorate(func(c serverauth.ClaimsProvider) serverauth.ClaimsProvider { return c })),
		"claims, two modules deep":  fx.Module("shop", fx.Module("accounts", fx.Replace(fx.Annotate(serverauth.ClaimsProviderFunc(nil), fx.As(new(serverauth.ClaimsProvider)))))),
		"an issuer inside a module": fx.Module("accounts", fx.Decorate(func(i *serverauth.TokenIssuer) *serverauth.TokenIssuer { return i })),
		"sessions inside a module":  fx.Module("accounts", fx.Decorate(func(s *session.Service) *session.Service { return s })),
		"revoker inside a module":   fx.Module("accounts", fx.Decorate(func(r *revocation.Revoker) *revocation.Revoker { return r })),
		"oauth inside a module":     fx.Module("accounts", fx.Decorate(func(s oauth.Settings) oauth.Settings { return s })),
	} {
		a := app.New(serverauth.Module, oauth.Module, clientauth.Module, option, app.ConfigMap(map[string]any{"app.port": 0, "app.log_level": "error"}))
		assert.Error(t, a.Err(), name)
	}
}
