package clientauth

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"strings"
	"sync"
	"time"

	"github.com/picoauth/picoauth/app"
	"github.com/picoauth/picoauth/app/config"
	"github.com/picoauth/picoauth/clientauth/verify"
)

// LocalIssuer is the issuer in the same app. serverauth provides it to fx, and [Module] uses it for the default issuer, audience,
// algorithms, keys and denylist, without HTTP requests to the app itself.
type LocalIssuer struct {
	TrustedIssuer
}

// issuersConfig configures [newIssuers].
type issuersConfig struct {
	Settings Settings
	// Local is the issuer in the same app, or nil.
	Local *LocalIssuer
	// Clock is for tests; nil is the system's.
	Clock app.Clock
	// Logger gets failed fetches; nil: slog.Default().
	Logger *slog.Logger
	// Observer is notified of the fetches; nil: none.
	Observer verify.Observer

	client *http.Client // nil: each endpoint has its own
}

// refreshable is a key set or denylist that can be fetched before the first request needs it.
type refreshable interface{ Refresh(context.Context) error }

// issuers are the trusted issuers in the settings, for a [ValidatorConfig].
type issuers struct {
	Trusted   []TrustedIssuer
	remote    []refreshable
	keys      []*RemoteKeySet
	denylists []*RemoteDenylist
}

// newIssuers returns the issuer of the top-level keys, or the local one, and those of the list. Keys and denylist of the local
// issuer are read in process. The error names the keys that are missing or invalid. If the section is not enabled, having no
// issuer is no error, and incomplete top-level keys are ignored.
func newIssuers(cfg issuersConfig) (*issuers, error) {
	all := &issuers{}
	var problems []error
	var err error
	if cfg.client, err = verify.ClientTrusting(cfg.Settings.CAFile); err != nil {
		problems = append(problems, &config.Error{Key: SettingsSection + ".ca_file", Reason: err.Error()})
	}
	if flat := cfg.flat(); cfg.wants(flat) {
		problems = append(problems, all.add(cfg, flat, ""))
	}
	for i, one := range cfg.Settings.Issuers {
		problems = append(problems, all.add(cfg, one.withDefaults(), listKey(i, "")))
	}
	if err := errors.Join(problems...); err != nil {
		return nil, err
	}
	return all, nil
}

func listKey(i int, key string) string { return fmt.Sprintf("issuers[%d].%s", i, key) }

// flat returns the issuer of the top-level keys, with the local issuer as the default.
func (cfg issuersConfig) flat() IssuerSettings {
	flat := cfg.Settings.IssuerSettings
	if cfg.Local != nil {
		flat.Issuer = cmp.Or(flat.Issuer, cfg.Local.Issuer)
	}
	return cfg.localised(flat)
}

// wants reports whether the top-level keys have to describe a complete issuer.
func (cfg issuersConfig) wants(flat IssuerSettings) bool {
	if !cfg.Settings.Enabled {
		return flat.Issuer != "" && len(flat.Audience) > 0
	}
	return flat.Issuer != "" || len(flat.Audience) > 0 || len(cfg.Settings.Issuers) == 0
}

func (cfg issuersConfig) isLocal(s IssuerSettings) bool {
	return cfg.Local != nil && s.Issuer == cfg.Local.Issuer
}

// localised sets the audience if there is none: the resource, or that of the local issuer.
func (cfg issuersConfig) localised(s IssuerSettings) IssuerSettings {
	switch {
	case len(s.Audience) > 0:
	case cfg.Settings.Resource != "" && s.Issuer != "":
		s.Audience = []string{cfg.Settings.Resource}
	case cfg.isLocal(s):
		s.Audience = []string{cfg.Local.Audience}
	}
	return s
}

