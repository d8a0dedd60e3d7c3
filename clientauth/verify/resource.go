package verify

import (
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"strings"

	"github.com/go-json-experiment/json"
)

// Resource is the metadata of a protected resource (RFC 9728). It tells a client that got a 401 which authorization server
// issues tokens for it, and with which scopes.
type Resource struct {
	// URI is the identifier that clients use: https, or http on a loopback host. Access tokens for the resource have it as
	// aud (RFC 8707).
	URI string
	// Name is for people; it may be empty.
	Name string
	// AuthorizationServers are the issuers whose tokens are accepted.
	AuthorizationServers []string
	// Scopes are the scopes that clients may need. If empty, none are listed.
	Scopes []string
	// InsecureAllowHTTP allows http on any host. An attacker on the network can then send clients to another server.
	InsecureAllowHTTP bool
}

const resourceWellKnown = "/.well-known/oauth-protected-resource"

// resourceMetadata is the document of RFC 9728 section 2.
type resourceMetadata struct {
	Resource             string   `json:"resource"`
	AuthorizationServers []string `json:"authorization_servers,omitempty"`
	Scopes               []string `json:"scopes_supported,omitempty"`
	BearerMethods        []string `json:"bearer_methods_supported"`
	Name                 string   `json:"resource_name,omitempty"`
	ProofAlgorithms      []string `json:"dpop_signing_alg_values_supported,omitempty"`
	ProofsRequired       bool     `json:"dpop_bound_access_tokens_required,omitzero"`
}

// Validate refuses a URI that cannot have metadata: with a fragment, a user, or an encoded character, ':' or '*' in its
// path. It refuses http where that is not allowed.
func (r Resource) Validate() error {
	u, err := url.Parse(r.URI)
	switch {
	case err != nil || u.Host == "" && strings.Contains(r.URI, "@"): // the error does not repeat what may be a password
		return errors.New("is not a URL")
	case u.Scheme != "https" && u.Scheme != "http" || u.Host == "":
		return fmt.Errorf("%q is not a URL such as https://api.example.com/mcp", u.Redacted())
	case u.Scheme == "http" && !r.InsecureAllowHTTP && !isLoopback(u.Hostname()):
		return fmt.Errorf("%q must be https; http is allowed only for loopback hosts, or with insecure_allow_http", u.Redacted())
	case u.User != nil:
		return errors.New("must not have a user name or password: clients send this URL to others")
	case strings.Contains(r.URI, "#"):
		return fmt.Errorf("%q has a fragment", r.URI)
	case u.Path != u.EscapedPath() || strings.ContainsAny(u.Path, ":*"):
		return fmt.Errorf("%q has a character in its path that is encoded, or is ':' or '*'", r.URI)
	}
	return nil
}

// Paths returns where the metadata is served: at the path for the resource (RFC 9728 section 3.1), and at the path for the
// whole host, which older clients use.
func (r Resource) Paths() []string {
	u, err := url.Parse(r.URI)
	if err != nil || u.Path == "" || u.Path == "/" {
		return []string{resourceWellKnown}
	}
	return []string{resourceWellKnown + u.Path, resourceWellKnown}
}

// metadataURL returns the URL of the metadata of a valid resource.
func (r Resource) metadataURL() string {
	u, _ := url.Parse(r.URI)
	u.Path = r.Paths()[0]
	return u.String()
}

// MetadataHandler replies with the metadata of [AuthenticatorConfig.Resource]. Pages of any origin may read it (CORS).
// Serve it without authentication at [Resource.Paths].
func (a *Authenticator) MetadataHandler() http.Handler {
	r := a.resource
	document := resourceMetadata{r.URI, r.AuthorizationServers, r.Scopes, []string{"header"}, r.Name, a.proofs.algorithms, a.proofs.required}
	body, err := json.Marshal(document)
	return http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		if err != nil { // a text of the configuration that is no UTF-8
			w.WriteHeader(http.StatusInternalServerError)
			return
		}
		header := w.Header()
		header.Set("Access-Control-Allow-Origin", "*")
		header.Set("Cache-Control", "public, max-age=300")
		header.Set("Content-Type", "application/json")
		_, _ = w.Write(body)
	})
}
