// Package app is the ground that an application of this project stands on:
// configuration, logs, an HTTP server with its base middleware, and their
// lifecycle.
//
//	app.New(
//		app.ConfigFile("application.yaml"),
//		serverauth.Module,
//		fx.Invoke(registerRoutes),
//	).Run()
//
// New supplies *koanf.Koanf, *echo.Echo and *slog.Logger to the fx graph, and
// that is all the other packages of this project ask of it: whoever has an fx
// application and an echo of their own needs no New.
//
// New also supplies a *prometheus.Registry, which /metrics shows, and takes what
// the graph has of a prometheus.Registerer and a trace.TracerProvider of
// OpenTelemetry; see Telemetry.
//
// Whatever is wrong, be it a key that nobody knows, a value out of range or a
// busy port, is one line on standard error and exit code 1, and the port opens
// only when everything else has started.
package app