// add adds one issuer. prefix is the prefix of its keys in errors.
func (i *issuers) add(cfg issuersConfig, s IssuerSettings, prefix string) error {
	s = cfg.localised(s)
	section := SettingsSection + "." + prefix
	claims, err := config.FlatTexts(section+"required_claims", s.RequiredClaims)
	err = errors.Join(err, config.CheckNotEmpty(section+"issuer", s.Issuer), config.CheckNotEmpty(section+"audience", strings.Join(s.Audience, "")))
	if err != nil {
		return err
	}
	trusted := TrustedIssuer{Issuer: s.Issuer, Tenants: s.Tenants, Audience: s.Audience[0], Audiences: s.Audience[1:], AudienceClaim: s.AudienceClaim,
		RequiredClaims: claims, SubjectClaim: s.SubjectClaim, RolePath: s.RolePath, GroupsPath: s.GroupsPath, ScopePath: s.ScopePath}
	if cfg.isLocal(s) {
		trusted.Algorithms = s.AcceptedAlgorithms
		if len(trusted.Algorithms) == 0 {
			trusted.Algorithms = cfg.Local.Algorithms
		}
		trusted.Keys, trusted.Denylist = cfg.Local.Keys, cfg.Local.Denylist
	} else if err := i.connect(cfg, s, &trusted, section); err != nil {
		return err
	}
	i.Trusted = append(i.Trusted, trusted)
	return nil
}

// connect creates the key set and the denylist of a remote issuer.
func (i *issuers) connect(cfg issuersConfig, s IssuerSettings, trusted *TrustedIssuer, section string) error {
	where, discovered, key := s.jwksURL(), "", "jwks_url"
	if s.Discovery {
		where, discovered, key = "", s.Issuer, "discovery"
	}
	keys, err := NewRemoteKeySet(RemoteKeySetConfig{URL: where, Issuer: discovered, TTL: time.Duration(s.JWKSTTLSeconds) * time.Second, Client: cfg.client,
		InsecureAllowHTTP: cfg.Settings.InsecureAllowHTTP, Clock: cfg.Clock, Logger: cfg.Logger, Observer: cfg.Observer})
	if err != nil {
		return fmt.Errorf("%s%s: %w", section, key, err)
	}
	trusted.Algorithms, trusted.Keys = s.AcceptedAlgorithms, keys
	i.remote, i.keys = append(i.remote, keys), append(i.keys, keys)
	if s.RevocationEndpoint == "" {
		return nil
	}
	denylist, err := NewRemoteDenylist(RemoteDenylistConfig{URL: s.RevocationEndpoint, Bearer: s.RevocationBearer,
		Secret: s.RevocationSecret, ClientID: s.RevocationClientID, ClientSecret: s.RevocationClientSecret, Client: cfg.client, TTL: time.Duration(s.RevocationTTLSeconds) * time.Second, FailOpen: s.RevocationFailOpen,
		InsecureAllowHTTP: cfg.Settings.InsecureAllowHTTP, Clock: cfg.Clock, Logger: cfg.Logger, Observer: cfg.Observer})
	if err != nil {
		return fmt.Errorf("%srevocation_endpoint: %w", section, err)
	}
	trusted.Denylist = denylist
	i.remote, i.denylists = append(i.remote, denylist), append(i.denylists, denylist)
	return nil
}

// warm starts fetching keys and denylists, and returns at once: a service starts whether or not its issuers can be reached.
func (i *issuers) warm() {
	for _, remote := range i.remote {
		go func() { _ = remote.Refresh(context.Background()) }()
	}
}

// keysReady returns nil once the keys of every remote issuer have been fetched. It fetches missing ones again, because a service
// that is not ready gets no requests that would do so.
func (i *issuers) keysReady(ctx context.Context) error { return allReady(ctx, i.keys) }

// denylistsReady returns nil while no denylist is older than its TTL. It fetches one that is too old.
func (i *issuers) denylistsReady(ctx context.Context) error { return allReady(ctx, i.denylists) }

// allReady checks all concurrently.
func allReady[T interface{ Ready(context.Context) error }](ctx context.Context, all []T) error {
	missing := make([]error, len(all))
	var asked sync.WaitGroup
	for n, one := range all {
		asked.Go(func() { missing[n] = one.Ready(ctx) })
	}
	asked.Wait()
	return errors.Join(missing...)
}
