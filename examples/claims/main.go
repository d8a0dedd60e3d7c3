// Claims gives roles, groups and claims to the subjects of a small user table, and refuses some.
//
//	go run ./examples/claims                                             # in one terminal
//	go run ./examples/walletlogin --algorithm Ed25519 --key alice.key    # in another: "signed in as ADDRESS", a reader
//
// Started with that address, it makes an editor of the same wallet:
//
//	DIRECTORY__EDITORS=ADDRESS go run ./examples/claims
//	TOKEN=$(go run ./examples/walletlogin --algorithm Ed25519 --key alice.key --print-token)
//	curl -i -X POST -H "Authorization: Bearer $TOKEN" http://localhost:8100/api/articles    # 201; 403 for a reader
//
// A second wallet that joins the first one's subject (POST /api/v1/auth/wallets; testutil.JoinWallet shows the two requests)
// has its role, since the user table goes by the subject.
//
// With DIRECTORY__BLOCKED=ADDRESS its sign-in is refused, with whichever wallet.
package main

import (
	"context"
	"flag"
	"fmt"
	"net/http"
	"slices"

	"github.com/knadh/koanf/v2"
	"github.com/labstack/echo/v4"
	"go.uber.org/fx"

	"github.com/picoauth/picoauth/app"
	"github.com/picoauth/picoauth/app/config"
	"github.com/picoauth/picoauth/clientauth"
	"github.com/picoauth/picoauth/serverauth"
)

func main() {
	config := flag.String("config", "", "YAML configuration `file` (default: application.yaml, if it is there)")
	flag.Parse()
	app.New(app.ConfigFlag(*config), options()).Run()
}

func options() fx.Option {
	return fx.Options(
		serverauth.Module,
		clientauth.Module,
		app.RegisterSettings("directory", Directory{}),
		fx.Provide(NewDirectory),
		// At the root, and returning the interface: anywhere else fx would ignore it.
		fx.Decorate(func(d *Directory) serverauth.ClaimsProvider { return d }),
		fx.Invoke(register),
	)
}

// Directory is the user table: the section directory of the configuration.
type Directory struct {
	// Editors and Blocked are subjects: wallet addresses in their canonical form, of the wallet that signed in first where
	// several were joined.
	Editors []string `koanf:"editors"`
	Blocked []string `koanf:"blocked"`
}

// NewDirectory reads the section.
func NewDirectory(k *koanf.Koanf) (*Directory, error) {
	directory, err := config.Section(k, "directory", Directory{})
	return &directory, err
}

// Claims implements serverauth.ClaimsProvider. It is asked at each sign-in and at each refresh, so a change of the table
// reaches a live session with its next refresh, and a blocked subject loses its session then.
func (d *Directory) Claims(_ context.Context, subject serverauth.Subject) (serverauth.Claims, error) {
	switch {
	case slices.Contains(d.Blocked, subject.ID):
		return serverauth.Claims{}, fmt.Errorf("blocked: %w", serverauth.ErrSubjectRefused)
	case slices.Contains(d.Editors, subject.ID):
		return serverauth.Claims{
			Role: "editor", Groups: []string{"staff"}, Scope: "articles:read articles:write", Extra: map[string]any{"plan": "pro"},
		}, nil
	case subject.Kind == serverauth.KindWallet:
		return serverauth.Claims{Role: "reader", Scope: "articles:read"}, nil
	default:
		return serverauth.Claims{}, nil
	}
}

func register(e *echo.Echo) {
	e.GET("/api/articles", func(c echo.Context) error {
		return c.JSON(http.StatusOK, []string{"first"})
	}, clientauth.RequireRole("reader", "editor"))
	e.POST("/api/articles", func(c echo.Context) error {
		return c.NoContent(http.StatusCreated)
	}, clientauth.RequireRole("editor"))
}
