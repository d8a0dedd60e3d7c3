package oauth_test

import (
	"context"
	"encoding/json"
	"fmt"
	"net/http"

	"go.uber.org/fx"

	"github.com/picoauth/picoauth/app"
	"github.com/picoauth/picoauth/serverauth"
	"github.com/picoauth/picoauth/serverauth/oauth"
)

// A program gets the issuer, its client_id and its secret, and finds the endpoints in the issuer's metadata.
func Example() {
	var server *app.Server
	running := app.New(
		serverauth.Module,
		oauth.Module,
		app.ConfigMap(map[string]any{
			"app.port": 0, "app.log_level": "error", "server_auth.issuer": "https://auth.example.com",
			"oauth.clients": []any{map[string]any{
				"id": "grafana", "name": "Grafana", "secret": "32 characters or more, at random",
				"redirect_uris": []string{"https://grafana.example.com/login/generic_oauth"},
			}},
		}),
		fx.Populate(&server),
	)
	ctx := context.Background()
	if err := running.Start(ctx); err != nil {
		fmt.Println(err)
		return
	}
	defer func() { _ = running.Stop(ctx) }()

	reply, err := http.Get("http://" + server.Addr().String() + "/.well-known/openid-configuration")
	if err != nil {
		fmt.Println(err)
		return
	}
	defer reply.Body.Close()
	var metadata struct {
		AuthorizationEndpoint string `json:"authorization_endpoint"`
		TokenEndpoint         string `json:"token_endpoint"`
	}
	if err := json.NewDecoder(reply.Body).Decode(&metadata); err != nil {
		fmt.Println(err)
		return
	}
	fmt.Println(metadata.AuthorizationEndpoint)
	fmt.Println(metadata.TokenEndpoint)
	// Output:
	// https://auth.example.com/api/v1/auth/oauth/authorize
	// https://auth.example.com/api/v1/auth/oauth/token
}
