package clientauth

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"net/http"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/picoauth/picoauth/app/config"
	"github.com/picoauth/picoauth/clientauth/verify"
)

// LocalIssuer is the issuer in the same app. serverauth provides it to fx, and [Module] uses it for the default issuer, audience,
// algorithms, keys and denylist, without HTTP requests to the app itself.
type LocalIssuer struct {
	TrustedIssuer
}

// remote is a key set or a denylist of an issuer elsewhere.
type remote interface {
	// Refresh fetches it now.
	Refresh(context.Context) error
	// Ready returns nil if it can be used, and fetches it if that is necessary.
	Ready(context.Context) error
}

type remotes []remote

// issuers are the trusted issuers in the settings, for a [ValidatorConfig].
type issuers struct {
	Trusted         []TrustedIssuer
	keys, denylists remotes
	client          *http.Client // nil: each endpoint has its own
}

// newIssuers returns the issuer of the top-level keys, or the local one, and those of the list. Keys and denylist of the local
// issuer are read in process. The error names the keys that are missing or invalid. If the section is not enabled, having no
// issuer is no error, and incomplete top-level keys are ignored.
func newIssuers(cfg issuersParams) (*issuers, error) {
	client, err := verify.ClientTrusting(cfg.Settings.CAFile)
	all := &issuers{client: client}
	problems := []error{faultOf(SettingsSection+".ca_file", err)}
	if flat := cfg.flat(); cfg.wants(flat) {
		problems = append(problems, all.add(cfg, flat, ""))
	}
	for i, one := range cfg.Settings.Issuers {
		problems = append(problems, all.add(cfg, cfg.localised(one.withDefaults()), listKey(i, "")))
	}
	if err := errors.Join(problems...); err != nil {
		return nil, err
	}
	return all, nil
}

func listKey(i int, key string) string { return fmt.Sprintf("issuers[%d].%s", i, key) }

// flat returns the issuer of the top-level keys, with the local issuer as the default.
func (cfg issuersParams) flat() IssuerSettings {
	flat := cfg.Settings.IssuerSettings
	if cfg.Local != nil {
		flat.Issuer = cmp.Or(flat.Issuer, cfg.Local.Issuer)
	}
	return cfg.localised(flat)
}

// wants reports whether the top-level keys have to describe a complete issuer.
func (cfg issuersParams) wants(flat IssuerSettings) bool {
	if !cfg.Settings.Enabled {
		return flat.Issuer != "" && len(flat.Audience) > 0
	}
	return flat.Issuer != "" || len(flat.Audience) > 0 || len(cfg.Settings.Issuers) == 0
}

func (cfg issuersParams) isLocal(s IssuerSettings) bool {
	return cfg.Local != nil && s.Issuer == cfg.Local.Issuer
}

// localised sets the audience if there is none: the resource, or that of the local issuer.
func (cfg issuersParams) localised(s IssuerSettings) IssuerSettings {
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
func (i *issuers) add(cfg issuersParams, s IssuerSettings, prefix string) error {
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
func (i *issuers) connect(cfg issuersParams, s IssuerSettings, trusted *TrustedIssuer, section string) error {
	where, discovered, key := s.jwksURL(), "", "jwks_url"
	if s.Discovery {
		where, discovered, key = "", s.Issuer, "discovery"
	}
	keys, err := NewRemoteKeySet(RemoteKeySetConfig{URL: where, Issuer: discovered, TTL: time.Duration(s.JWKSTTLSeconds) * time.Second, Client: i.client,
		InsecureAllowHTTP: cfg.Settings.InsecureAllowHTTP, Clock: cfg.Clock, Logger: cfg.Log, Observer: cfg.Instruments})
	if err != nil {
		return fmt.Errorf("%s%s: %w", section, key, err)
	}
	trusted.Algorithms, trusted.Keys = s.AcceptedAlgorithms, keys
	i.keys = append(i.keys, keys)
	if s.RevocationEndpoint == "" {
		return nil
	}
	denylist, err := NewRemoteDenylist(RemoteDenylistConfig{URL: s.RevocationEndpoint, Bearer: s.RevocationBearer,
		Secret: s.RevocationSecret, ClientID: s.RevocationClientID, ClientSecret: s.RevocationClientSecret, Client: i.client, TTL: time.Duration(s.RevocationTTLSeconds) * time.Second, FailOpen: s.RevocationFailOpen,
		InsecureAllowHTTP: cfg.Settings.InsecureAllowHTTP, Clock: cfg.Clock, Logger: cfg.Log, Observer: cfg.Instruments})
	if err != nil {
		return fmt.Errorf("%srevocation_endpoint: %w", section, err)
	}
	trusted.Denylist = denylist
	i.denylists = append(i.denylists, denylist)
	return nil
}

// warm starts fetching keys and denylists, and returns at once: a service starts whether or not its issuers can be reached.
func (i *issuers) warm() {
	for _, one := range slices.Concat(i.keys, i.denylists) {
		go func() { _ = one.Refresh(context.Background()) }()
	}
}

// ready returns nil once all are ready. It asks all concurrently, and they fetch what is missing, because a service that is not ready
// gets no requests that would do so.
func (all remotes) ready(ctx context.Context) error {
	missing := make([]error, len(all))
	var asked sync.WaitGroup
	for n, one := range all {
		asked.Go(func() { missing[n] = one.Ready(ctx) })
	}
	asked.Wait()
	return errors.Join(missing...)
}
