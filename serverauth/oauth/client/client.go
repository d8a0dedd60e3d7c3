package client

import (
	"slices"

	"github.com/picoauth/picoauth/clientauth/verify"
)

// Ways in which a client authenticates at the token endpoint (OpenID Connect Core, section 9).
const (
	AuthNone          = "none" // a public client: it has no secret that it could keep
	AuthSecretBasic   = "client_secret_basic"
	AuthSecretPost    = "client_secret_post"
	AuthPrivateKeyJWT = "private_key_jwt"
	authFleetToken    = "fleet token" // of an agent of a fleet, which is in no list of clients
)

// AuthMethods are the ways in which a client can authenticate.
func AuthMethods() []string {
	return []string{AuthNone, AuthSecretBasic, AuthSecretPost, AuthPrivateKeyJWT}
}

// Grants that a client can be allowed.
const (
	GrantCode              = "authorization_code"
	GrantRefresh           = "refresh_token"
	GrantClientCredentials = "client_credentials"
	GrantDevice            = "urn:ietf:params:oauth:grant-type:device_code"
	GrantJWTBearer         = "urn:ietf:params:oauth:grant-type:jwt-bearer"
	GrantExchange          = "urn:ietf:params:oauth:grant-type:token-exchange" // RFC 8693; a client with MayAct has it
)

// Grants are the grants that a client can be allowed.
func Grants() []string {
	return []string{GrantCode, GrantRefresh, GrantClientCredentials, GrantDevice, GrantJWTBearer, GrantExchange}
}

// OpenIDScopes are the scopes that every server knows, and that a client may ask for if its configuration names no others.
func OpenIDScopes() []string {
	return []string{"openid", "profile", "email", "groups", "wallet", "offline_access"}
}

// Values of a client's consent.
const (
	ConsentAsk     = "ask"
	ConsentImplied = "implied" // the operator has consented for everybody, as for the operator's own programs
)

// DefaultRole is the role in the token that a client gets for itself.
const DefaultRole = "service"

// Source is where a client is known from.
type Source int

// The sources of clients.
const (
	Configured Source = iota // the list oauth.clients
	Stored                   // made by an operator at POST /clients
	Registered               // dynamic registration (RFC 7591)
	Document                 // a Client ID Metadata Document; the client_id is its URL
	Fleet                    // the token of a fleet's agent; the client_id is its agent_id
)

// isOperators tells whether the operator wrote the client down, and not somebody whom nobody knows.
func (s Source) isOperators() bool { return s == Configured || s == Stored }

// Client is a program that may ask for tokens. It is read-only after it was made, and safe for concurrent use.
type Client struct {
	ID   string
	Name string // what it calls itself, for people; never empty
	// Source tells whose word the rest is: of a registration and of a document, the client's own.
	Source                 Source
	RedirectURIs           []string
	PostLogoutRedirectURIs []string
	AuthMethod             string
	// JWKSURI is where the keys of private_key_jwt are.
	JWKSURI string
	Grants  []string
	// Scopes are those that it may ask for; DefaultScopes those that it gets where the request names none.
	Scopes, DefaultScopes []string
	// Resources are those that it may ask for beside the ones that are open to all.
	Resources []string
	// Role is the role in a token for the client itself (client_credentials).
	Role string
	// Consent is ConsentAsk or ConsentImplied.
	Consent string
	// Introspect and Denylist let it call /introspect and /revoked-jtis.
	Introspect, Denylist bool
	// DPoPBound tells that each of its requests for tokens needs a proof of the key that they are bound to.
	DPoPBound bool
	// MayAct says for whom it may act, and how far; empty: for nobody.
	MayAct []MayAct

	secret *secret       // nil where it has none
	keys   verify.KeySet // of private_key_jwt, else nil
	until  int64         // of a registration: when it is forgotten, Unix milliseconds
}

// DescribesItself tells whether what is known of the client is its own word: nobody who runs the server vouches for it.
func (c *Client) DescribesItself() bool { return c.Source == Registered || c.Source == Document }

// IsPublic tells whether anybody can take the client's name: it authenticates with nothing.
func (c *Client) IsPublic() bool { return c.AuthMethod == AuthNone }

// AllowsGrant tells whether the client may use a grant_type.
func (c *Client) AllowsGrant(grant string) bool {
	if grant == GrantExchange {
		return len(c.MayAct) > 0
	}
	return slices.Contains(c.Grants, grant)
}

// AllowsScope tells whether the client may ask for a scope.
func (c *Client) AllowsScope(scope string) bool { return slices.Contains(c.Scopes, scope) }

// ListsResource tells whether the client may ask for a resource that is not open to all.
func (c *Client) ListsResource(uri string) bool { return slices.Contains(c.Resources, uri) }

// AllowsRedirect tells whether an authorization response may be sent to a URI.
func (c *Client) AllowsRedirect(uri string) bool { return matchesRedirect(c.RedirectURIs, uri) }

// AllowsPostLogoutRedirect tells whether a browser may be sent to a URI after it was logged out.
func (c *Client) AllowsPostLogoutRedirect(uri string) bool {
	return matchesRedirect(c.PostLogoutRedirectURIs, uri)
}
