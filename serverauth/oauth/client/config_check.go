package client

import (
	"errors"
	"fmt"
	"net"
	"net/url"
	"slices"
	"strings"
	"unicode"

	"github.com/picoauth/picoauth/app/config"
	"github.com/picoauth/picoauth/serverauth/internal/password"
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

// checkAll returns the faults of a list of clients: each is a *config.Error whose key begins with key, such as
// clients[2].redirect_uris[0]. It contains no secret.
func checkAll(key string, clients []Config, known Known) error {
	var faults []error
	first := make(map[string]int, len(clients))
	for i, one := range clients {
		prefix := fmt.Sprintf("%s[%d].", key, i)
		faults = append(faults, one.Check(prefix, known))
		if earlier, taken := first[one.ID]; taken && one.ID != "" {
			faults = append(faults, &config.Error{Key: prefix + "id", Reason: fmt.Sprintf("%q is also the id of %s[%d]", one.ID, key, earlier)})
			continue
		}
		first[one.ID] = i
	}
	return errors.Join(faults...)
}

// Check returns the faults of one client, like Settings.Validate. Every key begins with prefix.
func (c Config) Check(prefix string, known Known) error {
	return errors.Join(
		config.CheckTexts(prefix, c),
		config.CheckOneValue(prefix+"role", c.Role),
		prefixed(prefix, c.checkID(), checkName(c.Name)),
		checkURIs(prefix, "redirect_uris", c.RedirectURIs),
		checkURIs(prefix, "post_logout_redirect_uris", c.PostLogoutRedirectURIs),
		prefixed(prefix, c.checkAuth(), c.checkSecret(), c.checkJWKSURI(), c.checkRedirects(), c.checkConsent()),
		c.checkServices(prefix),
		c.checkGrants(prefix),
		CheckMayAct(prefix+"may_act", c.MayAct, known),
		checkList(prefix, "scopes", c.Scopes, append(OpenIDScopes(), known.Scopes...)),
		checkList(prefix, "resources", c.Resources, known.Resources),
	)
}

// fault returns the error for a key of a client. The checks return nil for a key without a fault.
func fault(key, reason string, args ...any) *config.Error {
	return &config.Error{Key: key, Reason: fmt.Sprintf(reason, args...)}
}

func prefixed(prefix string, faults ...*config.Error) error {
	var all []error
	for _, one := range faults {
		if one != nil {
			all = append(all, &config.Error{Key: prefix + one.Key, Reason: one.Reason})
		}
	}
	return errors.Join(all...)
}

// CheckID returns a *config.Error if a text cannot be a client_id.
func CheckID(key, id string) error {
	if found := (Config{ID: id}).checkID(); found != nil {
		return &config.Error{Key: key, Reason: found.Reason}
	}
	return nil
}

// checkID allows the characters of RFC 6749, appendix A.1, up to maxID bytes.
func (c Config) checkID() *config.Error {
	switch {
	case c.ID == "":
		return fault("id", "must not be empty")
	case len(c.ID) > maxID:
		return fault("id", "is longer than %d bytes", maxID)
	case strings.ContainsFunc(c.ID, func(r rune) bool { return r < ' ' || r > '~' }):
		return fault("id", "%q has a character that is not printable ASCII", c.ID)
	default:
		return nil
	}
}

// checkName refuses invisible characters, which could make a page or a wallet's message show something else than the name.
func checkName(name string) *config.Error {
	switch {
	case len([]rune(name)) > maxName:
		return fault("name", "is longer than %d characters", maxName)
	case strings.ContainsFunc(name, func(r rune) bool { return !unicode.IsPrint(r) }):
		return fault("name", "%q has an invisible character", name)
	default:
		return nil
	}
}

func checkURIs(prefix, key string, uris []string) error {
	if len(uris) > maxURIs {
		return prefixed(prefix, fault(key, "has more than %d items", maxURIs))
	}
	var all []error
	for i, uri := range uris {
		if err := checkRedirectURI(uri); err != nil {
			all = append(all, prefixed(prefix, fault(fmt.Sprintf("%s[%d]", key, i), "%s: %q", err, config.WithoutUserinfo(uri))))
		}
	}
	return errors.Join(all...)
}

func (c Config) checkAuth() *config.Error {
	method := c.authMethod()
	switch {
	case !slices.Contains(AuthMethods(), method):
		return fault("auth_method", "%q is not one of %s", method, strings.Join(AuthMethods(), ", "))
	case c.Secret == "" && (method == AuthSecretBasic || method == AuthSecretPost):
		return fault("secret", "must not be empty with auth_method %s", method)
	case c.Secret != "" && (method == AuthNone || method == AuthPrivateKeyJWT):
		return fault("secret", "must not be set with auth_method %s", method)
	case c.JWKSURI == "" && method == AuthPrivateKeyJWT:
		return fault("jwks_uri", "must not be empty with auth_method %s", method)
	case c.JWKSURI != "" && method != AuthPrivateKeyJWT:
		return fault("jwks_uri", "needs auth_method %s", AuthPrivateKeyJWT)
	default:
		return nil
	}
}

func (c Config) checkSecret() *config.Error {
	_, err := password.New(c.Secret)
	switch {
	case c.Secret == "":
		return nil
	case err != nil:
		return fault("secret", "%s", err)
	case len(c.Secret) > maxSecret:
		return fault("secret", "is longer than %d bytes", maxSecret)
	case !password.IsHash(c.Secret) && len([]rune(c.Secret)) < minSecret:
		return fault("secret", "is too short to be a secret: it has %d characters and needs at least %d", len([]rune(c.Secret)), minSecret)
	default:
		return nil
	}
}

// checkJWKSURI allows http on a loopback host, because the operator chose it.
func (c Config) checkJWKSURI() *config.Error {
	if c.JWKSURI == "" {
		return nil
	}
	u, err := url.Parse(c.JWKSURI)
	switch {
	case err != nil || u.Host == "" || u.User != nil || strings.Contains(c.JWKSURI, "#"):
		return fault("jwks_uri", "%q must be a URL without a user name and a fragment", config.WithoutUserinfo(c.JWKSURI))
	case u.Scheme != "https" && (u.Scheme != "http" || !isLoopback(u.Hostname())):
		return fault("jwks_uri", "%q must be https; http is allowed only for loopback hosts", c.JWKSURI)
	default:
		return nil
	}
}

func isLoopback(host string) bool {
	ip := net.ParseIP(host)
	return host == "localhost" || ip != nil && ip.IsLoopback()
}

func (c Config) checkRedirects() *config.Error {
	switch asks := c.asksPeople(); {
	case asks && len(c.RedirectURIs) == 0:
		return fault("redirect_uris", "must not be empty with the grant %s", GrantCode)
	case !asks && len(c.RedirectURIs) > 0:
		return fault("redirect_uris", "needs the grant %s", GrantCode)
	default:
		return nil
	}
}

// checkServices refuses rights that only a client which authenticates may have.
func (c Config) checkServices(prefix string) error {
	if c.authMethod() != AuthNone {
		return nil
	}
	var all []error
	for _, one := range []struct {
		key string
		on  bool
	}{{"introspect", c.Introspect}, {"denylist", c.Denylist}, {"may_act", len(c.MayAct) > 0}} {
		if one.on {
			all = append(all, prefixed(prefix, fault(one.key, "needs a client with a secret or a key")))
		}
	}
	return errors.Join(all...)
}

func (c Config) checkConsent() *config.Error {
	if c.Consent == "" || c.Consent == ConsentAsk || c.Consent == ConsentImplied {
		return nil
	}
	return fault("consent", "%q is not one of %s, %s", c.Consent, ConsentAsk, ConsentImplied)
}

func (c Config) checkGrants(prefix string) error {
	var all []error
	for i, grant := range c.Grants {
		key := fmt.Sprintf("grants[%d]", i)
		switch {
		case !slices.Contains(Grants(), grant):
			all = append(all, config.CheckOneOf(prefix+key, grant, Grants()...))
		case grant == GrantClientCredentials && c.authMethod() == AuthNone:
			all = append(all, prefixed(prefix, fault(key, "%s needs a client with a secret or a key", grant)))
		case grant == GrantRefresh && !slices.Contains(c.Grants, GrantCode) && !slices.Contains(c.Grants, GrantDevice):
			all = append(all, prefixed(prefix, fault(key, "%s needs a grant that begins a session: %s or %s", grant, GrantCode, GrantDevice)))
		}
	}
	return errors.Join(all...)
}

// checkList refuses items that the server does not have, and duplicates.
func checkList(prefix, key string, items, known []string) error {
	var all []error
	for i, item := range items {
		at := fmt.Sprintf("%s[%d]", key, i)
		switch {
		case !slices.Contains(known, item):
			all = append(all, prefixed(prefix, fault(at, "%q is not one of the server's %s", item, key)))
		case slices.Contains(items[:i], item):
			all = append(all, prefixed(prefix, fault(at, "%q is there twice", item)))
		}
	}
	return errors.Join(all...)
}
