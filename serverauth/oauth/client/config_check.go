package client

import (
	"fmt"
	"net"
	"net/url"
	"slices"
	"strings"
	"unicode"

	"github.com/picoauth/picoauth/app/config"
	"github.com/picoauth/picoauth/serverauth/internal/password"
	"github.com/picoauth/picoauth/serverauth/oauth/internal/faults"
)

// Limits of a client's configuration.
const (
	minSecret = 32   // characters of a plain secret
	maxSecret = 1024 // bytes of a secret
	maxID     = 255  // bytes
	maxName   = 100  // characters
	maxURIs   = 64   // redirect URIs of a client, of each kind
)

// Known is what clients of this server can ask for.
type Known struct {
	Scopes    []string // of the server and of every resource, without the OpenID scopes
	Resources []string // URIs
	Audience  string   // the server's own; empty: not known yet
}

// checkAll adds the faults of a list of clients. It reveals no secret.
func checkAll(f faults.List, key string, clients []Config, known Known) {
	first := make(map[string]int, len(clients))
	for i, one := range clients {
		its := f.In("%s[%d].", key, i)
		one.check(its, known)
		if earlier, taken := first[one.ID]; !taken {
			first[one.ID] = i
		} else if one.ID != "" {
			its.Add("id", "%q is also the id of %s[%d]", one.ID, key, earlier)
		}
	}
}

// Check returns the faults of one client, like Settings.Validate. Every key begins with prefix.
func (c Config) Check(prefix string, known Known) error {
	f := faults.New(prefix)
	c.check(f, known)
	return f.Err()
}

func (c Config) check(f faults.List, known Known) {
	f.Join(config.CheckTexts(f.Prefix, c), config.CheckOneValue(f.Prefix+"role", c.Role))
	CheckID(f, "id", c.ID)
	checkName(f, c.Name)
	checkURIs(f, "redirect_uris", c.RedirectURIs)
	checkURIs(f, "post_logout_redirect_uris", c.PostLogoutRedirectURIs)
	c.checkAuth(f)
	c.checkSecret(f)
	c.checkJWKSURI(f)
	c.checkRedirects(f)
	if c.Consent != "" && c.Consent != ConsentAsk && c.Consent != ConsentImplied {
		f.Add("consent", "%q is not one of %s, %s", c.Consent, ConsentAsk, ConsentImplied)
	}
	c.checkServices(f)
	c.checkGrants(f)
	CheckMayAct(f, "may_act", c.MayAct, known)
	CheckList(f, "scopes", c.Scopes, append(OpenIDScopes(), known.Scopes...))
	CheckList(f, "resources", c.Resources, known.Resources)
}

// CheckID allows the characters of a client_id (RFC 6749, appendix A.1), up to maxID bytes.
func CheckID(f faults.List, key, id string) {
	switch {
	case id == "":
		f.Add(key, "must not be empty")
	case len(id) > maxID:
		f.Add(key, "is longer than %d bytes", maxID)
	case strings.ContainsFunc(id, func(r rune) bool { return r < ' ' || r > '~' }):
		f.Add(key, "%q has a character that is not printable ASCII", id)
	}
}

// checkName refuses invisible characters, which could make a page or a wallet's message show something else than the name.
func checkName(f faults.List, name string) {
	switch {
	case len([]rune(name)) > maxName:
		f.Add("name", "is longer than %d characters", maxName)
	case strings.ContainsFunc(name, func(r rune) bool { return !unicode.IsPrint(r) }):
		f.Add("name", "%q has an invisible character", name)
	}
}

func checkURIs(f faults.List, key string, uris []string) {
	if len(uris) > maxURIs {
		f.Add(key, "has more than %d items", maxURIs)
		return
	}
	for i, uri := range uris {
		if err := checkRedirectURI(uri); err != nil {
			f.Add(fmt.Sprintf("%s[%d]", key, i), "%s: %q", err, config.WithoutUserinfo(uri))
		}
	}
}

