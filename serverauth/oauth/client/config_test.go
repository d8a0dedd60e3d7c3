package client_test

import (
	"context"
	"errors"
	"strings"
	"testing"

	"github.com/knadh/koanf/providers/confmap"
	"github.com/knadh/koanf/v2"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"go.yaml.in/yaml/v3"

	"github.com/picoauth/picoauth/app/config"
	"github.com/picoauth/picoauth/serverauth/oauth/client"
)

const (
	secret = "0123456789abcdef0123456789abcdef"
	bcrypt = "$2a$10$N9qo8uLOickgx2ZMRZoMyeIjZAgcfl7p92ldGxad68LJZdL17lhWy"
)

var known = client.Known{Scopes: []string{"invoices:read"}, Resources: []string{"https://api.example.com"}}

// section stands for the section of which the settings are a part.
type section struct{ client.Settings }

func (s section) Validate() error { return s.Settings.Validate(known) }

func load(t *testing.T, text string) ([]client.Config, error) {
	t.Helper()
	k := koanf.New(".")
	var values map[string]any
	require.NoError(t, yaml.Unmarshal([]byte(text), &values))
	require.NoError(t, k.Load(confmap.Provider(values, "."), nil))
	s, err := config.Section(k, "oauth", section{client.DefaultSettings()})
	return s.Clients, err
}

// faultsOf returns the keys of all faults.
func faultsOf(err error) (keys []string) {
	var one *config.Error
	var many interface{ Unwrap() []error }
	switch {
	case errors.As(err, &many):
		for _, err := range many.Unwrap() {
			keys = append(keys, faultsOf(err)...)
		}
	case errors.As(err, &one):
		keys = append(keys, one.Key)
	}
	return keys
}

