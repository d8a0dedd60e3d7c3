package client

import (
	"cmp"
	"fmt"
	"slices"

	"github.com/go-json-experiment/json"
	"github.com/go-json-experiment/json/jsontext"

	"github.com/picoauth/picoauth/serverauth/oauth/internal/faults"
)

// metadata is a client's description of itself, in a metadata document or a registration (RFC 7591, section 2). Other members are
// ignored.
type metadata struct {
	ClientID     string         `json:"client_id,omitzero"`
	Name         string         `json:"client_name,omitzero"`
	RedirectURIs []string       `json:"redirect_uris,omitzero"`
	PostLogout   []string       `json:"post_logout_redirect_uris,omitzero"`
	AuthMethod   string         `json:"token_endpoint_auth_method,omitzero"`
	GrantTypes   []string       `json:"grant_types,omitzero"`
	Responses    []string       `json:"response_types,omitzero"`
	JWKSURI      string         `json:"jwks_uri,omitzero"`
	JWKS         jsontext.Value `json:"jwks,omitempty"`
	Secret       jsontext.Value `json:"client_secret,omitempty"`
	DPoPBound    bool           `json:"dpop_bound_access_tokens,omitzero"`
}

// parseMetadata reads a JSON object.
func parseMetadata(text []byte) (m metadata, err error) {
	if err := json.Unmarshal(text, &m); err != nil {
		return m, metadataFault("it is not a JSON object with the metadata of a client")
	}
	return m, nil
}

func metadataFault(reason string, args ...any) *Error {
	return &Error{Code: "invalid_client_metadata", Description: printable(fmt.Sprintf(reason, args...)), Status: 400}
}

// check sets defaults and returns why a client that describes itself is refused. It must be public or have a key, never a secret.
func (m *metadata) check() *Error {
	m.AuthMethod = cmp.Or(m.AuthMethod, AuthNone)
	switch {
	case len(m.Secret) > 0:
		return metadataFault("client_secret is not allowed: everybody who reads it could act as the client")
	case m.AuthMethod != AuthNone && m.AuthMethod != AuthPrivateKeyJWT:
		return metadataFault("token_endpoint_auth_method must be none or private_key_jwt")
	case m.AuthMethod == AuthPrivateKeyJWT && (len(m.JWKS) > 0) == (m.JWKSURI != ""):
		return metadataFault("private_key_jwt needs either jwks or jwks_uri")
	case len(m.JWKS) > 0:
		if _, err := parseKeys(m.JWKS); err != nil {
			return metadataFault("jwks: %s", err)
		}
	}
	if m.AuthMethod == AuthNone {
		m.JWKS, m.JWKSURI = nil, ""
	}
	name := faults.New("")
	if checkName(name, m.Name); name.Err() != nil {
		m.Name = ""
	}
	m.checkGrants()
	return m.checkRedirects()
}

// checkGrants removes the grants that such a client cannot have. It sets the response types that fit the rest.
func (m *metadata) checkGrants() {
	if len(m.GrantTypes) == 0 {
		m.GrantTypes = []string{GrantCode, GrantRefresh}
	}
	m.GrantTypes = slices.DeleteFunc(slices.Clone(m.GrantTypes), func(grant string) bool {
		return grant != GrantCode && grant != GrantRefresh && grant != GrantDevice
	})
	slices.Sort(m.GrantTypes)
	m.GrantTypes, m.Responses = slices.Compact(m.GrantTypes), nil
	if slices.Contains(m.GrantTypes, GrantCode) {
		m.Responses = []string{"code"}
	}
}

func (m *metadata) checkRedirects() *Error {
	if len(m.RedirectURIs) == 0 {
		return &Error{Code: "invalid_redirect_uri", Description: "redirect_uris is missing", Status: 400}
	}
	for _, uris := range [][]string{m.RedirectURIs, m.PostLogout} {
		if len(uris) > maxURIs {
			return metadataFault("there are more than %d redirect URIs", maxURIs)
		}
		for _, uri := range uris {
			if err := checkRedirectURI(uri); err != nil {
				return &Error{Code: "invalid_redirect_uri", Description: printable(fmt.Sprintf("%q %s", uri, err)), Status: 400}
			}
		}
	}
	return nil
}

// config returns the equivalent configuration of the client.
func (m *metadata) config() Config {
	return Config{
		ID: m.ClientID, Name: m.Name, RedirectURIs: m.RedirectURIs, PostLogoutRedirectURIs: m.PostLogout,
		AuthMethod: m.AuthMethod, JWKSURI: m.JWKSURI, Grants: m.GrantTypes, DPoPBound: m.DPoPBound,
	}
}
