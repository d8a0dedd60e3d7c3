package sqlstore_test

import (
	"context"
	"fmt"
	"os"
	"path/filepath"

	"github.com/picoauth/picoauth/app"
	"github.com/picoauth/picoauth/serverauth"
	"github.com/picoauth/picoauth/serverauth/sqlstore"
)

// A server whose sessions, revocations and keys outlive it.
func Example() {
	dir, err := os.MkdirTemp("", "picoauth")
	if err != nil {
		fmt.Println(err)
		return
	}
	defer os.RemoveAll(dir)
	server := app.New(
		app.ConfigMap(map[string]any{
			"app":         map[string]any{"port": 0, "log_level": "error"},
			"server_auth": map[string]any{"data_dir": dir}, // or storage_url: postgres://…
		}),
		serverauth.Module,
		sqlstore.Module,
	)
	if err := server.Start(context.Background()); err != nil {
		fmt.Println(err)
		return
	}
	defer server.Stop(context.Background())
	_, err = os.Stat(filepath.Join(dir, "picoauth.db"))
	fmt.Println(err)
	// Output: <nil>
}