func TestCheckAll(t *testing.T) {
	const web = "redirect_uris: ['https://app.example.com/cb']"
	for name, c := range map[string]struct {
		item string
		keys []string
	}{
		"public":                       {"{id: a, " + web + "}", nil},
		"confidential":                 {"{id: a, secret: " + secret + ", " + web + "}", nil},
		"hash":                         {"{id: a, secret: '" + bcrypt + "', " + web + "}", nil},
		"key":                          {"{id: a, auth_method: private_key_jwt, jwks_uri: 'https://app.example.com/jwks', " + web + "}", nil},
		"loopback keys":                {"{id: a, auth_method: private_key_jwt, jwks_uri: 'http://127.0.0.1:9/jwks', " + web + "}", nil},
		"two roles":                    {"{id: a, secret: " + secret + ", grants: [client_credentials], role: 'worker,admin'}", []string{"role"}},
		"service":                      {"{id: a, secret: " + secret + ", grants: [client_credentials], role: worker}", nil},
		"resource server":              {"{id: a, secret: " + secret + ", introspect: true, denylist: true}", nil},
		"device":                       {"{id: a, grants: ['urn:ietf:params:oauth:grant-type:device_code', refresh_token]}", nil},
		"private scheme":               {"{id: a, redirect_uris: ['com.example.app:/cb', 'http://[::1]/cb', 'http://localhost:80/', 'https://a/?x=y']}", nil},
		"scopes":                       {"{id: a, scopes: [openid, 'invoices:read'], resources: ['https://api.example.com'], consent: implied, " + web + "}", nil},
		"no id":                        {"{" + web + "}", []string{"id"}},
		"id with a tab":                {"{id: \"a\\tb\", " + web + "}", []string{"id"}},
		"id beyond ASCII":              {"{id: ä, " + web + "}", []string{"id"}},
		"long id":                      {"{id: " + strings.Repeat("a", 256) + ", " + web + "}", []string{"id"}},
		"white space":                  {"{id: ' a', name: 'b ', " + web + "}", []string{"id", "name"}},
		"text that turns round":        {"{id: a, name: \"a\\u202eb\", " + web + "}", []string{"name"}},
		"long name":                    {"{id: a, name: " + strings.Repeat("a", 101) + ", " + web + "}", []string{"name"}},
		"no redirect":                  {"{id: a}", []string{"redirect_uris"}},
		"no redirect for codes":        {"{id: a, secret: " + secret + ", introspect: true, grants: [authorization_code]}", []string{"redirect_uris"}},
		"redirect of no use":           {"{id: a, secret: " + secret + ", grants: [client_credentials], " + web + "}", []string{"redirect_uris"}},
		"faulty redirects":             {"{id: a, redirect_uris: ['https://a/#x', 'https://a/', 'http://a/', 'app:/x']}", []string{"redirect_uris[0]", "redirect_uris[2]", "redirect_uris[3]"}},
		"faulty log-out":               {"{id: a, post_logout_redirect_uris: ['/x'], " + web + "}", []string{"post_logout_redirect_uris[0]"}},
		"short secret":                 {"{id: a, secret: 0123456789abcdef0123456789abcde, " + web + "}", []string{"secret"}},
		"faulty hash":                  {"{id: a, secret: '$2a$10$0123456789abcdef0123456789abcdef', " + web + "}", []string{"secret"}},
		"secret with a line break":     {"{id: a, secret: \"" + secret + "\\n\", " + web + "}", []string{"secret"}},
		"secret of a public client":    {"{id: a, auth_method: none, secret: " + secret + ", " + web + "}", []string{"secret"}},
		"secret beside a key":          {"{id: a, auth_method: private_key_jwt, jwks_uri: 'https://a/', secret: " + secret + ", " + web + "}", []string{"secret"}},
		"no secret":                    {"{id: a, auth_method: client_secret_post, " + web + "}", []string{"secret"}},
		"unknown method":               {"{id: a, auth_method: tls_client_auth, " + web + "}", []string{"auth_method"}},
		"no keys":                      {"{id: a, auth_method: private_key_jwt, " + web + "}", []string{"jwks_uri"}},
		"keys of no use":               {"{id: a, jwks_uri: 'https://a/', " + web + "}", []string{"jwks_uri"}},
		"keys in the open":             {"{id: a, auth_method: private_key_jwt, jwks_uri: 'http://a/', " + web + "}", []string{"jwks_uri"}},
		"keys with a password":         {"{id: a, auth_method: private_key_jwt, jwks_uri: 'https://u:geheim@a/', " + web + "}", []string{"jwks_uri"}},
		"unknown grant":                {"{id: a, grants: [authorization_code, password], " + web + "}", []string{"grants[1]"}},
		"public with a token":          {"{id: a, grants: [client_credentials]}", []string{"grants[0]"}},
		"refresh of nothing":           {"{id: a, secret: " + secret + ", grants: [client_credentials, refresh_token]}", []string{"grants[1]"}},
		"unknown scope":                {"{id: a, scopes: [openid, mails], " + web + "}", []string{"scopes[1]"}},
		"scope twice":                  {"{id: a, scopes: [openid, openid], " + web + "}", []string{"scopes[1]"}},
		"unknown resource":             {"{id: a, resources: ['https://api.example.com/'], " + web + "}", []string{"resources[0]"}},
		"unknown consent":              {"{id: a, consent: never, " + web + "}", []string{"consent"}},
		"public that introspects":      {"{id: a, introspect: true, denylist: true, " + web + "}", []string{"introspect", "denylist"}},
		"key that is not known":        {"{id: a, redirect_uri: 'https://a/', " + web + "}", []string{"redirect_uri"}},
		"several faults, each with it": {"{id: a, consent: x, secret: short, redirect_uris: ['x']}", []string{"consent", "secret", "redirect_uris[0]"}},
	} {
		t.Run(name, func(t *testing.T) {
			clients, err := load(t, "oauth: {clients: ["+c.item+"]}")
			var keys []string
			for _, key := range c.keys {
				keys = append(keys, "oauth.clients[0]."+key)
			}
			assert.ElementsMatch(t, keys, faultsOf(err), "%v", err)
			if c.keys != nil {
				assert.NotContains(t, err.Error(), secret)
				assert.NotContains(t, err.Error(), "geheim")
				return
			}
			require.NoError(t, err)
			found, err := registryOf(t, clients...).Find(context.Background(), "a")
			require.NoError(t, err)
			assert.Equal(t, "a", found.ID)
		})
	}
}

