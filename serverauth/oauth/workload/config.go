package workload

import (
	"errors"
	"fmt"
	"slices"
	"strings"
	"unicode"

	"github.com/picoauth/picoauth/app/config"
	"github.com/picoauth/picoauth/clientauth/verify"
	"github.com/picoauth/picoauth/serverauth/oauth/client"
)

// Config is an item of oauth.workloads: which assertions of an issuer are accepted, and for which tokens.
type Config struct {
	// Issuer is the claim iss, compared exactly.
	Issuer string `koanf:"issuer"`
	// JWKSURL is the URL of the issuer's keys. Without it, or with Discovery, the issuer's metadata has that URL.
	JWKSURL   string `koanf:"jwks_url"`
	Discovery bool   `koanf:"discovery"`
	// CAFile has certificate authorities (PEM) to trust in addition to the system's when the keys are fetched.
	CAFile string `koanf:"ca_file"`
	// Audience has the values that the claim aud may have, and no others.
	Audience config.TextOrList `koanf:"audience"`
	// Subject is the claim sub. "*" in it stands for any text, including ":" and "/".
	Subject string `koanf:"subject"`
	// Claims are required too: each by its name or path (kubernetes.io.namespace), with the value that it must have.
	Claims map[string]any `koanf:"claims"`

	// Client is the claim client_id of the workload's tokens.
	Client string `koanf:"client"`
	// Sub is the claim sub of its tokens; empty: the issuer, a space and the assertion's own sub.
	Sub  string `koanf:"sub"`
	Role string `koanf:"role"` // empty: service
	// Scope is what it may ask for, and what it gets if a request has no scope.
	Scope config.TextOrList `koanf:"scope"`
	// Resources are those that it may ask for in addition to the ones that are open to all.
	Resources []string `koanf:"resources"`
}

// maxWorkloads is the maximum length of the list.
const maxWorkloads = 1000

// scopes returns the names in Scope.
func (c Config) scopes() []string { return strings.Fields(strings.Join(c.Scope, " ")) }

// Check returns the faults of a list of workloads: each is a *config.Error whose key begins with key. It opens no file and
// makes no request. resources are the server's. scopes returns the server's scopes that can be requested by a workload with these
// resources.
func Check(key string, all []Config, resources []string, scopes func(resources []string) []string) error {
	var faults []error
	if len(all) > maxWorkloads {
		faults = append(faults, &config.Error{Key: key, Reason: fmt.Sprintf("has more than %d items", maxWorkloads)})
	}
	for i, one := range all {
		prefix := fmt.Sprintf("%s[%d].", key, i)
		_, claims := config.FlatTexts(prefix+"claims", one.Claims)
		faults = append(faults,
			config.CheckTexts(prefix, one),
			config.CheckOneValue(prefix+"role", one.Role),
			one.checkIssuer(prefix),
			one.checkAudience(prefix),
			config.CheckNotEmpty(prefix+"subject", one.Subject),
			claims,
			client.CheckID(prefix+"client", one.Client),
			one.checkResources(prefix, resources),
			one.checkScope(prefix, scopes(one.Resources)),
		)
		if first := slices.IndexFunc(all[:i], func(c Config) bool { return c.Issuer == one.Issuer }); first >= 0 {
			faults = append(faults, one.checkBeside(prefix, fmt.Sprintf("%s[%d]", key, first), all[first]))
		}
	}
	return errors.Join(faults...)
}

// checkIssuer checks that the issuer's keys can be requested.
func (c Config) checkIssuer(prefix string) error {
	switch {
	case c.Issuer == "":
		return config.CheckNotEmpty(prefix+"issuer", "")
	case strings.ContainsFunc(c.Issuer, unicode.IsSpace): // in the sub of tokens, a space ends the issuer
		return &config.Error{Key: prefix + "issuer", Reason: "has white space in it"}
	case c.Discovery && c.JWKSURL != "":
		return &config.Error{Key: prefix + "jwks_url", Reason: "is set together with discovery; set only one of them"}
	}
	_, err := verify.NewRemoteKeySet(c.keySet())
	switch {
	case err == nil:
		return nil
	case c.JWKSURL != "":
		return &config.Error{Key: prefix + "jwks_url", Reason: err.Error()}
	default:
		return &config.Error{Key: prefix + "issuer", Reason: err.Error() + "; if the issuer is not a URL, set jwks_url"}
	}
}

// keySet returns where the keys are.
func (c Config) keySet() verify.RemoteKeySetConfig {
	if c.JWKSURL == "" {
		return verify.RemoteKeySetConfig{Issuer: c.Issuer}
	}
	return verify.RemoteKeySetConfig{URL: c.JWKSURL}
}

func (c Config) checkAudience(prefix string) error {
	if len(c.Audience) == 0 || slices.Contains(c.Audience, "") {
		return config.CheckNotEmpty(prefix+"audience", "")
	}
	return nil
}

func (c Config) checkResources(prefix string, known []string) error {
	var faults []error
	for i, uri := range c.Resources {
		var reason string
		switch {
		case !slices.Contains(known, uri):
			reason = "is not one of the server's resources"
		case slices.Contains(c.Resources[:i], uri):
			reason = "is there twice"
		default:
			continue
		}
		faults = append(faults, &config.Error{Key: fmt.Sprintf("%sresources[%d]", prefix, i), Reason: fmt.Sprintf("%q %s", config.WithoutUserinfo(uri), reason)})
	}
	return errors.Join(faults...)
}

// checkScope refuses scopes that no request could get.
func (c Config) checkScope(prefix string, known []string) error {
	var faults []error
	for i, scope := range c.scopes() {
		var reason string
		switch {
		case slices.Contains(client.OpenIDScopes(), scope):
			reason = "is a scope about a person, which a workload cannot have"
		case !slices.Contains(known, scope):
			reason = "is not a scope of the server, or of the resources of this workload"
		case slices.Contains(c.scopes()[:i], scope):
			reason = "is there twice"
		default:
			continue
		}
		faults = append(faults, &config.Error{Key: prefix + "scope", Reason: fmt.Sprintf("%q %s", scope, reason)})
	}
	return errors.Join(faults...)
}

// checkBeside compares with an earlier item. An issuer's keys come from one place: otherwise two clusters with the same issuer name
// would get tokens for the same subjects.
func (c Config) checkBeside(prefix, at string, earlier Config) error {
	const reason = "differs from that of %s, which has the same issuer"
	switch {
	case c.Issuer == "":
		return nil
	case c.JWKSURL != earlier.JWKSURL:
		return &config.Error{Key: prefix + "jwks_url", Reason: fmt.Sprintf(reason, at)}
	case c.CAFile != earlier.CAFile:
		return &config.Error{Key: prefix + "ca_file", Reason: fmt.Sprintf(reason, at)}
	default:
		return nil
	}
}
