package console

import (
	"fmt"
	"log/slog"

	"github.com/labstack/echo/v4"
	"github.com/prometheus/client_golang/prometheus"
	"go.uber.org/fx"

	"github.com/picoauth/picoauth/app"
	"github.com/picoauth/picoauth/clientauth"
	"github.com/picoauth/picoauth/serverauth"
)

// Module adds the account pages to an app with serverauth.Module, and the console if server_auth.console_enabled is true.
var Module fx.Option = fx.Module("console", fx.Invoke(register))

type params struct {
	fx.In
	Lifecycle fx.Lifecycle
	Settings  serverauth.ServerAuthSettings
	Echo      *echo.Echo
	Policy    *clientauth.Policy `optional:"true"`
	Telemetry app.Telemetry
	Log       *slog.Logger
	Clock     app.Clock `optional:"true"`
}

func register(p params) error {
	pages, err := newPages(p)
	if err != nil {
		return fmt.Errorf("console: %w", err)
	}
	for _, route := range pages.Register(p.Echo) {
		if p.Policy != nil {
			p.Policy.AllowAnonymous(route)
		}
	}
	if p.Settings.ConsoleEnabled {
		serverauth.Background(p.Lifecycle, pages.history.run)
	}
	return nil
}

// gatherer returns the source of the app's metrics, or nil if it is not known.
func gatherer(t app.Telemetry) prometheus.Gatherer {
	if own, ok := t.Registerer.(prometheus.Gatherer); ok {
		return own
	}
	if t.Registry != nil {
		return t.Registry
	}
	return nil
}
