// Webwallet is a web page that people sign in to with the wallet in their browser, Ethereum's or Solana's, with the
// auth server, the page and the API behind it in one process:
//
//	go run ./examples/webwallet     # then open http://localhost:8300
package main

import (
	"flag"
	"fmt"
	"net/http"

	"github.com/labstack/echo/v4"
	"go.uber.org/fx"

	"github.com/picoauth/picoauth/app"
	"github.com/picoauth/picoauth/clientauth"
	"github.com/picoauth/picoauth/serverauth"
)

func main() {
	config := flag.String("config", "", "YAML configuration `file` (default: application.yaml, if it is there)")
	flag.Usage = usage
	flag.Parse()
	app.New(Options(), app.ConfigFlag(*config)).Run()
}

func usage() {
	out := flag.CommandLine.Output()
	fmt.Fprintln(out, "Webwallet serves a page that people sign in to with the wallet in their browser.")
	fmt.Fprintln(out, "Open http://localhost:8300. Under another host or port, set server_auth.allowed_domains")
	fmt.Fprintln(out, "(SERVER_AUTH__ALLOWED_DOMAINS) to what the browser's address bar shows.")
	fmt.Fprintln(out)
	flag.PrintDefaults()
}

// Options is the program. Its own defaults lie below the file and the environment.
func Options() fx.Option {
	return fx.Options(
		app.ConfigDefaults(map[string]any{
			"app.port":                    8300,
			"server_auth.issuer":          "http://localhost:8300",
			"server_auth.allowed_domains": []string{"localhost:8300", "127.0.0.1:8300"},
			"server_auth.statement":       "Sign in to the picoauth example. This costs nothing and moves nothing.",
		}),
		serverauth.Module, // /api/v1/auth/*
		clientauth.Module, // every other request needs a token, but for the page
		fx.Provide(NewPage, NewProfileController),
		fx.Invoke((*Page).Register, (*ProfileController).Register),
	)
}

// ProfileController is the API that the page shows something of.
type ProfileController struct{}

// NewProfileController returns the controller.
func NewProfileController() *ProfileController { return &ProfileController{} }

// Register adds the API's route.
func (p *ProfileController) Register(e *echo.Echo) { e.GET("/api/profile", p.profile) }

// Profile is what GET /api/profile answers.
type Profile struct {
	Subject      string `json:"subject"`
	Role         string `json:"role"`
	Account      string `json:"account"` // CAIP-10; empty for a bare key
	SignedInWith string `json:"signed_in_with"`
}

func (p *ProfileController) profile(c echo.Context) error {
	user, ok := clientauth.FromContext(c.Request().Context())
	if !ok { // auth_client.enabled is false
		return echo.ErrUnauthorized
	}
	return c.JSON(http.StatusOK, Profile{user.Subject, user.Role, user.Account, user.Algorithm})
}
