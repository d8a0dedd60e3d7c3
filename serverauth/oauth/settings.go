package oauth

import (
	"errors"
	"fmt"
	"maps"
	"net/url"
	"slices"
	"strings"
	"time"

	"github.com/picoauth/picoauth/app/config"
	"github.com/picoauth/picoauth/serverauth"
	"github.com/picoauth/picoauth/serverauth/oauth/client"
	"github.com/picoauth/picoauth/serverauth/oauth/workload"
)

// SettingsSection is the name of the configuration section of this package.
const SettingsSection = "oauth"

// Settings is the configuration section oauth.
type Settings struct {
	client.Settings

	// Resources are audiences that access tokens can have in addition to the server's own (RFC 8707).
	Resources []Resource `koanf:"resources"`
	// Scopes are those that clients may ask for in addition to the OpenID scopes, by name with a description. The description
	// follows "which may:" in the message that a person signs, such as "read your calendar".
	Scopes Scopes `koanf:"scopes"`
	// Workloads are the programs that authenticate with an assertion of their platform (RFC 7523).
	Workloads []workload.Config `koanf:"workloads"`
	// FleetMayAct allows agents of a fleet to act for people (RFC 8693), by the role of their token.
	FleetMayAct map[string][]client.MayAct `koanf:"fleet_may_act"`
	// BrowserSessionMinutes is how long a browser stays signed in; 0: not at all.
	BrowserSessionMinutes int `koanf:"browser_session_minutes"`
}

// Resource is an API for which access tokens can be issued.
type Resource struct {
	URI  string `koanf:"uri"`
	Name string `koanf:"name"`
	// Scopes are those of this resource, by name with a description.
	Scopes Scopes `koanf:"scopes"`
	// Open allows every client to ask for it. Otherwise only clients that list it may.
	Open bool `koanf:"open"`
}

// Scopes are scopes with their descriptions. A name may contain dots, which the configuration reads as levels.
type Scopes map[string]any

const maxBrowserSessionMinutes = 30 * 24 * 60

// DefaultSettings returns the default settings.
func DefaultSettings() Settings {
	return Settings{Settings: client.DefaultSettings(), BrowserSessionMinutes: 480}
}

// BrowserSession is how long a browser stays signed in.
func (s Settings) BrowserSession() time.Duration {
	return time.Duration(s.BrowserSessionMinutes) * time.Minute
}

// known returns what clients can be configured to ask for.
func (s Settings) known() client.Known {
	known := client.Known{Scopes: slices.Collect(maps.Keys(s.Scopes.described()))}
	for _, resource := range s.Resources {
		known.Resources = append(known.Resources, resource.URI)
		known.Scopes = append(known.Scopes, slices.Collect(maps.Keys(resource.Scopes.described()))...)
	}
	return known
}

// Validate returns every value that the server cannot run with, each with its key.
func (s Settings) Validate() error {
	return errors.Join(
		config.CheckRange("browser_session_minutes", s.BrowserSessionMinutes, 0, maxBrowserSessionMinutes),
		s.Scopes.validate("scopes"),
		s.validateResources(),
		s.Settings.Validate(s.known()),
		workload.Check("workloads", s.Workloads, s.known().Resources, s.scopesBeside),
		s.checkFleetMayAct("", s.known()),
	)
}

// scopesBeside returns the scopes that a client which lists these resources can ask for.
func (s Settings) scopesBeside(resources []string) []string {
	scopes := slices.Collect(maps.Keys(s.Scopes.described()))
	for _, resource := range s.Resources {
		if resource.Open || slices.Contains(resources, resource.URI) {
			scopes = append(scopes, slices.Collect(maps.Keys(resource.Scopes.described()))...)
		}
	}
	return scopes
}

func (s Settings) checkFleetMayAct(prefix string, known client.Known) error {
	var faults []error
	for _, role := range slices.Sorted(maps.Keys(s.FleetMayAct)) {
		faults = append(faults, client.CheckMayAct(prefix+"fleet_may_act."+role, s.FleetMayAct[role], known))
	}
	return errors.Join(faults...)
}

// ValidateWith returns faults in combination with the server's own settings: rules for an audience that does not exist, for agents
// with a role that no fleet may give, or for the server itself as the issuer of workloads. It also reads their ca_file.
func (s Settings) ValidateWith(auth serverauth.ServerAuthSettings) error {
	return errors.Join(s.checkWith("", auth), workload.CheckWith("workloads", s.Workloads, auth.Issuer))
}

// checkWith returns the faults of the rules for agents. The keys begin with section.
func (s Settings) checkWith(section string, auth serverauth.ServerAuthSettings) error {
	known := s.known()
	known.Audience = auth.Audience
	faults := []error{s.checkFleetMayAct(section, known)}
	for i, one := range s.Clients {
		faults = append(faults, client.CheckMayAct(fmt.Sprintf("%sclients[%d].may_act", section, i), one.MayAct, known))
	}
	for _, role := range slices.Sorted(maps.Keys(s.FleetMayAct)) {
		if !slices.Contains(auth.FleetRoles, role) {
			faults = append(faults, &config.Error{Key: section + "fleet_may_act." + role, Reason: "the role is not among server_auth.fleet_roles"})
		}
	}
	return errors.Join(faults...)
}

func (s Settings) validateResources() error {
	var faults []error
	seen := make(map[string]bool)
	for i, resource := range s.Resources {
		key := fmt.Sprintf("resources[%d]", i)
		switch {
		case !isResourceURI(resource.URI):
			faults = append(faults, &config.Error{Key: key + ".uri", Reason: fmt.Sprintf("%q is not an absolute URI without fragment", config.WithoutUserinfo(resource.URI))})
		case seen[resource.URI]:
			faults = append(faults, &config.Error{Key: key + ".uri", Reason: fmt.Sprintf("%q is there twice", config.WithoutUserinfo(resource.URI))})
		}
		seen[resource.URI] = true
		if !isOneLine(resource.Name, maxDescription) {
			faults = append(faults, &config.Error{Key: key + ".name", Reason: "must be one line of at most 100 characters"})
		}
		faults = append(faults, resource.Scopes.validate(key+".scopes"))
	}
	return errors.Join(faults...)
}

// maxResourceURI is the maximum length of a resource URI in bytes.
const maxResourceURI = 512

// isResourceURI checks a URI as in RFC 8707, section 2.
func isResourceURI(text string) bool {
	u, err := url.Parse(text)
	return err == nil && u.IsAbs() && !strings.Contains(text, "#") && len(text) <= maxResourceURI && (u.Host != "" || u.Opaque != "") &&
		u.User == nil && !strings.ContainsFunc(text, func(r rune) bool { return r <= ' ' || r > '~' })
}
