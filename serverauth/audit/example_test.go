package audit_test

import (
	"context"
	"fmt"
	"log"
	"time"

	"github.com/picoauth/picoauth/serverauth/audit"
)

// What is recorded is sealed in a chain, which can be verified later.
func Example() {
	ctx := context.Background()
	secret := make([]byte, audit.KeySize) // of the issuer; random in earnest
	recorder, err := audit.NewRecorder(audit.Config{Store: audit.NewMemoryStore(), Key: func() []byte { return secret }})
	if err != nil {
		log.Fatal(err)
	}
	now := time.Now().Unix()
	recorder.Record(audit.Mint{ID: "a token's jti", Subject: "alice", IssuedAt: now, ExpiresAt: now + 900})
	if err := recorder.Flush(ctx); err != nil {
		log.Fatal(err)
	}
	report, err := recorder.Verify(ctx)
	if err != nil {
		log.Fatal(err)
	}
	live, err := recorder.Live(ctx, "", "", "alice")
	if err != nil {
		log.Fatal(err)
	}
	fmt.Println(report.Mints, live[0].ID)
	// Output: 1 a token's jti
}
