package verify_test

import (
	"encoding/json"
	"net/http"
	"reflect"
	"strings"
	"testing"

	"github.com/picoauth/picoauth/clientauth/jose"
	"github.com/picoauth/picoauth/clientauth/verify"
)

func TestResourceMetadata(t *testing.T) {
	for name, test := range map[string]struct {
		uri, metadata string
		paths         []string
	}{
		"host":           {"https://api.example.com", "https://api.example.com/.well-known/oauth-protected-resource", []string{"/.well-known/oauth-protected-resource"}},
		"host and slash": {"https://api.example.com/", "https://api.example.com/.well-known/oauth-protected-resource", []string{"/.well-known/oauth-protected-resource"}},
		"path": {"https://api.example.com/v1/mcp", "https://api.example.com/.well-known/oauth-protected-resource/v1/mcp",
			[]string{"/.well-known/oauth-protected-resource/v1/mcp", "/.well-known/oauth-protected-resource"}},
		"loopback and query": {"http://127.0.0.1:8400/mcp?tenant=a", "http://127.0.0.1:8400/.well-known/oauth-protected-resource/mcp?tenant=a",
			[]string{"/.well-known/oauth-protected-resource/mcp", "/.well-known/oauth-protected-resource"}},
	} {
		t.Run(name, func(t *testing.T) {
			c, s := newClock(), signers()[jose.EdDSA]
			resource := &verify.Resource{URI: test.uri, Name: "Things", AuthorizationServers: []string{issuerName}, Scopes: []string{"things:read"}}
			a := must(verify.NewAuthenticator(verify.AuthenticatorConfig{Validator: newValidator(t, trusting(c, s)), Resource: resource, Logger: quiet}))
			if got := resource.Paths(); !reflect.DeepEqual(got, test.paths) {
				t.Errorf("paths %q", got)
			}
			w := call(a.MetadataHandler(), "GET", "/")
			var got map[string]any
			if err := json.Unmarshal(w.Body.Bytes(), &got); err != nil || w.Code != 200 || w.Header().Get("Content-Type") != "application/json" ||
				w.Header().Get("Access-Control-Allow-Origin") != "*" {
				t.Fatalf("%d %v %s: %v", w.Code, w.Header(), w.Body, err)
			}
			want := map[string]any{"resource": test.uri, "authorization_servers": []any{issuerName}, "scopes_supported": []any{"things:read"},
				"bearer_methods_supported": []any{"header"}, "resource_name": "Things",
				"dpop_signing_alg_values_supported": []any{"ES256", "EdDSA", "RS256", "PS256"}}
			if !reflect.DeepEqual(got, want) {
				t.Errorf("%v", got)
			}

			mux := http.NewServeMux()
			mux.Handle("/", a.Handler(verify.HasScope("things:write").Handler(http.NotFoundHandler())))
			parameter := `, resource_metadata="` + test.metadata + `"`
			for name, check := range map[string]struct {
				header []string
				want   string
			}{
				"nothing":   {nil, `Bearer realm="api"` + parameter},
				"bad token": {[]string{"Authorization", "Bearer x"}, `Bearer realm="api"` + parameter + `, error="invalid_token", error_description="the token is malformed"`},
				"no scope": {[]string{"Authorization", "Bearer " + s.Token(claims(nil))}, `Bearer realm="api"` + parameter +
					`, error="insufficient_scope", error_description="one of these scopes is required: things:write", scope="things:write"`},
				"no proof": {[]string{"Authorization", "DPoP " + s.Token(claims(nil))}, `DPoP algs="ES256 EdDSA RS256 PS256"` + parameter +
					`, error="invalid_token", error_description="the token must come with a DPoP proof of the key that it is bound to"`},
			} {
				if got := call(mux, "GET", "/", check.header...).Header().Get("WWW-Authenticate"); got != check.want {
					t.Errorf("%s: %s", name, got)
				}
			}
		})
	}
}

func TestResourcesThatHaveNoPlaceForMetadata(t *testing.T) {
	for uri, want := range map[string]string{
		"":                             "is not a URL such as",
		"api.example.com":              "is not a URL such as",
		"urn:example:api":              "is not a URL such as",
		"https:///mcp":                 "is not a URL such as",
		"http://api.example.com/mcp":   "must be https",
		"https://u:pw@api.example.com": "must not have a user name",
		"https://api.example.com/#x":   "has a fragment",
		"https://api.example.com/#":    "has a fragment",
		"https://api.example.com/a%2F": "in its path",
		"https://api.example.com/a/:b": "in its path",
		"https://api.example.com/*":    "in its path",
		"https://api.example.com/%zz":  "is not a URL",
	} {
		err := verify.Resource{URI: uri}.Validate()
		if err == nil || !strings.Contains(err.Error(), want) || strings.Contains(err.Error(), "pw@") {
			t.Errorf("%q: %v", uri, err)
		}
	}
	for _, uri := range []string{"https://api.example.com", "https://api.example.com/mcp/", "http://localhost:8400/mcp", "http://[::1]/mcp"} {
		if err := (verify.Resource{URI: uri}).Validate(); err != nil {
			t.Errorf("%q: %v", uri, err)
		}
	}
	if err := (verify.Resource{URI: "http://mcp:8400/mcp", InsecureAllowHTTP: true}).Validate(); err != nil {
		t.Error(err)
	}
	c, s := newClock(), signers()[jose.EdDSA]
	if _, err := verify.NewAuthenticator(verify.AuthenticatorConfig{Validator: newValidator(t, trusting(c, s)), Resource: &verify.Resource{URI: "x"}}); err == nil {
		t.Error("an authenticator for a resource that is no URL was made")
	}
}
