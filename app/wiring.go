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
)

// Options returns all that New gives to fx, for those who call fx themselves:
// fx.ValidateApp(app.Options(…)) in a test, for one.
//
// The options stay at the root of the application, never inside an fx.Module:
// there a decorator would not reach the other modules.
func Options(options ...fx.Option) fx.Option {
	events := new(eventLogger)
	return fx.Options(
		fx.WithLogger(func() fxevent.Logger { return events }),
		RegisterSection(SectionName),
		fx.Provide(
			provideConfig, LoadSettings, provideLogger, newRegistry, provideEcho, provideHealth, provideMetrics,
			providePublicRoutes, provideServer, provideAdminServer,
		),
		fx.Invoke(events.use),
		fx.Options(options...),
		// Last, so that its hook starts after all others and stops before them.
		fx.Invoke(serve),
	)
}

type configParams struct {
	fx.In
	Steps []configStep `group:"app_config"`
}

func provideConfig(params configParams) (*koanf.Koanf, error) {
	slices.SortFunc(params.Steps, func(a, b configStep) int { return cmp.Compare(a.order, b.order) })
	sources := ConfigSources{Environ: os.Environ()}
	for _, step := range params.Steps {
		step.apply(&sources)
	}
	return LoadConfig(sources)
}

// provideLogger writes to standard output: standard error is for the one line
// that says why the program does not run.
func provideLogger(settings Settings) *slog.Logger { return NewLogger(settings, os.Stdout) }

// Telemetry is where metrics and spans go. A module takes it as a field of its fx.In parameters; what the graph has not
// is left out.
type Telemetry struct {
	fx.In
	// Registerer is the host's own; it wins over Registry.
	Registerer prometheus.Registerer `optional:"true"`
	// Registry is that of New, or of a host without a Registerer.
	Registry *prometheus.Registry `optional:"true"`
	// TracerProvider makes the spans of requests, and so those that StartSpan puts below them; without it the global
	// one does.
	TracerProvider trace.TracerProvider `optional:"true"`
}

// Metrics returns where to register metrics, or nil if they are not wanted.
func (t Telemetry) Metrics() prometheus.Registerer {
	if t.Registerer == nil && t.Registry != nil {
		return t.Registry
	}
	return t.Registerer
}

// gatherer returns what /metrics shows: the host's registry, if its Registerer is one, or else that of New.
func (t Telemetry) gatherer() prometheus.Gatherer {
	if registry, ok := t.Registerer.(prometheus.Gatherer); ok {
		return registry
	}
	return t.Registry
}

// provideEcho watches the routes from the first on.
func provideEcho(settings Settings, logger *slog.Logger, telemetry Telemetry) (*echo.Echo, *RouteWatch, error) {
	instruments, err := NewInstruments(telemetry.Metrics(), telemetry.TracerProvider)
	if err != nil {
		return nil, nil, err
	}
	e, err := NewEcho(settings, logger, instruments)
	if err != nil {
		return nil, nil, err
	}
	return e, WatchRoutes(e), nil
}

type healthParams struct {
	fx.In
	Checks []ReadinessCheck `group:"readiness"`
	Logger *slog.Logger
	Clock  Clock `optional:"true"`
}

func provideHealth(params healthParams) *Health {
	return NewHealth(params.Checks, params.Logger, params.Clock)
}

// metrics answers GET /metrics.
type metrics http.Handler

func provideMetrics(telemetry Telemetry, logger *slog.Logger) metrics {
	return metricsHandler(telemetry.gatherer(), logger)
}

func providePublicRoutes(settings Settings, e *echo.Echo, health *Health, m metrics) PublicRoutes {
	routes := health.Register(e)
	if settings.AdminPort == 0 {
		routes = append(routes, e.GET(metricsPath, echo.WrapHandler(m)))
	}
	return routes
}

func provideServer(settings Settings, e *echo.Echo, logger *slog.Logger) *Server {
	return NewServer(settings, http.Handler(e), logger)
}

// adminServer has a nil Server where there is none.
type adminServer struct{ *Server }

func provideAdminServer(settings Settings, m metrics, logger *slog.Logger) adminServer {
	if settings.AdminPort == 0 {
		return adminServer{}
	}
	routes := http.NewServeMux()
	routes.Handle("GET "+metricsPath, m)
	return adminServer{NewAdminServer(settings, routes, logger)}
}

type serveParams struct {
	fx.In
	Settings   Settings
	Echo       *echo.Echo
	Routes     *RouteWatch
	Public     PublicRoutes
	Health     *Health
	Server     *Server
	Admin      adminServer
	Logger     *slog.Logger
	Lifecycle  fx.Lifecycle
	Shutdowner fx.Shutdowner
}

func serve(p serveParams) {
	if admin := p.Admin.Server; admin != nil {
		p.Lifecycle.Append(fx.Hook{
			OnStart: func(ctx context.Context) error { return p.run(ctx, admin, "listening for scrapes") },
			OnStop:  admin.Shutdown,
		})
	}
	p.Lifecycle.Append(fx.Hook{OnStart: p.start, OnStop: p.stop})
}

func (p serveParams) start(ctx context.Context) error {
	if err := p.Routes.Err(); err != nil {
		return err
	}
	return p.run(ctx, p.Server, "listening")
}

func (p serveParams) run(ctx context.Context, server *Server, message string) error {
	if err := server.Listen(ctx); err != nil {
		return err
	}
	p.Logger.Info(message, "address", server.Addr().String())
	go func() {
		if err := server.Serve(); err != nil {
			p.Logger.Error("server failed", "error", err)
			_ = p.Shutdowner.Shutdown(fx.ExitCode(1)) // fails only if it shuts down already
		}
	}()
	return nil
}

func (p serveParams) stop(ctx context.Context) error {
	p.Health.StartShutdown()
	p.Logger.Info("shutting down")
	select {
	case <-time.After(p.Settings.ShutdownDelay()):
	case <-ctx.Done():
	}
	return p.Server.Shutdown(ctx)
}
