package main

import (
	"bytes"
	"crypto/tls"
	"crypto/x509"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"net/http/httputil"
	"net/url"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/picoauth/picoauth/testutil/services"
)

const fleetSecret = "a-secret-of-the-fleet-0123456789"

// pair is a server that runs behind a proxy, and a client's configuration.
type pair struct {
	url            string
	spoil          func(*http.Response) // what the proxy does to replies
	server, client map[string]string    // settings by key, for the doctor
}

func newPair(t *testing.T) *pair {
	t.Helper()
	p := &pair{spoil: func(*http.Response) {}}
	var forward *httputil.ReverseProxy
	proxy := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) { forward.ServeHTTP(w, r) }))
	t.Cleanup(proxy.Close)
	p.url = proxy.URL
	target, err := url.Parse(newServer(t, map[string]any{"server_auth.issuer": p.url, "server_auth.fleet_mint_secret": fleetSecret, "server_auth.algorithm": "ES256"}))
	require.NoError(t, err)
	forward = httputil.NewSingleHostReverseProxy(target)
	forward.ModifyResponse = func(r *http.Response) error { p.spoil(r); return nil }
	p.server = map[string]string{
		"app.port": "8100", "server_auth.issuer": p.url, "server_auth.data_dir": filepath.Join(t.TempDir(), "data"),
		"server_auth.key_encryption_key": randomSecret(),
	}
	p.client = map[string]string{
		"auth_client.issuer": p.url, "auth_client.audience": "pico", "auth_client.revocation_endpoint": p.url + "/api/v1/auth/revoked-jtis",
		"auth_client.revocation_secret": fleetSecret, "shop.name": "settings of the client's own",
	}
	return p
}

func configuration(t *testing.T, settings map[string]string) string {
	t.Helper()
	var text strings.Builder
	for key, value := range settings {
		fmt.Fprintf(&text, "%s: %s\n", key, yamlQuote(value))
	}
	return write(t, text.String())
}

func (p *pair) examine(t *testing.T, c shell) (examination, result) {
	t.Helper()
	r := c.run("doctor", "--issuer", p.url, "--config", configuration(t, p.server), "--client-config", configuration(t, p.client), "-o", "json")
	return decode[examination](t, r.out), r
}

// replace changes the body of one path.
func replace(path, old, text string) func(*http.Response) {
	return func(r *http.Response) {
		if r.Request.URL.Path != path {
			return
		}
		body, _ := io.ReadAll(r.Body)
		if r.Header.Get("Content-Encoding") != "" {
			panic("the test cannot change a compressed body")
		}
		body = bytes.ReplaceAll(body, []byte(old), []byte(text))
		r.Body, r.ContentLength = io.NopCloser(bytes.NewReader(body)), int64(len(body))
		r.Header.Set("Content-Length", fmt.Sprint(len(body)))
	}
}

func TestDoctorFindsNothingOnAHealthyPair(t *testing.T) {
	e, r := newPair(t).examine(t, newConsole(t))
	assert.Zero(t, r.code)
	assert.Empty(t, e.Findings)
	assert.GreaterOrEqual(t, len(e.Checked), 14, "%v", e.Checked)
	require.Len(t, e.Skipped, 1)
	assert.Contains(t, e.Skipped[0], "does not exist yet")
}

