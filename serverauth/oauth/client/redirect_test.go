package client_test

import (
	"testing"

	"github.com/stretchr/testify/assert"

	"github.com/picoauth/picoauth/serverauth/oauth/client"
)

func TestAllowsRedirect(t *testing.T) {
	c := &client.Client{Config: client.Config{RedirectURIs: []string{
		"https://app.example.com/cb", "http://127.0.0.1/cb", "http://localhost:3000/cb?x=1", "http://[::1]:1/", "com.example.app:/cb", "https://app.example.com:8443",
	}}}
	for uri, allowed := range map[string]bool{
		"https://app.example.com/cb":                  true,
		"https://app.example.com:8443":                true,
		"com.example.app:/cb":                         true,
		"http://127.0.0.1/cb":                         true,
		"http://127.0.0.1:49152/cb":                   true,
		"http://localhost:1/cb?x=1":                   true,
		"http://localhost/cb?x=1":                     true,
		"http://[::1]:65535/":                         true,
		"":                                            false,
		"https://app.example.com/cb/":                 false,
		"https://app.example.com/cb?":                 false,
		"https://app.example.com/cb#":                 false,
		"https://app.example.com/CB":                  false,
		"https://APP.example.com/cb":                  false,
		"https://app.example.com:443/cb":              false,
		"https://app.example.com:8444":                false,
		"https://app.example.com:8443/":               false,
		"http://app.example.com/cb":                   false,
		"https://app.example.com/a/../cb":             false,
		"https://app.example.com/%63b":                false,
		"https://app.example.com/cb\x00":              false,
		"https://app.example.com.evil.example/cb":     false,
		"https://app.example.com@evil.example/cb":     false,
		"https://127.0.0.1/cb":                        false,
		"http://localhost/cb":                         false,
		"http://127.0.0.1:0/cb":                       false,
		"http://127.0.0.1:080/cb":                     false,
		"http://127.0.0.1:65536/cb":                   false,
		"http://127.0.0.1:/cb":                        false,
		"http://127.0.0.1:+80/cb":                     false,
		"http://127.0.0.1:80:80/cb":                   false,
		"http://127.0.0.1:80@evil.example/cb":         false,
		"http://127.0.0.1:80\\@evil.example/cb":       false,
		"http://127.0.0.1.evil.example/cb":            false,
		"http://u@127.0.0.1/cb":                       false,
		"http://127.0.0.2/cb":                         false,
		"http://2130706433/cb":                        false,
		"http://127.0.0.1:80?/cb":                     false,
		"http://127.0.0.1:80#/cb":                     false,
		"http://LOCALHOST:1/cb?x=1":                   false,
		"http://localhost:1/cb?x=2":                   false,
		"http://[::1]/x":                              false,
		"http://[0:0:0:0:0:0:0:1]:1/":                 false,
		"com.example.app:/cb2":                        false,
		"https://app.example.com/cb https://x.org/cb": false,
	} {
		assert.Equal(t, allowed, c.AllowsRedirect(uri), uri)
	}
	assert.False(t, c.AllowsPostLogoutRedirect("https://app.example.com/cb"), "the lists are two")
}

func TestHost(t *testing.T) {
	for redirect, host := range map[string]string{
		"https://grafana.example.com/login/generic_oauth": "grafana.example.com",
		"https://app.example.com:8443/cb":                 "app.example.com:8443",
		"http://127.0.0.1:5000/":                          client.ThisDevice,
		"https://localhost/":                              client.ThisDevice,
		"com.example.app:/cb":                             client.ThisDevice,
		"com.example.app://bank.example.com/cb":           client.ThisDevice,
	} {
		assert.Equal(t, host, (&client.Client{Config: client.Config{ID: "a"}}).Host(redirect), redirect)
	}
	document := &client.Client{Config: client.Config{ID: "https://claude.example/client.json"}, Source: client.Document}
	assert.Equal(t, "claude.example", document.Host("http://127.0.0.1:5000/"))
}

func TestRedirectURIsThatAreRefused(t *testing.T) {
	for _, uri := range []string{
		"", "/cb", "app.example.com/cb", "https:", "https:/cb", "https:///cb", "https://", "https:app.example.com/cb", "https://a/#", "https://a/#x", "https://*.example.com/cb",
		"https://u@a/", "https://u:p@a/", "https://a:/", "https://a:0/", "https://a:99999/", "https://a/ b", "https://a/\tb", "https://ä/", "https://a\\b/",
		"https://%D0%B0pple.com/cb", "https://%E2%80%AEmoc.example/", "https://bank.com%E2%88%95x.evil.example/", "https://[fe80::1%25x]/",
		"http://a/", "http://0.0.0.0/", "http://127.0.0.1.nip.io/", "http://localhost.example.com/", "HTTP://localhost/", "javascript:alert(1)", "data:text/html,x", "myapp:/cb",
		"file:///etc/passwd", "urn:ietf:wg:oauth:2.0:oob", "com.example.app:/cb#x", ".app:/x",
	} {
		c := client.Config{ID: "a", RedirectURIs: []string{uri}}
		assert.Error(t, c.Check("", client.Known{}), uri)
	}
}

// FuzzAllowsRedirect holds that what is allowed differs from what is registered in the digits of a port at most.
func FuzzAllowsRedirect(f *testing.F) {
	f.Add("http://127.0.0.1/cb", "http://127.0.0.1:80/cb")
	f.Add("https://a.example/cb", "https://a.example/cb")
	f.Add("http://localhost:1/", "http://localhost:2@evil.example/")
	f.Fuzz(func(t *testing.T, registered, asked string) {
		if (client.Config{ID: "a", RedirectURIs: []string{registered}}).Check("", client.Known{}) != nil {
			return
		}
		c := &client.Client{Config: client.Config{RedirectURIs: []string{registered}}}
		if !c.AllowsRedirect(asked) || asked == registered {
			return
		}
		if client.HostOf(asked) != client.ThisDevice || (client.Config{ID: "a", RedirectURIs: []string{asked}}).Check("", client.Known{}) != nil {
			t.Fatalf("%q is allowed for %q", asked, registered)
		}
	})
}
