package verify_test

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"net/http/httptest"
	"time"

	"github.com/picoauth/picoauth/clientauth/jose"
	"github.com/picoauth/picoauth/clientauth/verify"
)

// exampleIssuer is what a real issuer would be: it signs tokens and shows its key.
func exampleIssuer() (sign func(role string) string, key jose.Key) {
	s := signers()[jose.EdDSA]
	return func(role string) string {
		return s.Token(claims(object{"role": role, "iat": time.Now().Unix(), "nbf": nil, "exp": time.Now().Add(time.Minute).Unix()}))
	}, s.Key
}

// The validator alone: no fx, no echo. With a RemoteKeySet in place of the KeyMap the keys come from the issuer.
func ExampleNewTokenValidator() {
	sign, key := exampleIssuer()
	validator, err := verify.NewTokenValidator(verify.ValidatorConfig{
		Issuers: []verify.TrustedIssuer{{
			Issuer: "https://auth.example.com", Audience: "pico", Algorithms: []string{jose.EdDSA}, Keys: verify.NewKeyMap(key),
		}},
		Leeway:    30 * time.Second,
		CacheSize: 1000,
	})
	if err != nil {
		panic(err)
	}
	caller, err := validator.Validate(context.Background(), sign("admin"))
	fmt.Println(caller.Subject, caller.Role, err)

	_, err = validator.Validate(context.Background(), "not.a.token")
	fmt.Println(errors.Is(err, verify.ErrInvalidToken), errors.Is(err, verify.ErrMalformedToken))
	// Output:
	// alice admin <nil>
	// true true
}

// A net/http service with an issuer elsewhere.
func ExampleAuthenticator_Handler() {
	keys, err := verify.NewRemoteKeySet(verify.RemoteKeySetConfig{URL: "https://auth.example.com/api/v1/auth/jwks"})
	if err != nil {
		panic(err)
	}
	validator, err := verify.NewTokenValidator(verify.ValidatorConfig{Issuers: []verify.TrustedIssuer{{
		Issuer: "https://auth.example.com", Audience: "pico", Algorithms: []string{jose.RS256}, Keys: keys,
	}}})
	if err != nil {
		panic(err)
	}
	auth, err := verify.NewAuthenticator(verify.AuthenticatorConfig{Validator: validator})
	if err != nil {
		panic(err)
	}
	profile := http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		caller, _ := verify.FromContext(r.Context())
		fmt.Fprintln(w, caller.Subject)
	})
	mux := http.NewServeMux()
	mux.Handle("GET /profile", auth.Handler(profile))
	mux.Handle("GET /admin", auth.Handler(verify.HasRole("admin").Handler(profile)))

	reply := httptest.NewRecorder()
	mux.ServeHTTP(reply, httptest.NewRequest("GET", "/profile", nil))
	fmt.Println(reply.Code, reply.Header().Get("WWW-Authenticate"))
	// Output: 401 Bearer realm="api"
}

// A handler is tested without any token.
func ExampleNewContext() {
	handler := func(ctx context.Context) string {
		caller, ok := verify.FromContext(ctx)
		if !ok {
			return "nobody"
		}
		return caller.Subject
	}
	ctx := verify.NewContext(context.Background(), &verify.SecurityContext{Subject: "alice", Role: "admin", Roles: []string{"admin"}})
	fmt.Println(handler(ctx), handler(context.Background()))
	// Output: alice nobody
}

func ExampleScopeCovers() {
	fmt.Println(verify.ScopeCovers("treasury:*", "treasury:write:opex"))
	fmt.Println(verify.ScopeCovers("treasury:read", "treasury:write"))
	// Output:
	// true
	// false
}

func ExampleResource() {
	resource := verify.Resource{URI: "https://api.example.com/mcp", Name: "Things", AuthorizationServers: []string{"https://auth.example.com"}}
	fmt.Println(resource.Validate(), resource.Paths())
	// Output: <nil> [/.well-known/oauth-protected-resource/mcp /.well-known/oauth-protected-resource]
}
