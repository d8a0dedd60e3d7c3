package app

import (
	"cmp"
	"context"
	"log/slog"
	"net/http"
	"os"
	"slices"
	"time"

	"github.com/knadh/koanf/v2"
	"github.com/labstack/echo/v4"
	"github.com/prometheus/client_golang/prometheus"
	"go.opentelemetry.io/otel/trace"
	"go.uber.org/fx"
	"go.uber.org/fx/fxevent"

	"github.com/picoauth/picoauth/app/config"
)

// Options returns the fx options of New, for programs that call fx themselves, for example fx.ValidateApp(app.Options(…)) in a
// test.
//
// Use the options at the root of the application, not inside an fx.Module, where a decorator would not reach the other modules.
func Options(options ...fx.Option) fx.Option {
	events := &eventLogger{graph: graphEvents{provided: make(map[string][]provider)}}
	return fx.Options(
		fx.WithLogger(func() fxevent.Logger { return events }),
		RegisterSettings(SectionName, DefaultSettings()),
		fx.Provide(
			provideConfig, provideSettings, provideLogger, newRegistry, provideEcho, fx.Annotate(newHealth, fx.ParamTags(`group:"readiness"`, ``, `optional:"true"`)), newMetrics,
			providePublicRoutes, provideServer, events.modules,
		),
		fx.Module("app", fx.Invoke(events.checkGraph, awaitStreams)), // the invokes of a module run before those of the root
		fx.Invoke(events.use, logConfigWarnings),
		fx.Options(options...),
		// This is last, so that its hook starts after all others and stops before them.
		fx.Invoke(serve),
	)
}

type configParams struct {
	fx.In
	Steps []configStep `group:"app_config"`
}

func provideConfig(params configParams) (*koanf.Koanf, []config.Warning, error) {
	slices.SortFunc(params.Steps, func(a, b configStep) int { return cmp.Compare(a.order, b.order) })
	sources := config.Sources{Environ: os.Environ()}
	for _, step := range params.Steps {
		step.apply(&sources)
	}
	return config.Load(sources)
}

func provideSettings(k *koanf.Koanf) (Settings, error) {
	return config.Section(k, SectionName, DefaultSettings())
}

func logConfigWarnings(warnings []config.Warning, logger *slog.Logger) {
	for _, warning := range warnings {
		logger.Warn(warning.Message, "name", warning.Name, "source", warning.Source)
	}
}

// provideLogger returns a logger for standard output. Standard error is only for the line that explains why the program does not
// run.
func provideLogger(settings Settings) *slog.Logger { return NewLogger(settings, os.Stdout) }

// Telemetry has the registry for metrics and the tracer provider for spans. A module embeds it in its fx.In parameters. Values
// that the fx graph does not provide are nil.
type Telemetry struct {
	fx.In
	// Registerer is that of the application; it takes precedence over Registry.
	Registerer prometheus.Registerer `optional:"true"`
	// Registry is that of New, or of an application without a Registerer.
	Registry *prometheus.Registry `optional:"true"`
	// TracerProvider is for the spans of requests and those of StartSpan; nil: the global one.
	TracerProvider trace.TracerProvider `optional:"true"`
}

// Metrics returns where to register metrics, or nil if the graph has neither a Registerer nor a Registry.
func (t Telemetry) Metrics() prometheus.Registerer {
	if t.Registerer == nil && t.Registry != nil {
		return t.Registry
	}
	return t.Registerer
}

// gatherer returns the source of /metrics: the application's registry, if its Registerer is one, or else that of New.
func (t Telemetry) gatherer() prometheus.Gatherer {
	if registry, ok := t.Registerer.(prometheus.Gatherer); ok {
		return registry
	}
	return t.Registry
}

// provideEcho returns the echo, and a watch that sees all of its routes.
func provideEcho(settings Settings, logger *slog.Logger, telemetry Telemetry) (*echo.Echo, *RouteWatch, error) {
	instruments, err := newInstruments(telemetry.Metrics(), telemetry.TracerProvider)
	if err != nil {
		return nil, nil, err
	}
	e, err := newEcho(settings, logger, instruments)
	if err != nil {
		return nil, nil, err
	}
	return e, WatchRoutes(e), nil
}

func providePublicRoutes(settings Settings, e *echo.Echo, probes *health, m metrics) PublicRoutes {
	routes := append(probes.register(e), registerVersion(e)...)
	if settings.AdminPort == 0 {
		routes = append(routes, e.GET(metricsPath, echo.WrapHandler(m)))
	}
	return routes
}

func provideServer(settings Settings, e *echo.Echo, logger *slog.Logger) *Server {
	return newServer(settings, http.Handler(e), logger)
}

type serveParams struct {
	fx.In
	Settings   Settings
	Echo       *echo.Echo
	Routes     *RouteWatch
	Public     PublicRoutes
	Health     *health
	Server     *Server
	Metrics    metrics
	Logger     *slog.Logger
	Lifecycle  fx.Lifecycle
	Shutdowner fx.Shutdowner
	Modules    modules
	Facts      []StartFacts `group:"picoauth.start"`
}

// serve opens the port after everything else has started, and drains the server before anything else stops.
func serve(p serveParams) {
	if p.Settings.AdminPort != 0 {
		admin := newAdminServer(p.Settings, p.Metrics, p.Logger)
		p.Lifecycle.Append(fx.Hook{
			OnStart: func(ctx context.Context) error { return p.run(ctx, admin, "listening for metrics") },
			OnStop:  admin.shutdown,
		})
	}
	p.Lifecycle.Append(fx.Hook{OnStart: p.start, OnStop: p.stop})
}

// awaitStreams adds the first hook, which therefore stops last. Other stop hooks run before it, and can end streams that are still
// running.
func awaitStreams(lifecycle fx.Lifecycle, server *Server) {
	lifecycle.Append(fx.StopHook(server.shutdown))
}

func (p serveParams) start(ctx context.Context) error {
	if err := p.Routes.Err(); err != nil {
		return err
	}
	p.Server.warnOfLimit()
	p.warnOfOpenRoutes()
	return p.run(ctx, p.Server, "listening", p.record()...)
}

func (p serveParams) run(ctx context.Context, server *Server, message string, facts ...any) error {
	if err := server.listen(ctx); err != nil {
		return err
	}
	p.Logger.Info(message, append([]any{"address", server.Addr().String()}, facts...)...)
	go func() {
		if err := server.serve(); err != nil {
			p.Logger.Error("server failed", "error", err)
			_ = p.Shutdowner.Shutdown(fx.ExitCode(1)) // fails only if the application is shutting down already
		}
	}()
	return nil
}

func (p serveParams) stop(ctx context.Context) error {
	p.Health.startShutdown()
	p.Logger.Info("shutting down")
	select {
	case <-time.After(seconds(p.Settings.ShutdownDelaySeconds)):
	case <-ctx.Done():
	}
	return p.Server.drain(ctx)
}
