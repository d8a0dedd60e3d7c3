package store_test

import (
	"context"
	"fmt"
	"log"
	"time"

	"github.com/picoauth/picoauth/serverauth/store"
)

// A nonce serves once, for the address that it was made for.
func ExampleInMemoryChallengeStore() {
	challenges := store.NewMemoryChallenges()
	ctx := context.Background()
	nonce, err := challenges.Create(ctx, "alice", time.Minute)
	if err != nil {
		log.Fatal(err)
	}
	for _, address := range []string{"mallory", "alice", "alice"} {
		spent, err := challenges.Validate(ctx, address, nonce)
		if err != nil {
			log.Fatal(err)
		}
		fmt.Println(address, spent)
	}
	// Output:
	// mallory false
	// alice true
	// alice false
}