func TestCheckAllTwoOfOneID(t *testing.T) {
	_, err := load(t, "oauth: {clients: [{id: a, redirect_uris: ['https://a/']}, {id: b, redirect_uris: ['https://a/']}, {id: a, redirect_uris: ['https://b/']}]}")
	assert.Equal(t, []string{"oauth.clients[2].id"}, faultsOf(err))
}

func TestRegistryDefaults(t *testing.T) {
	clients, err := load(t, `oauth: {clients: [
		{id: public, redirect_uris: ['https://app.example.com/cb']},
		{id: full, name: Full, secret: `+secret+`, redirect_uris: ['https://app.example.com/cb'], scopes: [openid], grants: [authorization_code, client_credentials], role: worker, consent: implied},
		{id: service, secret: `+secret+`, introspect: true, dpop_bound_access_tokens: true}]}`)
	require.NoError(t, err)
	registry := registryOf(t, clients...)
	find := func(id string) *client.Client {
		found, err := registry.Find(context.Background(), id)
		require.NoError(t, err)
		return found
	}

	public := find("public")
	assert.Equal(t, "public", public.Name)
	assert.True(t, public.IsPublic())
	assert.Equal(t, []string{client.GrantCode, client.GrantRefresh}, public.Grants)
	assert.Equal(t, client.OpenIDScopes(), public.Scopes)
	assert.Empty(t, public.DefaultScopes)
	assert.Empty(t, public.Resources)
	assert.Equal(t, "service", public.Role)
	assert.Equal(t, client.ConsentAsk, public.Consent)

	full := find("full")
	assert.Equal(t, "Full", full.Name)
	assert.False(t, full.DPoPBound)
	assert.Equal(t, client.AuthSecretBasic, full.AuthMethod)
	assert.False(t, full.AllowsGrant(client.GrantRefresh))
	assert.Equal(t, []string{"openid"}, full.Scopes)
	assert.Equal(t, []string{"openid"}, full.DefaultScopes)
	assert.Equal(t, "worker", full.Role)
	assert.Equal(t, client.ConsentImplied, full.Consent)

	service := find("service")
	assert.Empty(t, service.Grants)
	assert.True(t, service.Introspect && service.DPoPBound)
	assert.False(t, service.Denylist)

	_, err = registry.Find(context.Background(), "nobody")
	assert.ErrorIs(t, err, client.ErrUnknown)
}

func TestSettings(t *testing.T) {
	for text, keys := range map[string][]string{
		"{client_metadata_documents: on, insecure_client_hosts: ['127.0.0.1', 'localhost:3000', '[::1]:80', '[::1]', 'a.example.com']}": nil,
		"{dynamic_registration: open}":                                      nil,
		"{dynamic_registration: token, registration_token: " + secret + "}": nil,
		"{client_metadata_documents: yes}":                                  {"client_metadata_documents"},
		"{dynamic_registration: closed}":                                    {"dynamic_registration"},
		"{dynamic_registration: token}":                                     {"registration_token"},
		"{dynamic_registration: token, registration_token: short}":          {"registration_token"},
		"{dynamic_registration: open, registration_token: " + secret + "}":  {"registration_token"},
		"{insecure_client_hosts: ['http://a', 'a:0', 'a:b', '*', 'a/b', 'a:65536', 'u@a', '']}": {"insecure_client_hosts[0]", "insecure_client_hosts[1]",
			"insecure_client_hosts[2]", "insecure_client_hosts[3]", "insecure_client_hosts[4]", "insecure_client_hosts[5]", "insecure_client_hosts[6]", "insecure_client_hosts[7]"},
	} {
		_, err := load(t, "oauth: "+text)
		var want []string
		for _, key := range keys {
			want = append(want, "oauth."+key)
		}
		assert.ElementsMatch(t, want, faultsOf(err), "%s: %v", text, err)
		if err != nil {
			assert.NotContains(t, err.Error(), secret)
		}
	}
}