func (c Config) checkAuth(f faults.List) {
	method := c.authMethod()
	switch {
	case !slices.Contains(AuthMethods(), method):
		f.Add("auth_method", "%q is not one of %s", method, strings.Join(AuthMethods(), ", "))
	case c.Secret == "" && (method == AuthSecretBasic || method == AuthSecretPost):
		f.Add("secret", "must not be empty with auth_method %s", method)
	case c.Secret != "" && (method == AuthNone || method == AuthPrivateKeyJWT):
		f.Add("secret", "must not be set with auth_method %s", method)
	case c.JWKSURI == "" && method == AuthPrivateKeyJWT:
		f.Add("jwks_uri", "must not be empty with auth_method %s", method)
	case c.JWKSURI != "" && method != AuthPrivateKeyJWT:
		f.Add("jwks_uri", "needs auth_method %s", AuthPrivateKeyJWT)
	}
}

func (c Config) checkSecret(f faults.List) {
	_, err := password.New(c.Secret)
	switch {
	case c.Secret == "":
	case err != nil:
		f.Add("secret", "%s", err)
	case len(c.Secret) > maxSecret:
		f.Add("secret", "is longer than %d bytes", maxSecret)
	case !password.IsHash(c.Secret):
		f.Join(config.CheckSecret(f.Prefix+"secret", c.Secret, minSecret))
	}
}

// checkJWKSURI allows http on a loopback host, because the operator chose it.
func (c Config) checkJWKSURI(f faults.List) {
	if c.JWKSURI == "" {
		return
	}
	u, err := url.Parse(c.JWKSURI)
	switch {
	case err != nil || u.Host == "" || u.User != nil || strings.Contains(c.JWKSURI, "#"):
		f.Add("jwks_uri", "%q must be a URL without a user name and a fragment", config.WithoutUserinfo(c.JWKSURI))
	case u.Scheme != "https" && (u.Scheme != "http" || !isLoopback(u.Hostname())):
		f.Add("jwks_uri", "%q must be https; http is allowed only for loopback hosts", c.JWKSURI)
	}
}

func isLoopback(host string) bool {
	ip := net.ParseIP(host)
	return host == "localhost" || ip != nil && ip.IsLoopback()
}

func (c Config) checkRedirects(f faults.List) {
	switch asks := c.asksPeople(); {
	case asks && len(c.RedirectURIs) == 0:
		f.Add("redirect_uris", "must not be empty with the grant %s", GrantCode)
	case !asks && len(c.RedirectURIs) > 0:
		f.Add("redirect_uris", "needs the grant %s", GrantCode)
	}
}

// checkServices refuses rights that only a client which authenticates may have.
func (c Config) checkServices(f faults.List) {
	if c.authMethod() != AuthNone {
		return
	}
	for _, one := range []struct {
		key string
		on  bool
	}{{"introspect", c.Introspect}, {"denylist", c.Denylist}, {"may_act", len(c.MayAct) > 0}} {
		if one.on {
			f.Add(one.key, "needs a client with a secret or a key")
		}
	}
}

func (c Config) checkGrants(f faults.List) {
	for i, grant := range c.Grants {
		key := fmt.Sprintf("grants[%d]", i)
		switch {
		case !slices.Contains(Grants(), grant):
			f.Join(config.CheckOneOf(f.Prefix+key, grant, Grants()...))
		case grant == GrantClientCredentials && c.authMethod() == AuthNone:
			f.Add(key, "%s needs a client with a secret or a key", grant)
		case grant == GrantRefresh && !slices.Contains(c.Grants, GrantCode) && !slices.Contains(c.Grants, GrantDevice):
			f.Add(key, "%s needs a grant that begins a session: %s or %s", grant, GrantCode, GrantDevice)
		}
	}
}

// CheckList refuses items that the server does not have, and duplicates.
func CheckList(f faults.List, key string, items, known []string) {
	for i, item := range items {
		at, shown := fmt.Sprintf("%s[%d]", key, i), config.WithoutUserinfo(item)
		switch {
		case !slices.Contains(known, item):
			f.Add(at, "%q is not one of the server's %s", shown, key)
		case slices.Contains(items[:i], item):
			f.Add(at, "%q is there twice", shown)
		}
	}
}
