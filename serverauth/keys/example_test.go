package keys_test

import (
	"context"
	"encoding/json"
	"fmt"
	"log"
	"os"
	"path/filepath"
	"time"

	"github.com/picoauth/picoauth/serverauth/keys"
)

// A ring in memory signs at once and publishes its key and a spare.
func Example() {
	cfg := keys.DefaultConfig()
	cfg.Algorithm = "ES256"
	ctx, stop := context.WithCancel(context.Background())
	defer stop()
	ring, err := keys.Open(ctx, keys.NewMemoryStore(), cfg)
	if err != nil {
		log.Fatal(err)
	}
	go ring.Run(ctx)

	expires := time.Now().Add(time.Minute).Unix()
	claims, err := json.Marshal(map[string]any{"sub": "alice", "exp": expires})
	if err != nil {
		log.Fatal(err)
	}
	token, err := ring.Sign(keys.AccessTokenType, claims, expires)
	if err != nil {
		log.Fatal(err)
	}
	set, err := ring.JWKS("RSA", "EC", "OKP")
	if err != nil {
		log.Fatal(err)
	}
	fmt.Println(len(token) > 0, len(ring.PublishedKeys()), set.CacheControl())
	// Output: true 2 public, max-age=300
}

// Keys in files outlive the process, and are shared by all processes that open the folder.
func ExampleOpenFileStore() {
	parent, err := os.MkdirTemp("", "picoauth")
	if err != nil {
		log.Fatal(err)
	}
	defer os.RemoveAll(parent)
	key, err := keys.ParseEncryptionKey("c2VjcmV0LXNlY3JldC1zZWNyZXQtc2VjcmV0LTEyMzQ=") // from the environment
	if err != nil {
		log.Fatal(err)
	}
	cfg := keys.DefaultConfig()
	cfg.Algorithm = "EdDSA"
	var signers []string
	for range 2 { // the second time is a restart
		store, err := keys.OpenFileStore(context.Background(), filepath.Join(parent, "keys"), key, nil)
		if err != nil {
			log.Fatal(err)
		}
		ring, err := keys.Open(context.Background(), store, cfg)
		if err != nil {
			log.Fatal(err)
		}
		signer, err := ring.Signer()
		if err != nil {
			log.Fatal(err)
		}
		signers = append(signers, signer.KeyID)
	}
	fmt.Println(signers[0] == signers[1])
	// Output: true
}

// Rotate says whether the next key signs already, or when it will.
func ExampleRing_Rotate() {
	cfg := keys.DefaultConfig()
	cfg.Algorithm = "EdDSA"
	ring, err := keys.Open(context.Background(), keys.NewMemoryStore(), cfg)
	if err != nil {
		log.Fatal(err)
	}
	key, err := ring.Rotate(context.Background())
	if err != nil {
		log.Fatal(err)
	}
	fmt.Println(key.State, key.ActivatesAt.Sub(key.CreatedAt))
	// Output: pending 11m30s
}
