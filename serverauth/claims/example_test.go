package claims_test

import (
	"context"
	"errors"
	"fmt"
	"log"

	"github.com/picoauth/picoauth/serverauth/claims"
	"github.com/picoauth/picoauth/serverauth/store"
)

// The settings come first, and the app's own provider has the last word on each field.
func ExampleNewSources() {
	own := claims.ProviderFunc(func(_ context.Context, who store.Subject) (claims.Claims, error) {
		if who.ID == "bob@example.com" {
			return claims.Claims{}, fmt.Errorf("bob has left: %w", claims.ErrSubjectRefused)
		}
		return claims.Claims{Groups: []string{"staff"}}, nil
	})
	provider, err := claims.NewSources(claims.Config{
		Section:  "server_auth",
		Subjects: []claims.Entry{{Sub: "alice@example.com", Role: "editor", Groups: []string{"guests"}}},
		Known:    func(string) bool { return true },
	}, own)
	if err != nil {
		log.Fatal(err)
	}
	for _, name := range []string{"alice@example.com", "bob@example.com"} {
		granted, err := provider.Claims(context.Background(), store.Subject{ID: name, Kind: store.KindAdmin})
		fmt.Println(granted.Role, granted.Groups, errors.Is(err, claims.ErrSubjectRefused))
	}
	// Output:
	// editor [staff] false
	//  [] true
}
