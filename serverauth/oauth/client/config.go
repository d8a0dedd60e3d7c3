package client

import (
	"cmp"
	"slices"
)

// Config is an item of oauth.clients. The body of POST /clients has the same keys.
type Config struct {
	ID   string `koanf:"id" json:"id"`
	Name string `koanf:"name" json:"name,omitempty"` // empty: the ID
	// RedirectURIs are compared character by character, except that a loopback URI may have any port.
	RedirectURIs           []string `koanf:"redirect_uris" json:"redirect_uris,omitempty"`
	PostLogoutRedirectURIs []string `koanf:"post_logout_redirect_uris" json:"post_logout_redirect_uris,omitempty"`
	// Secret is plain text (32 characters or more) or a PHC string (argon2id, bcrypt).
	Secret string `koanf:"secret" json:"secret,omitempty"` //nolint:gosec // it is read, and written once, for whom it is for
	// AuthMethod, if empty, is client_secret_basic for a client with a secret or one added by POST /clients, else none.
	AuthMethod string   `koanf:"auth_method" json:"auth_method,omitempty"`
	JWKSURI    string   `koanf:"jwks_uri" json:"jwks_uri,omitempty"`
	Grants     []string `koanf:"grants" json:"grants,omitempty"` // empty: authorization_code, refresh_token
	// Scopes are those that it may ask for, and that it gets if a request has no scope. Empty: it may ask for the OpenID scopes,
	// and gets none by default.
	Scopes    []string `koanf:"scopes" json:"scopes,omitempty"`
	Resources []string `koanf:"resources" json:"resources,omitempty"`
	Role      string   `koanf:"role" json:"role,omitempty"`       // of client_credentials; empty: service
	Consent   string   `koanf:"consent" json:"consent,omitempty"` // ask (empty) or implied
	// Introspect and Denylist allow it to call /introspect and /revoked-jtis with its secret or key.
	Introspect bool `koanf:"introspect" json:"introspect,omitempty"`
	Denylist   bool `koanf:"denylist" json:"denylist,omitempty"`
	// DPoPBound means that it only gets tokens that are bound to a key (RFC 9449, section 5.2).
	DPoPBound bool `koanf:"dpop_bound_access_tokens" json:"dpop_bound_access_tokens,omitempty"`
	// MayAct allows it to act for people (RFC 8693).
	MayAct []MayAct `koanf:"may_act" json:"may_act,omitempty"`
}

// asksPeople reports whether the client sends people to /authorize. One without redirect URIs that may introspect, read the
// denylist or act for people needs no grant.
func (c Config) asksPeople() bool {
	if len(c.Grants) > 0 {
		return slices.Contains(c.Grants, GrantCode)
	}
	return len(c.RedirectURIs) > 0 || !c.Introspect && !c.Denylist && len(c.MayAct) == 0
}

// client returns the client of a validated configuration.
func (c Config) client(source Source) *Client {
	made := &Client{Config: c, Source: source, DefaultScopes: c.Scopes}
	made.Name, made.AuthMethod = cmp.Or(c.Name, c.ID), c.authMethod()
	made.Role, made.Consent = cmp.Or(c.Role, DefaultRole), cmp.Or(c.Consent, ConsentAsk)
	if len(c.Grants) == 0 && c.asksPeople() {
		made.Grants = []string{GrantCode, GrantRefresh}
	}
	if len(c.Scopes) == 0 {
		made.Scopes = OpenIDScopes()
	}
	if c.Secret != "" {
		made.secret, made.Secret = configuredSecret(c.Secret), ""
	}
	return made
}

func (c Config) authMethod() string {
	switch {
	case c.AuthMethod != "":
		return c.AuthMethod
	case c.Secret != "":
		return AuthSecretBasic
	default:
		return AuthNone
	}
}
