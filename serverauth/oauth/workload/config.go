package workload

import (
	"fmt"
	"slices"
	"strings"
	"unicode"

	"github.com/picoauth/picoauth/app/config"
	"github.com/picoauth/picoauth/clientauth/verify"
	"github.com/picoauth/picoauth/serverauth/oauth/client"
	"github.com/picoauth/picoauth/serverauth/oauth/internal/faults"
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
	f := faults.New("")
	if len(all) > maxWorkloads {
		f.Add(key, "has more than %d items", maxWorkloads)
	}
	for i, one := range all {
		its := f.In("%s[%d].", key, i)
		its.Join(config.CheckTexts(its.Prefix, one), config.CheckOneValue(its.Prefix+"role", one.Role))
		one.checkIssuer(its)
		if len(one.Audience) == 0 {
			its.Add("audience", "must not be empty")
		}
		_, claims := config.FlatTexts(its.Prefix+"claims", one.Claims)
		its.Join(config.CheckNotEmpty(its.Prefix+"subject", one.Subject), claims)
		client.CheckID(its, "client", one.Client)
		client.CheckList(its, "resources", one.Resources, resources)
		one.checkScope(its, scopes(one.Resources))
		if first := slices.IndexFunc(all[:i], func(c Config) bool { return c.Issuer == one.Issuer }); first >= 0 {
			one.checkBeside(its, fmt.Sprintf("%s[%d]", key, first), all[first])
		}
	}
	return f.Err()
}

// checkIssuer checks that the issuer's keys can be requested.
func (c Config) checkIssuer(f faults.List) {
	switch {
	case c.Issuer == "":
		f.Add("issuer", "must not be empty")
		return
	case strings.ContainsFunc(c.Issuer, unicode.IsSpace): // in the sub of tokens, a space ends the issuer
		f.Add("issuer", "has white space in it")
		return
	case c.Discovery && c.JWKSURL != "":
		f.Add("jwks_url", "is set together with discovery; set only one of them")
		return
	}
	_, err := verify.NewRemoteKeySet(c.keySet())
	switch {
	case err != nil && c.JWKSURL != "":
		f.Add("jwks_url", "%s", err)
	case err != nil:
		f.Add("issuer", "%s; if the issuer is not a URL, set jwks_url", err)
	}
}

// keySet returns where the keys are.
func (c Config) keySet() verify.RemoteKeySetConfig {
	if c.JWKSURL == "" {
		return verify.RemoteKeySetConfig{Issuer: c.Issuer}
	}
	return verify.RemoteKeySetConfig{URL: c.JWKSURL}
}

// checkScope refuses scopes that no request could get.
func (c Config) checkScope(f faults.List, known []string) {
	for i, scope := range c.scopes() {
		switch {
		case slices.Contains(client.OpenIDScopes(), scope):
			f.Add("scope", "%q is a scope about a person, which a workload cannot have", scope)
		case !slices.Contains(known, scope):
			f.Add("scope", "%q is not a scope of the server, or of the resources of this workload", scope)
		case slices.Contains(c.scopes()[:i], scope):
			f.Add("scope", "%q is there twice", scope)
		}
	}
}

// checkBeside compares with an earlier item. An issuer's keys come from one place: otherwise two clusters with the same issuer name
// would get tokens for the same subjects.
func (c Config) checkBeside(f faults.List, at string, earlier Config) {
	const reason = "differs from that of %s, which has the same issuer"
	switch {
	case c.Issuer == "":
	case c.JWKSURL != earlier.JWKSURL:
		f.Add("jwks_url", reason, at)
	case c.CAFile != earlier.CAFile:
		f.Add("ca_file", reason, at)
	}
}
