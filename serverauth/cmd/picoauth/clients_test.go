package main

import (
	"fmt"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/picoauth/picoauth/serverauth/oauth"
	"github.com/picoauth/picoauth/serverauth/oauth/client"
)

func TestClientsAreAddedListedAndRemoved(t *testing.T) {
	c := newConsole(t)
	url := newServer(t, nil, oauth.Module)
	c.mustWith(adminPassword, "login", "--url", url, "--email", adminEmail)
	assert.Equal(t, exitNotFound, c.run("clients", "list").code)

	out := c.must("clients", "add", "grafana", "--name", "Grafana", "--redirect-uri", "https://grafana.example.com/cb", "--scope", "openid,profile")
	assert.Regexp(t, `^Added grafana.\nIts secret, which nobody can show again: \S{32,}\n$`, out)
	phone := decode[client.Config](t, c.must("clients", "add", "https://app.example.com/client", "--auth-method", "none", "--redirect-uri", "http://127.0.0.1/cb", "-o", "json"))
	assert.Empty(t, phone.Secret)
	for i := range 3 {
		c.must("clients", "add", fmt.Sprintf("job-%d", i), "--grant", "client_credentials", "--role", "service")
	}
	listed := decode[[]client.Config](t, c.must("clients", "list", "-o", "json"))
	require.Len(t, listed, 5)
	assert.Len(t, decode[[]client.Config](t, c.must("clients", "list", "--limit", "2", "-o", "json")), 2)
	assert.Equal(t, "Grafana", listed[0].Name)
	assert.Equal(t, []string{"openid", "profile"}, listed[0].Scopes)
	assert.NotContains(t, c.must("clients", "list"), strings.Fields(out)[len(strings.Fields(out))-1], "the secret is shown once")

	rule := `{"roles":["wallet"],"scopes":["openid"],"resources":["pico"]}`
	agent := decode[client.Config](t, c.must("clients", "add", "assistant", "--grant", "client_credentials", "--may-act", rule, "-o", "json"))
	assert.Equal(t, []client.MayAct{{Roles: []string{"wallet"}, Scopes: []string{"openid"}, Resources: []string{"pico"}}}, agent.MayAct)
	assert.Equal(t, exitUsage, c.run("clients", "add", "broken", "--may-act", `{"role":"wallet"}`).code)
	assert.Contains(t, c.run("clients", "add", "broken", "--may-act", `{"roles":["wallet"],"scopes":["root"]}`).err, "may_act[0].scopes[0]")
	c.must("clients", "remove", "assistant")

	r := c.run("clients", "add", "grafana", "--redirect-uri", "https://grafana.example.com/cb")
	assert.Equal(t, exitFailed, r.code)
	assert.Contains(t, r.err, "409")
	r = c.run("clients", "add", "broken", "--redirect-uri", "https://grafana.example.com/cb#fragment")
	assert.Equal(t, exitFailed, r.code)
	assert.Contains(t, r.err, "redirect_uris")
	assert.Equal(t, "Removed https://app.example.com/client.\n", c.must("clients", "remove", "https://app.example.com/client"))
	c.must("clients", "remove", "grafana")
	assert.Equal(t, exitNotFound, c.run("clients", "remove", "grafana").code)
	assert.Len(t, decode[[]client.Config](t, c.must("clients", "list", "-o", "json")), 3)
}
