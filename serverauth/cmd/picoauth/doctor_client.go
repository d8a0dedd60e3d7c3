package main

import (
	"bytes"
	"cmp"
	"context"
	"fmt"
	"net/http"
	"os"
	"slices"
	"strings"
	"time"

	"go.yaml.in/yaml/v3"

	"github.com/picoauth/picoauth/app/config"
	"github.com/picoauth/picoauth/clientauth"
	"github.com/picoauth/picoauth/clientauth/verify"
	"github.com/picoauth/picoauth/serverauth"
)

// readClient reads the section auth_client of a client's configuration. It ignores other sections.
func (e *examination) readClient(path string) (settings clientauth.Settings, ok bool) {
	if path == "" {
		return settings, false
	}
	e.check("client configuration", func() {
		var top map[string]any
		text, err := os.ReadFile(path)
		if err == nil {
			err = yaml.NewDecoder(bytes.NewReader(text)).Decode(&top)
		}
		if err != nil {
			e.wrong("client configuration", "name the file that the client reads", "%s cannot be read: %s", path, err)
			return
		}
		sources := config.Sources{Files: []string{path}, Environ: os.Environ()}
		config.AddSettings(&sources, clientauth.SettingsSection, clientauth.DefaultSettings())
		for name := range top {
			section, _, _ := strings.Cut(name, ".")
			sources.Sections = append(sources.Sections, section)
		}
		k, _, err := config.Load(sources)
		if err == nil {
			settings, err = config.Section(k, clientauth.SettingsSection, clientauth.DefaultSettings())
		}
		for _, fault := range configFaults(err) {
			e.wrong("client configuration", "correct this setting", "%s", fault)
		}
		ok = err == nil
	})
	return settings, ok
}

// examineClient compares a client's settings with a running server. server may be nil.
func (e *examination) examineClient(ctx context.Context, s clientauth.Settings, live *liveIssuer, server *serverSettings) {
	if !s.Enabled {
		e.wrong("client", "set auth_client.enabled to true", "auth_client.enabled is false: every request passes without a token")
	}
	trusted := trustedIssuer(s, live)
	client, err := clientOf(s.CAFile)
	if err != nil {
		e.wrong("client TLS", "name a file of PEM certificates in auth_client.ca_file", "%s", err)
		return
	}
	e.check("client issuer", func() {
		if want := cmp.Or(live.issuer, live.url); trusted.Issuer != want {
			e.wrong("client issuer", "set auth_client.issuer to "+want, "auth_client.issuer is %q and tokens have %q: the client refuses every token", trusted.Issuer, want)
		}
	})
	e.examineAudience(s.Resource, trusted, server)
	e.check("client algorithms", func() {
		if len(trusted.AcceptedAlgorithms) > 0 && live.signs != "" && !slices.Contains(trusted.AcceptedAlgorithms, live.signs) {
			e.wrong("client algorithms", "add "+live.signs+" to auth_client.accepted_algorithms, or leave the setting out",
				"tokens are signed with %s, and the client accepts %s", live.signs, strings.Join(trusted.AcceptedAlgorithms, ", "))
		}
	})
	e.check("client keys", func() { e.examineClientKeys(ctx, client, s, trusted, live) })
	e.check("client leeway", func() { e.examineLeeway(s.Leeway(), live, server) })
	e.check("client denylist", func() { e.examineClientDenylist(ctx, client, trusted, s.InsecureAllowHTTP) })
}

// trustedIssuer returns the settings for the server: the flat keys, or the entry of the list with its name.
func trustedIssuer(s clientauth.Settings, live *liveIssuer) clientauth.IssuerSettings {
	for _, issuer := range s.Issuers {
		if strings.TrimRight(issuer.Issuer, "/") == live.url || s.Issuer == "" && len(s.Issuers) == 1 {
			return issuer
		}
	}
	return s.IssuerSettings
}

// clientOf returns a client that trusts the certificate authorities in a file in addition to the system's.
func clientOf(caFile string) (*http.Client, error) {
	client := newHTTPClient()
	trusting, err := verify.ClientTrusting(caFile)
	if trusting != nil {
		client.Transport = trusting.Transport
	}
	return client, err
}

