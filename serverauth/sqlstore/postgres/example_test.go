package postgres_test

import (
	"context"
	"fmt"
	"log/slog"
	"time"

	"github.com/picoauth/picoauth/serverauth"
	"github.com/picoauth/picoauth/serverauth/sqlstore/postgres"
)

// What is wrong with a URL is said without its password.
func ExampleBackend_Open() {
	_, err := postgres.New().Open(context.Background(), serverauth.BackendConfig{
		URL: "postgres://picoauth:secret@localhost/picoauth?pool_max_conns=many", Settings: serverauth.DefaultServerAuthSettings(),
		Clock: time.Now, Log: slog.New(slog.DiscardHandler),
	})
	fmt.Println(err)
	// Output: postgres: pool_max_conns in the URL is not a positive whole number
}
