package client

import (
	"slices"

	"github.com/picoauth/picoauth/clientauth/verify"
)

// Methods of client authentication at the token endpoint (OpenID Connect Core, section 9).
const (
	AuthNone          = "none" // a public client, which cannot keep a secret
	AuthSecretBasic   = "client_secret_basic"
	AuthSecretPost    = "client_secret_post"
	AuthPrivateKeyJWT = "private_key_jwt"
	authFleetToken    = "fleet token" // an agent of a fleet, which is in no list of clients
)

// AuthMethods returns the methods of client authentication that can be configured.
func AuthMethods() []string {
	return []string{AuthNone, AuthSecretBasic, AuthSecretPost, AuthPrivateKeyJWT}
}

// Grant types that a client can be allowed.
const (
	GrantCode              = "authorization_code"
	GrantRefresh           = "refresh_token"
	GrantClientCredentials = "client_credentials"
	GrantDevice            = "urn:ietf:params:oauth:grant-type:device_code"
	GrantJWTBearer         = "urn:ietf:params:oauth:grant-type:jwt-bearer"
	GrantExchange          = "urn:ietf:params:oauth:grant-type:token-exchange" // RFC 8693; a client with MayAct has it
)

// Grants returns the grant types that a client can be allowed.
func Grants() []string {
	return []string{GrantCode, GrantRefresh, GrantClientCredentials, GrantDevice, GrantJWTBearer, GrantExchange}
}

// OpenIDScopes returns the scopes that every server has. A client may ask for them if its configuration lists no scopes.
func OpenIDScopes() []string {
	return []string{"openid", "profile", "email", "groups", "wallet", "offline_access"}
}

// Values of a client's consent.
const (
	ConsentAsk     = "ask"
	ConsentImplied = "implied" // the operator consents for everybody, for example for the operator's own programs
)

// DefaultRole is the role in a client's own token (client_credentials), if none is configured.
const DefaultRole = "service"

// Source is where the description of a client comes from.
type Source int

// The sources of clients.
const (
	Configured Source = iota // in oauth.clients
	Stored                   // added by an operator with POST /clients
	Registered               // dynamic registration (RFC 7591)
	Document                 // a Client ID Metadata Document; the client_id is its URL
	Fleet                    // the token of a fleet's agent; the client_id is its agent_id
)

// isOperators reports whether the operator described the client.
func (s Source) isOperators() bool { return s == Configured || s == Stored }

// Client is a program that may ask for tokens. It is immutable, and safe for concurrent use.
type Client struct {
	// Config describes the client, with the defaults in place of what it leaves out, and without the secret. In a registration and a
	// document, the client wrote it itself.
	Config
	Source Source
	// DefaultScopes are those that it gets if the request has no scope.
	DefaultScopes []string

	secret *secret       // nil: it has none
	keys   verify.KeySet // for private_key_jwt, else nil
	until  int64         // when a registration expires, Unix milliseconds; 0: never
}

// DescribesItself reports whether the client wrote its own description, so that no operator has confirmed it.
func (c *Client) DescribesItself() bool { return c.Source == Registered || c.Source == Document }

// IsPublic reports whether the client does not authenticate, so that any program can use its client_id.
func (c *Client) IsPublic() bool { return c.AuthMethod == AuthNone }

// AllowsGrant reports whether the client may use a grant_type.
func (c *Client) AllowsGrant(grant string) bool {
	if grant == GrantExchange {
		return len(c.MayAct) > 0
	}
	return slices.Contains(c.Grants, grant)
}

// AllowsRedirect reports whether an authorization response may be sent to a URI.
func (c *Client) AllowsRedirect(uri string) bool { return matchesRedirect(c.RedirectURIs, uri) }

// AllowsPostLogoutRedirect reports whether a browser may be sent to a URI after a logout.
func (c *Client) AllowsPostLogoutRedirect(uri string) bool {
	return matchesRedirect(c.PostLogoutRedirectURIs, uri)
}
