package client_test

import (
	"context"
	"fmt"

	"github.com/picoauth/picoauth/serverauth/oauth/client"
)

// A registry finds the clients of the configuration, and a client says what it may do.
func Example() {
	settings := client.DefaultSettings()
	settings.Clients = []client.Config{{ID: "cli", Name: "Command line", RedirectURIs: []string{"http://127.0.0.1/callback"}}}
	if err := settings.Validate(client.Known{}); err != nil {
		panic(err)
	}
	registry, err := client.NewRegistry(client.RegistryConfig{Settings: settings})
	if err != nil {
		panic(err)
	}
	found, err := registry.Find(context.Background(), "cli")
	if err != nil {
		panic(err)
	}
	fmt.Println(found.Name, found.IsPublic(), found.AllowsRedirect("http://127.0.0.1:51004/callback"), found.AllowsRedirect("http://127.0.0.1:51004/other"))
	// Output: Command line true true false
}
