package verify

import (
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"strings"

	"github.com/go-json-experiment/json"
)

// Resource is what a protected resource says of itself (RFC 9728), so that a client that was answered 401 learns which
// server gives it a token, and for what.
type Resource struct {
	// URI names the resource as its clients do: https, or http on a loopback host. Access tokens for it have it as aud (RFC 8707).
	URI string
	// Name is for people; it may be empty.
	Name string
	// AuthorizationServers are the issuers whose tokens are accepted.
	AuthorizationServers []string
	// Scopes are those that clients may need; none are listed when it is empty.
	Scopes []string
	// InsecureAllowHTTP allows http on any host, where whoever is between may send clients to a server of their own.
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

// Validate returns nil for a URL that has a place for its metadata: no fragment, no user, nothing that is encoded.
func (r Resource) Validate() error {
	u, err := url.Parse(r.URI)
	switch {
	case err != nil:
		return errors.New("is not a URL")
	case u.Scheme != "https" && u.Scheme != "http" || u.Host == "":
		return fmt.Errorf("%q is not a URL such as https://api.example.com/mcp", u.Redacted())
	case u.Scheme == "http" && !r.InsecureAllowHTTP && !isLoopback(u.Hostname()):
		return fmt.Errorf("%q must be https; http is for loopback hosts, or with insecure_allow_http", u.Redacted())
	case u.User != nil:
		return errors.New("holds a user, which clients would send to everyone")
	case strings.Contains(r.URI, "#"):
		return fmt.Errorf("%q has a fragment", r.URI)
	case u.Path != u.EscapedPath() || strings.ContainsAny(u.Path, ":*"):
		return fmt.Errorf("%q has a character in its path that is encoded, or is ':' or '*'", r.URI)
	}
	return nil
}

// Paths are where the metadata is served: at the place that the resource's path gives (RFC 9728 section 3.1), and at that
// of the whole host, where older clients look.
func (r Resource) Paths() []string {
	u, err := url.Parse(r.URI)
	if err != nil || u.Path == "" || u.Path == "/" {
		return []string{resourceWellKnown}
	}
	return []string{resourceWellKnown + u.Path, resourceWellKnown}
}

// metadataURL is where a client finds the metadata.
func (r Resource) metadataURL() string {
	u, err := url.Parse(r.URI)
	if err != nil {
		return ""
	}
	u.Path = r.Paths()[0]
	return u.String()
}

// MetadataHandler answers with the metadata of [AuthenticatorConfig.Resource], to pages of any origin too. Serve it without
// authentication at [Resource.Paths].
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