func (e *examination) examineAudience(resource string, trusted clientauth.IssuerSettings, server *serverSettings) {
	e.check("client audience", func() {
		if len(trusted.Audience) == 0 && resource != "" {
			e.skip("client audience: it is auth_client.resource, which OAuth clients ask for")
			return
		}
		if len(trusted.Audience) == 0 {
			e.wrong("client audience", "set auth_client.audience to the server's server_auth.audience", "auth_client.audience is not set")
			return
		}
		if server == nil {
			e.skip("client audience: only the server's configuration knows it; give --config")
			return
		}
		want := server.auth.Audience
		switch trusted.AudienceClaim {
		case "client_id":
			want = server.auth.ClientIDOrAudience()
		case "azp":
			e.wrong("client audience", "remove auth_client.audience_claim", "auth_client.audience_claim is azp, which no token of this server has: the client refuses every token")
			return
		}
		if !slices.Contains(trusted.Audience, want) {
			e.wrong("client audience", "set auth_client.audience to "+want,
				"auth_client.audience is %q and tokens have %q: the client refuses every token", strings.Join(trusted.Audience, ", "), want)
		}
	})
}

func (e *examination) examineClientKeys(ctx context.Context, client *http.Client, s clientauth.Settings, trusted clientauth.IssuerSettings, live *liveIssuer) {
	address := cmp.Or(trusted.JWKSURL, trusted.JWKSEndpoint, strings.TrimRight(trusted.Issuer, "/")+serverauth.Prefix+"/jwks")
	cure := "set auth_client.jwks_url to " + live.url + serverauth.Prefix + "/jwks, or leave the setting out"
	if !strings.HasPrefix(address, "https:") && !isLoopback(address) && !s.InsecureAllowHTTP {
		e.wrong("client keys", "use https; auth_client.insecure_allow_http is only for a network that nobody else can use", "the client fetches no keys from %s, which is not https", address)
		return
	}
	keys, problem := fetchKeys(ctx, client, address)
	if problem != "" {
		e.wrong("client keys", cure, "%s: the client refuses every token", problem)
		return
	}
	for _, key := range live.keys {
		if slices.ContainsFunc(keys, func(k publicKey) bool { return k.ID == key.ID }) {
			return
		}
	}
	if len(live.keys) > 0 {
		e.wrong("client keys", cure, "%s has none of the server's keys: it belongs to another server", address)
	}
}

func (e *examination) examineLeeway(leeway time.Duration, live *liveIssuer, server *serverSettings) {
	needed := time.Duration(0)
	if server != nil {
		needed = server.auth.ClockSkew()
	}
	switch {
	case live.skew.Abs() > leeway+tolerableSkew:
		e.wrong("client leeway", "synchronise both clocks, or raise auth_client.leeway_seconds", "the server's clock is %s, and the client tolerates %s", live.drift(), leeway)
	case leeway < needed:
		e.wrong("client leeway", fmt.Sprintf("set auth_client.leeway_seconds to %d", int(needed.Seconds())),
			"the client tolerates clocks that differ by %s, but the server allows %s (server_auth.clock_skew_seconds)", leeway, needed)
	}
}

func (e *examination) examineClientDenylist(ctx context.Context, client *http.Client, trusted clientauth.IssuerSettings, insecure bool) {
	const name = "client denylist"
	if trusted.RevocationEndpoint == "" {
		e.advise(name, "set auth_client.revocation_endpoint, and revocation_secret to the server's fleet_mint_secret",
			"auth_client.revocation_endpoint is not set: a revoked token passes until it expires")
		return
	}
	if trusted.RevocationFailOpen {
		e.advise(name, "remove auth_client.revocation_fail_open", "revoked tokens pass while the denylist is not available")
	}
	if !strings.HasPrefix(trusted.RevocationEndpoint, "https:") && !isLoopback(trusted.RevocationEndpoint) && !insecure {
		e.wrong(name, "use https; auth_client.insecure_allow_http is only for a network that nobody else can use",
			"the client fetches no denylist from %s, which is not https", trusted.RevocationEndpoint)
		return
	}
	header := clientauth.RemoteDenylistConfig{Bearer: trusted.RevocationBearer, Secret: trusted.RevocationSecret,
		ClientID: trusted.RevocationClientID, ClientSecret: trusted.RevocationClientSecret}.Credentials()
	reply, err := get(ctx, client, trusted.RevocationEndpoint, header)
	switch {
	case err == nil && (reply.StatusCode == http.StatusUnauthorized || reply.StatusCode == http.StatusForbidden):
		e.wrong(name, "set auth_client.revocation_secret to the server's fleet_mint_secret, or revocation_bearer to a token with the role service",
			"the server refuses the client at %s (%s): the client refuses every token", trusted.RevocationEndpoint, outcome(reply, err))
	case err != nil || reply.StatusCode != http.StatusOK:
		e.wrong(name, "set auth_client.revocation_endpoint to the server's …"+serverauth.Prefix+"/revoked-jtis",
			"%s is not a denylist (%s): the client refuses every token", trusted.RevocationEndpoint, outcome(reply, err))
	}
}
