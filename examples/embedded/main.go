// Embedded runs the auth server and an application that it protects in one process.
package main

import (
	"flag"
	"net/http"

	"github.com/labstack/echo/v4"
	"go.uber.org/fx"

	"github.com/picoauth/picoauth/app"
	"github.com/picoauth/picoauth/clientauth"
	"github.com/picoauth/picoauth/serverauth"
)

func main() {
	config := flag.String("config", "", "YAML configuration `file` (default: application.yaml, if it is there)")
	flag.Parse()
	app.New(
		app.ConfigFlag(*config),
		serverauth.Module, // /api/v1/auth/*
		clientauth.Module, // every other request needs a token
		fx.Provide(NewProfileController),
		fx.Invoke((*ProfileController).Register),
	).Run()
}

// ProfileController is the application.
type ProfileController struct {
	policy *clientauth.Policy
}

// NewProfileController returns the controller.
func NewProfileController(policy *clientauth.Policy) *ProfileController {
	return &ProfileController{policy: policy}
}

// Register adds the application's routes.
func (p *ProfileController) Register(e *echo.Echo) {
	e.GET("/api/profile", p.profile)
	e.GET("/api/admin/dashboard", p.dashboard, clientauth.RequireRole("admin"))
	p.policy.AllowAnonymous(e.GET("/health", p.health))
}

func (p *ProfileController) profile(c echo.Context) error {
	user, ok := clientauth.FromContext(c.Request().Context())
	if !ok {
		return echo.ErrUnauthorized
	}
	return c.JSON(http.StatusOK, map[string]string{"subject": user.Subject, "role": user.Role})
}

func (p *ProfileController) dashboard(c echo.Context) error {
	return c.JSON(http.StatusOK, map[string]string{"message": "welcome"})
}

func (p *ProfileController) health(c echo.Context) error {
	return c.JSON(http.StatusOK, map[string]string{"status": "ok"})
}
