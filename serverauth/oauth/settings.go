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
	"github.com/picoauth/picoauth/serverauth/oauth/internal/faults"
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
	var known client.Known
	for _, resource := range s.Resources {
		known.Resources = append(known.Resources, resource.URI)
	}
	known.Scopes = s.scopesBeside(known.Resources)
	return known
}

// Validate returns every value that the server cannot run with, each with its key.
func (s Settings) Validate() error {
	f, known := faults.New(""), s.known()
	f.Join(
		config.CheckRange("browser_session_minutes", s.BrowserSessionMinutes, 0, maxBrowserSessionMinutes),
		s.Scopes.validate("scopes"),
	)
	s.checkResources(f)
	f.Join(s.Settings.Validate(known), workload.Check("workloads", s.Workloads, known.Resources, s.scopesBeside))
	s.checkFleetMayAct(f, known)
	return f.Err()
}

// scopesBeside returns the scopes that a client which lists these resources can ask for.
func (s Settings) scopesBeside(resources []string) []string {
	scopes := slices.Collect(maps.Keys(s.Scopes.described()))
	for _, resource := range s.Resources {
		if resource.Open || slices.Contains(resources, resource.URI) {
			scopes = slices.AppendSeq(scopes, maps.Keys(resource.Scopes.described()))
		}
	}
	return scopes
}

func (s Settings) checkFleetMayAct(f faults.List, known client.Known) {
	for _, role := range slices.Sorted(maps.Keys(s.FleetMayAct)) {
		client.CheckMayAct(f, "fleet_may_act."+role, s.FleetMayAct[role], known)
	}
}

// ValidateWith returns faults in combination with the server's own settings: rules for an audience that does not exist, for agents
// with a role that no fleet may give, or for the server itself as the issuer of workloads. It also reads their ca_file.
func (s Settings) ValidateWith(auth serverauth.ServerAuthSettings) error {
	return errors.Join(s.checkWith("", auth), workload.CheckWith("workloads", s.Workloads, auth.Issuer))
}

// checkWith returns the faults of the rules for agents. The keys begin with section.
func (s Settings) checkWith(section string, auth serverauth.ServerAuthSettings) error {
	f, known := faults.New(section), s.known()
	known.Audience = auth.Audience
	s.checkFleetMayAct(f, known)
	for i, one := range s.Clients {
		client.CheckMayAct(f, fmt.Sprintf("clients[%d].may_act", i), one.MayAct, known)
	}
	for _, role := range slices.Sorted(maps.Keys(s.FleetMayAct)) {
		if !slices.Contains(auth.FleetRoles, role) {
			f.Add("fleet_may_act."+role, "the role is not among server_auth.fleet_roles")
		}
	}
	return f.Err()
}

func (s Settings) checkResources(f faults.List) {
	for i, resource := range s.Resources {
		its, shown := f.In("resources[%d].", i), config.WithoutUserinfo(resource.URI)
		switch {
		case !isResourceURI(resource.URI):
			its.Add("uri", "%q is not an absolute URI without fragment", shown)
		case slices.ContainsFunc(s.Resources[:i], func(earlier Resource) bool { return earlier.URI == resource.URI }):
			its.Add("uri", "%q is there twice", shown)
		}
		if !isOneLine(resource.Name, maxDescription) {
			its.Add("name", "must be one line of at most 100 characters")
		}
		its.Join(resource.Scopes.validate(its.Prefix + "scopes"))
	}
}

// maxResourceURI is the maximum length of a resource URI in bytes.
const maxResourceURI = 512

// isResourceURI checks a URI as in RFC 8707, section 2.
func isResourceURI(text string) bool {
	u, err := url.Parse(text)
	return err == nil && u.IsAbs() && !strings.Contains(text, "#") && len(text) <= maxResourceURI && (u.Host != "" || u.Opaque != "") &&
		u.User == nil && !strings.ContainsFunc(text, func(r rune) bool { return r <= ' ' || r > '~' })
}
