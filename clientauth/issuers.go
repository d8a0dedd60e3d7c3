package clientauth

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"time"

	"github.com/picoauth/picoauth/app"
	"github.com/picoauth/picoauth/clientauth/jose"
)

// IssuersConfig is what [NewIssuers] makes trusted issuers of.
type IssuersConfig struct {
	Settings Settings
	// Local is the issuer in the same app, or nil.
	Local *LocalIssuer
	// Clock is for tests; nil is the system's.
	Clock app.Clock
	// Logger gets failed fetches; nil is slog.Default().
	Logger *slog.Logger
	// Instruments count the fetches; nil is none.
	Instruments *Instruments
}

// refreshable is what can be fetched before the first request needs it.
type refreshable interface{ Refresh(context.Context) error }

// Issuers are the issuers that the settings name, ready for a [ValidatorConfig].
type Issuers struct {
	Trusted []TrustedIssuer
	remote  []refreshable
}

// NewIssuers returns the issuer of the flat keys, or the local one, and those of the list. An issuer that is the local
// one is read in process: no request is made. It returns an error that names each key that is missing or wrong. When
// the section is not enabled, no issuer at all is no error, and flat keys that are incomplete are left out.
func NewIssuers(cfg IssuersConfig) (*Issuers, error) {
	issuers := &Issuers{}
	var problems []error
	if flat := cfg.flat(); cfg.wants(flat) {
		problems = append(problems, issuers.add(cfg, flat, ""))
	}
	for i, one := range cfg.Settings.Issuers {
		problems = append(problems, issuers.add(cfg, one.withDefaults(), listKey(i, "")))
	}
	if err := errors.Join(problems...); err != nil {
		return nil, err
	}
	return issuers, nil
}

func listKey(i int, key string) string { return fmt.Sprintf("issuers[%d].%s", i, key) }

// flat returns the issuer of the flat keys; the local issuer fills what they leave out.
func (cfg IssuersConfig) flat() IssuerSettings {
	flat := cfg.Settings.flat()
	if cfg.Local != nil {
		flat.Issuer = cmp.Or(flat.Issuer, cfg.Local.Issuer)
	}
	return cfg.localised(flat)
}

// wants says whether the flat keys are meant as an issuer: then they must be complete.
func (cfg IssuersConfig) wants(flat IssuerSettings) bool {
	if !cfg.Settings.Enabled {
		return flat.Issuer != "" && flat.Audience != ""
	}
	return flat.Issuer != "" || flat.Audience != "" || len(cfg.Settings.Issuers) == 0
}

func (cfg IssuersConfig) isLocal(s IssuerSettings) bool {
	return cfg.Local != nil && s.Issuer == cfg.Local.Issuer
}

// localised fills in the audience of the local issuer.
func (cfg IssuersConfig) localised(s IssuerSettings) IssuerSettings {
	if cfg.isLocal(s) {
		s.Audience = cmp.Or(s.Audience, cfg.Local.Audience)
	}
	return s
}

// add makes one issuer; prefix stands before its keys in errors.
func (i *Issuers) add(cfg IssuersConfig, s IssuerSettings, prefix string) error {
	s = cfg.localised(s)
	section := SettingsSection + "." + prefix
	if err := errors.Join(app.CheckNotEmpty(section+"issuer", s.Issuer), app.CheckNotEmpty(section+"audience", s.Audience)); err != nil {
		return err
	}
	trusted := TrustedIssuer{Issuer: s.Issuer, Audience: s.Audience}
	if cfg.isLocal(s) {
		trusted.Algorithms = s.algorithms(cfg.Local.Algorithms...)
		trusted.Keys, trusted.Denylist = cfg.Local.Keys, cfg.Local.Denylist
	} else if err := i.connect(cfg, s, &trusted, section); err != nil {
		return err
	}
	i.Trusted = append(i.Trusted, trusted)
	return nil
}

// connect gives an issuer elsewhere its keys and its denylist.
func (i *Issuers) connect(cfg IssuersConfig, s IssuerSettings, trusted *TrustedIssuer, section string) error {
	keys, err := NewRemoteKeySet(RemoteKeySetConfig{URL: s.jwksURL(), TTL: time.Duration(s.JWKSTTLSeconds) * time.Second,
		InsecureAllowHTTP: cfg.Settings.InsecureAllowHTTP, Clock: cfg.Clock, Logger: cfg.Logger, Instruments: cfg.Instruments})
	if err != nil {
		return fmt.Errorf("%sjwks_url: %w", section, err)
	}
	trusted.Algorithms, trusted.Keys = s.algorithms(jose.RS256), keys
	i.remote = append(i.remote, keys)
	if s.RevocationEndpoint == "" {
		return nil
	}
	denylist, err := NewRemoteDenylist(RemoteDenylistConfig{URL: s.RevocationEndpoint, Bearer: s.RevocationBearer,
		Secret: s.RevocationSecret, TTL: time.Duration(s.RevocationTTLSeconds) * time.Second, FailOpen: s.RevocationFailOpen,
		InsecureAllowHTTP: cfg.Settings.InsecureAllowHTTP, Clock: cfg.Clock, Logger: cfg.Logger, Instruments: cfg.Instruments})
	if err != nil {
		return fmt.Errorf("%srevocation_endpoint: %w", section, err)
	}
	trusted.Denylist = denylist
	i.remote = append(i.remote, denylist)
	return nil
}

// Warm starts fetching keys and denylists, and returns at once: a service starts whether or not its issuers are up.
func (i *Issuers) Warm() {
	for _, remote := range i.remote {
		go func() { _ = remote.Refresh(context.Background()) }()
	}
}
