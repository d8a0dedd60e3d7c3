package clientauth

import (
	"fmt"
	"strings"

	"github.com/picoauth/picoauth/app/config"
	"github.com/picoauth/picoauth/clientauth/verify"
)

// checkResource refuses values that clients cannot use.
func (s Settings) checkResource() error {
	if s.Resource == "" {
		if s.ResourceName != "" || len(s.ScopesSupported) > 0 {
			return &config.Error{Key: "resource", Reason: "must not be empty if resource_name or scopes_supported is set"}
		}
		return nil
	}
	if err := s.resource(nil).Validate(); err != nil {
		return &config.Error{Key: "resource", Reason: err.Error()}
	}
	for _, scope := range s.ScopesSupported {
		if !isScope(scope) {
			return &config.Error{Key: "scopes_supported", Reason: fmt.Sprintf("%q is not a scope", scope)}
		}
	}
	return nil
}

// isScope reports whether a text is one scope-token (RFC 6749, section 3.3).
func isScope(text string) bool {
	return text != "" && !strings.ContainsFunc(text, func(r rune) bool { return r <= ' ' || r > '~' || r == '"' || r == '\\' })
}

// resource returns the metadata of the service, or nil. It does not list issuers with a pattern.
func (s Settings) resource(trusted []TrustedIssuer) *verify.Resource {
	if s.Resource == "" {
		return nil
	}
	r := &verify.Resource{URI: s.Resource, Name: s.ResourceName, Scopes: s.ScopesSupported, InsecureAllowHTTP: s.InsecureAllowHTTP}
	for _, issuer := range trusted {
		if len(issuer.Tenants) == 0 {
			r.AuthorizationServers = append(r.AuthorizationServers, issuer.Issuer)
		}
	}
	return r
}