func TestDoctorFindsEachPlantedFaultWithItsCure(t *testing.T) {
	c := newConsole(t)
	other := newServer(t, nil)
	for name, test := range map[string]struct {
		plant                func(p *pair)
		check, problem, cure string
		advice               bool
	}{
		"the server's clock": {func(p *pair) {
			p.spoil = func(r *http.Response) {
				r.Header.Set("Date", time.Now().Add(-5*time.Minute).UTC().Format(http.TimeFormat))
			}
		}, "clock", "behind this machine's", "synchronise both clocks", false},
		"a clock that is a little off": {func(p *pair) {
			p.spoil = func(r *http.Response) {
				r.Header.Set("Date", time.Now().Add(20*time.Second).UTC().Format(http.TimeFormat))
			}
		}, "clock", "20s ahead", "synchronise both clocks", true},
		"another issuer": {func(p *pair) {
			p.spoil = replace("/.well-known/openid-configuration", p.url, "https://auth.example.com")
		},
			"discovery", "has the issuer https://auth.example.com", "set server_auth.issuer to http://127.0.0.1:", false},
		"a proxy that hides paths": {func(p *pair) {
			p.spoil = func(r *http.Response) {
				if strings.HasPrefix(r.Request.URL.Path, "/.well-known/") {
					r.StatusCode = http.StatusNotFound
				}
			}
		}, "discovery", "is not a discovery document (status 404", "let the proxy pass every path", false},
		"not ready": {func(p *pair) {
			p.spoil = func(r *http.Response) {
				if r.Request.URL.Path == "/readyz" {
					r.StatusCode = http.StatusServiceUnavailable
				}
			}
		}, "readiness", "/readyz answers 503", "not ready", false},
		"no keys":    {func(p *pair) { p.spoil = replace("/api/v1/auth/jwks", "keys", "cheese") }, "keys", "has no keys", "picoauth keys list", false},
		"an old set": {func(p *pair) { p.spoil = replace("/api/v1/auth/jwks", `"ES256"`, `"RS256"`) }, "keys", "signed with ES256", "Cache-Control", false},
		"a stale list": {func(p *pair) {
			p.spoil = func(r *http.Response) {
				if r.Request.URL.Path == "/metrics" {
					r.Header.Del("Content-Encoding")
					r.Body, r.ContentLength = io.NopCloser(strings.NewReader("picoauth_denylist_age_seconds 900.5\n")), -1
					r.Header.Del("Content-Length")
				}
			}
		}, "denylist", "ago: revoked tokens pass", "storage of revocations", false},
		"proxies that nobody named": {func(p *pair) { p.server["server_auth.issuer"] = "https://auth.example.com" },
			"proxies", "app.trusted_proxies is empty", "list the proxy's addresses", false},
		"proxies of the whole world": {func(p *pair) { p.server["app.trusted_proxies"] = "0.0.0.0/0" }, "proxies", "everybody can claim any address", "only the addresses", false},
		"a setting":                  {func(p *pair) { p.server["server_auth.isuer"] = "x" }, "configuration", `did you mean "issuer"`, "config docs", false},
		"a storage that is away": {func(p *pair) {
			p.server["server_auth.storage_url"] = "redis://127.0.0.1:" + strconv.Itoa(services.FreePort(t))
		},
			"storage", "refused", "is reachable from here", false},
		"a storage that is damaged": {func(p *pair) {
			p.server["server_auth.storage_url"] = "sqlite:" + write(t, strings.Repeat("no database ", 500))
		},
			"storage", "not a database", "lets this user read and write", false},
		"a plain password": {func(p *pair) {
			p.server["server_auth.auto_create_admin"], p.server["server_auth.admin_password"] = "true", adminPassword
		}, "secrets", "in plain text", "picoauth hash-password", true},
		"keys that nothing seals": {func(p *pair) { delete(p.server, "server_auth.key_encryption_key") }, "secrets", "unencrypted", "picoauth secret", true},
		"memory":                  {func(p *pair) { p.server["server_auth.storage_url"] = "memory:" }, "secrets", "a restart signs everybody out", "data_dir", true},

		"the client's issuer": {func(p *pair) { p.client["auth_client.issuer"] = p.url + "/" }, "client issuer", "refuses every token", "set auth_client.issuer to http://", false},
		"the client's audience": {func(p *pair) { p.client["auth_client.audience"] = "shop" }, "client audience", `is "shop" and tokens have "pico"`,
			"set auth_client.audience to pico", false},
		"another claim": {func(p *pair) { p.client["auth_client.audience_claim"] = "azp" }, "client audience", "no token of this server has", "audience_claim", false},
		"no audience":   {func(p *pair) { delete(p.client, "auth_client.audience") }, "client audience", "is not set", "server_auth.audience", false},
		"the client's algorithms": {func(p *pair) { p.client["auth_client.accepted_algorithms"] = "RS256, EdDSA" }, "client algorithms", "the client accepts RS256, EdDSA",
			"add ES256", false},
		"the keys of another server": {func(p *pair) { p.client["auth_client.jwks_url"] = other + "/api/v1/auth/jwks" }, "client keys", "none of the server's keys",
			"/api/v1/auth/jwks, or leave", false},
		"a path that has no keys": {func(p *pair) { p.client["auth_client.jwks_url"] = p.url + "/jwks" }, "client keys", "is not a key set (status 404", "set auth_client.jwks_url", false},
		"keys over http":          {func(p *pair) { p.client["auth_client.jwks_url"] = "http://auth.example.com/jwks" }, "client configuration", "must be https", "correct this setting", false},
		"a leeway that is too small": {func(p *pair) { p.client["auth_client.leeway_seconds"] = "5" }, "client leeway", "5s, but the server allows 1m0s",
			"set auth_client.leeway_seconds to 60", false},
		"a secret that is wrong": {func(p *pair) { p.client["auth_client.revocation_secret"] = "another" }, "client denylist", "the server refuses the client",
			"fleet_mint_secret", false},
		"a denylist that is none": {func(p *pair) { p.client["auth_client.revocation_endpoint"] = p.url + "/healthy" }, "client denylist", "is not a denylist", "revoked-jtis", false},
		"a secret over http":      {func(p *pair) { p.client["auth_client.revocation_endpoint"] = "http://auth.example.com/x" }, "client configuration", "must be https", "correct this setting", false},
		"no denylist":             {func(p *pair) { delete(p.client, "auth_client.revocation_endpoint") }, "client denylist", "passes until it expires", "revocation_endpoint", true},
		"a denylist that may be away": {func(p *pair) { p.client["auth_client.revocation_fail_open"] = "true" }, "client denylist", "while the denylist is not available",
			"revocation_fail_open", true},
		"a client that is disabled": {func(p *pair) { p.client["auth_client.enabled"] = "false" }, "client", "passes without a token", "auth_client.enabled", false},
		"a client's setting":        {func(p *pair) { p.client["auth_client.audiense"] = "x" }, "client configuration", `did you mean "audience"`, "correct this setting", false},
		"authorities that are none": {func(p *pair) { p.client["auth_client.ca_file"] = write(t, "no PEM") }, "client configuration", "auth_client.ca_file", "correct this setting", false},
	} {
		t.Run(name, func(t *testing.T) {
			p := newPair(t)
			test.plant(p)
			e, r := p.examine(t, c)
			found := finding{}
			for _, f := range e.Findings {
				if f.Check == test.check && strings.Contains(f.Problem, test.problem) {
					found = f
				}
			}
			require.NotEmpty(t, found, "%+v\n%s", e, r.err)
			assert.Contains(t, found.Cure, test.cure)
			assert.Equal(t, !test.advice, found.Matters)
			if test.advice {
				assert.Len(t, e.Findings, 1)
				assert.Zero(t, r.code)
			} else {
				assert.Equal(t, exitFailed, r.code)
			}
			assert.NotContains(t, e.Checked, test.check)
			assert.NotContains(t, r.out+r.err, fleetSecret)
		})
	}
}

