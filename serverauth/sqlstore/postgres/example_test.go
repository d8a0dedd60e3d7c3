package postgres_test

import (
	"context"
	"fmt"
	"log/slog"
	"time"

	"github.com/picoauth/picoauth/serverauth/sqlstore/postgres"
	"github.com/picoauth/picoauth/serverauth/store"
)

// What is wrong with a URL is said without its password.
func ExampleBackend_Open() {
	_, err := postgres.New().Open(context.Background(), store.BackendConfig{
		URL: "postgres://picoauth:secret@localhost/picoauth?pool_max_conns=many", AccessTokenTTL: 15 * time.Minute, ClockSkew: time.Minute,
		Clock: time.Now, Log: slog.New(slog.DiscardHandler),
	})
	fmt.Println(err)
	// Output: postgres: pool_max_conns in the URL is not a positive whole number
}
