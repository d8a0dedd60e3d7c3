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
		fx.Provide(provideConfig, LoadSettings, provideLogger, provideEcho, provideHealth, providePublicRoutes, provideServer),
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

// provideEcho watches the routes from the first on.
func provideEcho(settings Settings, logger *slog.Logger) (*echo.Echo, *RouteWatch, error) {
	e, err := NewEcho(settings, logger)
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

func providePublicRoutes(e *echo.Echo, health *Health) PublicRoutes { return health.Register(e) }

func provideServer(settings Settings, e *echo.Echo, logger *slog.Logger) *Server {
	return NewServer(settings, http.Handler(e), logger)
}

type serveParams struct {
	fx.In
	Settings   Settings
	Echo       *echo.Echo
	Routes     *RouteWatch
	Public     PublicRoutes
	Health     *Health
	Server     *Server
	Logger     *slog.Logger
	Lifecycle  fx.Lifecycle
	Shutdowner fx.Shutdowner
}

func serve(p serveParams) {
	p.Lifecycle.Append(fx.Hook{OnStart: p.start, OnStop: p.stop})
}

func (p serveParams) start(ctx context.Context) error {
	if err := p.Routes.Err(); err != nil {
		return err
	}
	if err := p.Server.Listen(ctx); err != nil {
		return err
	}
	p.Logger.Info("listening", "address", p.Server.Addr().String())
	go func() {
		if err := p.Server.Serve(); err != nil {
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