// The doctor may look at a storage that a server uses.
func TestDoctorBesideAServer(t *testing.T) {
	c := newConsole(t)
	dir, port := t.TempDir(), strconv.Itoa(services.FreePort(t))
	address := "http://localhost:" + port
	made := decode[map[string]string](t, c.mustWith(adminPassword, "init", "--dir", dir, "--issuer", address, "-o", "json"))
	await(t, launch(t, dir, []string{"APP__PORT=" + port}, "serve"), address)
	text := c.must("doctor", "--config", made["config"])
	assert.Contains(t, text, "ok       storage\n")
	assert.Contains(t, text, "Nothing is wrong.\n")

	require.NoError(t, os.WriteFile(made["key_encryption_key"], []byte(randomSecret()), 0o600))
	r := c.run("doctor", "--config", made["config"])
	assert.Equal(t, exitFailed, r.code)
	assert.Regexp(t, `WRONG +storage: .*(?i)encryption`, r.out)
	assert.Contains(t, r.out, "cure: ")
}

func TestDoctorReachesNoServer(t *testing.T) {
	c := newConsole(t)
	t.Chdir(t.TempDir())
	r := c.run("doctor", "--issuer", "http://127.0.0.1:"+strconv.Itoa(services.FreePort(t)))
	assert.Equal(t, exitFailed, r.code)
	assert.Contains(t, r.out, "cannot be reached")
	assert.Contains(t, r.out, "cure: check that the server runs")
	r = c.run("doctor")
	assert.Equal(t, exitUsage, r.code)
	assert.Contains(t, r.err, "name a server with --issuer")

	secure := httptest.NewTLSServer(http.NotFoundHandler())
	defer secure.Close()
	secure.Config.ErrorLog = nil
	r = c.run("doctor", "--issuer", secure.URL)
	assert.Equal(t, exitFailed, r.code)
	assert.Contains(t, r.out, "an authority that is not trusted here")
	assert.Contains(t, r.out, "SSL_CERT_FILE")
}

func TestDoctorKnowsCertificates(t *testing.T) {
	certificate := &x509.Certificate{DNSNames: []string{"other.example.com"}, NotAfter: time.Now().Add(24 * time.Hour)}
	for want, err := range map[string]error{
		"is for another name": x509.HostnameError{Certificate: certificate, Host: "auth.example.com"},
		"is not valid":        x509.CertificateInvalidError{Cert: certificate, Reason: x509.Expired},
	} {
		e := &examination{}
		e.unreachable("https://auth.example.com", &url.Error{Op: "Get", Err: err})
		require.Len(t, e.Findings, 1)
		assert.Contains(t, e.Findings[0].Problem, want)
		assert.True(t, e.Findings[0].Matters)
	}
	e := &examination{}
	e.examineCertificate(answer{Response: &http.Response{TLS: &tls.ConnectionState{PeerCertificates: []*x509.Certificate{certificate}}}})
	require.Len(t, e.Findings, 1)
	assert.False(t, e.Findings[0].Matters)
	certificate.NotAfter = time.Now().Add(90 * 24 * time.Hour)
	e = &examination{}
	e.examineCertificate(answer{Response: &http.Response{TLS: &tls.ConnectionState{PeerCertificates: []*x509.Certificate{certificate}}}})
	assert.Empty(t, e.Findings)
}
