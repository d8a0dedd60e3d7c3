package verify_test

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"time"

	"github.com/picoauth/picoauth/clientauth/jose"
	"github.com/picoauth/picoauth/clientauth/verify"
)

// recorded returns a token that an issuer has issued, signed by a key of these tests and with times of today. The claims
// are in testdata/issuers.
func recorded(issuer, name string) string {
	text := must(os.ReadFile(filepath.Join("testdata", "issuers", issuer+".json")))
	var tokens map[string]object
	if err := json.Unmarshal(text, &tokens); err != nil {
		panic(err)
	}
	token, now := tokens[name], time.Now().Unix()
	token["iat"], token["exp"] = now, now+300
	for _, claim := range []string{"nbf", "auth_time"} {
		if token[claim] != nil {
			token[claim] = now
		}
	}
	s := signers()[jose.RS256]
	return s.Sign(s.Header(object{"typ": "JWT"}), token)
}

// internet is a client for which every issuer has the key of these tests, and metadata.
var internet = &http.Client{Transport: roundTripper(func(r *http.Request) (*http.Response, error) {
	body := must(json.Marshal(jose.Set{Keys: []jose.Key{signers()[jose.RS256].Key}}))
	if name, isMetadata := strings.CutSuffix(r.URL.String(), "/.well-known/openid-configuration"); isMetadata {
		if strings.HasSuffix(name, "auth0.com") {
			name += "/" // Auth0's names end with one
		}
		body = must(json.Marshal(object{"issuer": name, "jwks_uri": name + "/keys"}))
	}
	return &http.Response{StatusCode: http.StatusOK, Header: http.Header{}, Body: io.NopCloser(bytes.NewReader(body)), Request: r}, nil
})}

type roundTripper func(*http.Request) (*http.Response, error)

func (f roundTripper) RoundTrip(r *http.Request) (*http.Response, error) { return f(r) }

// discovered are the keys that an issuer's metadata names.
func discovered(issuer string) verify.KeySet {
	return must(verify.NewRemoteKeySet(verify.RemoteKeySetConfig{Issuer: issuer, Client: internet}))
}

// show prints who the tokens are of, or why they are refused.
func show(trusted verify.TrustedIssuer, issuer string, names ...string) {
	v := must(verify.NewTokenValidator(verify.ValidatorConfig{Issuers: []verify.TrustedIssuer{trusted}, Leeway: time.Minute}))
	for _, name := range names {
		caller, err := v.Validate(context.Background(), recorded(issuer, name))
		if err != nil {
			fmt.Printf("%s: %s\n", name, verify.Code(err))
			continue
		}
		fmt.Printf("%s: %s, roles %v, groups %v, scopes %v\n", name, caller.Subject, caller.Roles, caller.Groups, caller.Scopes)
	}
}

// The audience is the API's identifier. A claim of one's own has a URL as its name.
func Example_auth0() {
	const issuer = "https://dev-example.eu.auth0.com/" // with the slash
	show(verify.TrustedIssuer{Issuer: issuer, Audience: "https://api.example.com", Keys: discovered(issuer),
		RolePath: "https://example.com/roles", ScopePath: "permissions"}, "auth0", "access", "id", "id_for_the_api")
	// Output:
	// access: auth0|65f2c1a7e4b0d9a1c3f7b012, roles [buyer], groups [], scopes [read:orders write:orders]
	// id: token_type
	// id_for_the_api: token_type
}

// Access tokens have no audience: the client is checked in its place.
func Example_cognito() {
	const issuer = "https://cognito-idp.eu-west-1.amazonaws.com/eu-west-1_aB3dEfGh1"
	show(verify.TrustedIssuer{Issuer: issuer, Audience: "4k2jq9v0c8m1n7b6x5z3a1s2d3", AudienceClaim: "client_id", Keys: discovered(issuer),
		RequiredClaims: map[string]string{"token_use": "access"}, GroupsPath: "cognito:groups"}, "cognito", "access", "id", "another_client")
	// Output:
	// access: 0a1b2c3d-4e5f-6071-8293-a4b5c6d7e8f9, roles [], groups [buyers], scopes [openid orders/read]
	// id: token_type
	// another_client: wrong_audience
}

// The tenants of Entra ID share their keys. The claim oid is the same in all apps of a tenant; sub is not.
func Example_entraID() {
	keys := must(verify.NewRemoteKeySet(verify.RemoteKeySetConfig{URL: "https://login.microsoftonline.com/common/discovery/v2.0/keys", Client: internet}))
	show(verify.TrustedIssuer{Issuer: "https://login.microsoftonline.com/{tenant}/v2.0", Tenants: []string{"8f4d2a16-3c5b-4e7a-9d10-6b2c8e4f7a90"},
		Audience: "6e7f8091-a2b3-44c5-86d7-e8f90a1b2c3d", SubjectClaim: "oid", Keys: keys}, "entra", "access", "id", "another_tenant", "tenant_that_differs")
	// Output:
	// access: d4c3b2a1-0f9e-4d8c-8b7a-695847362514, roles [Buyer], groups [], scopes [Orders.Read Orders.Write]
	// id: token_type
	// another_tenant: unknown_issuer
	// tenant_that_differs: unknown_issuer
}

// The identity token of a service account, as Cloud Run and its like are called with.
func Example_google() {
	const issuer = "https://accounts.google.com"
	show(verify.TrustedIssuer{Issuer: issuer, Audience: "https://orders.example.com", Keys: discovered(issuer),
		RequiredClaims: map[string]string{"email_verified": "true"}}, "google", "access", "id", "unverified_email")
	// Output:
	// access: 112233445566778899001, roles [], groups [], scopes []
	// id: token_type
	// unverified_email: missing_claim
}

// A client needs an audience mapper in Keycloak, so that its tokens are for this service.
func Example_keycloak() {
	const issuer = "https://keycloak.example.com/realms/shop"
	show(verify.TrustedIssuer{Issuer: issuer, Audience: "orders", Keys: discovered(issuer), RolePath: "realm_access.roles"},
		"keycloak", "access", "id", "refresh", "offline", "logout")
	// Output:
	// access: f81d4fae-7dec-41d0-a765-00a0c91e6bf6, roles [offline_access buyer], groups [/eu/buyers], scopes [openid profile email]
	// id: token_type
	// refresh: token_type
	// offline: token_type
	// logout: token_type
}

// The projected token of a service account, whose audience the pod's specification names.
func Example_kubernetes() {
	const issuer = "https://kubernetes.default.svc.cluster.local"
	show(verify.TrustedIssuer{Issuer: issuer, Audience: "orders", Keys: discovered(issuer), RolePath: "kubernetes.io.serviceaccount.name",
		RequiredClaims: map[string]string{"kubernetes.io.namespace": "payments"}}, "kubernetes", "access", "another_namespace", "for_the_api_server")
	// Output:
	// access: system:serviceaccount:payments:biller, roles [biller], groups [], scopes []
	// another_namespace: missing_claim
	// for_the_api_server: wrong_audience
}
