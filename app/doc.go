// Package app is the base of an application of this project: configuration, logging, an HTTP server with basic middleware, and
// their lifecycle.
//
//	app.New(
//		app.ConfigFile("application.yaml"),
//		serverauth.Module,
//		fx.Invoke(registerRoutes),
//	).Run()
//
// New provides a *koanf.Koanf, an *echo.Echo and a *slog.Logger to the fx graph. The other packages of this project need nothing
// else of it, so an application that has fx and echo already does not need New.
//
// New also provides a *prometheus.Registry, which GET /metrics serves. If the graph has a prometheus.Registerer or an OpenTelemetry
// trace.TracerProvider, New uses those; see Telemetry.
//
// Package config reads the configuration; the functions ConfigFile, ConfigMap, ConfigDefaults and RegisterSettings add to it.
//
// If the application cannot start, for example because of an unknown key, an invalid value or a port in use, it prints one line
// on standard error and exits with code 1. All faults of a configuration are reported at once, each with its place. The port
// opens only after everything else has started.
package app
