package sqlite_test

import (
	"context"
	"fmt"
	"log/slog"
	"os"
	"path/filepath"
	"time"

	"github.com/picoauth/picoauth/serverauth/sqlstore/sqlite"
	"github.com/picoauth/picoauth/serverauth/store"
)

// Without fx, a backend is opened by hand.
func ExampleNew() {
	dir, err := os.MkdirTemp("", "picoauth")
	if err != nil {
		fmt.Println(err)
		return
	}
	defer os.RemoveAll(dir)
	stores, err := sqlite.New().Open(context.Background(), store.BackendConfig{
		URL: "sqlite:" + filepath.Join(dir, "auth.db"), AccessTokenTTL: 15 * time.Minute, ClockSkew: time.Minute,
		Clock: time.Now, Log: slog.New(slog.DiscardHandler),
	})
	if err != nil {
		fmt.Println(err)
		return
	}
	defer stores.Close()
	nonce, err := stores.Challenges.Create(context.Background(), "some address", time.Minute)
	if err != nil {
		fmt.Println(err)
		return
	}
	for range 2 {
		fmt.Println(stores.Challenges.Validate(context.Background(), "some address", nonce))
	}
	// Output:
	// true <nil>
	// false <nil>
}
