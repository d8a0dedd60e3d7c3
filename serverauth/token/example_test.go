package token_test

import (
	"context"
	"fmt"
	"log"
	"time"

	"github.com/picoauth/picoauth/clientauth"
	"github.com/picoauth/picoauth/serverauth/keys"
	"github.com/picoauth/picoauth/serverauth/token"
)

// An access token is checked with the keys that its issuer publishes.
func Example() {
	ctx := context.Background()
	config := keys.DefaultConfig()
	config.Algorithm = "EdDSA"
	ring, err := keys.Open(ctx, keys.NewMemoryStore(), config)
	if err != nil {
		log.Fatal(err)
	}
	issuer := token.NewIssuer(token.Config{
		Issuer: "https://auth.example.com", Audience: "shop", ClientID: "shop", Life: 15 * time.Minute, Ring: ring,
	})
	signed, err := issuer.IssueAccessToken(ctx, token.Request{Subject: "alice", Role: "buyer"})
	if err != nil {
		log.Fatal(err)
	}
	validator, err := clientauth.NewTokenValidator(clientauth.ValidatorConfig{Issuers: []clientauth.TrustedIssuer{{
		Issuer: "https://auth.example.com", Audience: "shop", Algorithms: []string{"EdDSA"}, Keys: ring,
	}}})
	if err != nil {
		log.Fatal(err)
	}
	caller, err := validator.Validate(ctx, signed)
	if err != nil {
		log.Fatal(err)
	}
	fmt.Println(caller.Subject, caller.Role)
	// Output: alice buyer
}
