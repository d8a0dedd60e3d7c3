package oauth

import (
	"maps"
	"slices"

	"github.com/picoauth/picoauth/clientauth/jose"
	"github.com/picoauth/picoauth/serverauth"
	"github.com/picoauth/picoauth/serverauth/oauth/client"
)

// metadata is what the module adds to the discovery documents (RFC 8414, OpenID Connect Discovery, RFC 9207).
func metadata(settings Settings, auth serverauth.ServerAuthSettings) serverauth.Metadata {
	base, methods, algorithms := auth.Issuer+Prefix, client.AuthMethods(), jose.Algorithms()
	document := serverauth.Metadata{
		"authorization_endpoint":        base + "/authorize",
		"token_endpoint":                base + "/token",
		"userinfo_endpoint":             base + "/userinfo",
		"revocation_endpoint":           base + "/revoke",
		"introspection_endpoint":        base + "/introspect",
		"end_session_endpoint":          base + "/logout",
		"device_authorization_endpoint": base + "/device_authorization",
		"scopes_supported":              newCatalogue(settings).names(),
		"response_types_supported":      []string{"code"},
		"response_modes_supported":      []string{modeQuery, modeFormPost},
		"grant_types_supported":         slices.Sorted(maps.Keys(grantFlows)),
		"prompt_values_supported":       []string{promptNone, promptLogin, promptConsent, promptSelect},
		"claim_types_supported":         []string{"normal"},
		"claims_supported": []string{
			"iss", "sub", "aud", "exp", "iat", "auth_time", "nonce", "at_hash", "sid", "amr", "name", "preferred_username", "email", "groups",
			"wallet_address", "account",
		},
		"code_challenge_methods_supported":               []string{"S256"},
		"authorization_response_iss_parameter_supported": true,
		"client_id_metadata_document_supported":          settings.ClientMetadataDocuments == client.DocumentsOn,
		"claims_parameter_supported":                     false,
		"request_parameter_supported":                    false,
		"request_uri_parameter_supported":                false,
	}
	if settings.DynamicRegistration != client.RegistrationOff {
		document["registration_endpoint"] = base + "/register"
	}
	for _, endpoint := range []string{"token", "revocation", "introspection"} {
		document[endpoint+"_endpoint_auth_methods_supported"] = methods
		document[endpoint+"_endpoint_auth_signing_alg_values_supported"] = algorithms
	}
	document["introspection_endpoint_auth_methods_supported"] = slices.DeleteFunc(slices.Clone(methods), func(method string) bool { return method == client.AuthNone })
	return document
}
