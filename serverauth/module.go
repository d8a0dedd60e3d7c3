package serverauth

import (
	"context"
	"errors"
	"fmt"
	"log/slog"

	"github.com/knadh/koanf/v2"
	"github.com/labstack/echo/v4"
	"go.uber.org/fx"

	"github.com/picoauth/picoauth/app"
	"github.com/picoauth/picoauth/clientauth"
	"github.com/picoauth/picoauth/serverauth/keys"
)

// Module is the auth server as an fx module. It needs *koanf.Koanf, *echo.Echo and *slog.Logger in the graph,
// reads the section server_auth and registers the routes below Prefix. To replace a part, put an fx.Decorate of its
// interface (ChallengeStore, ClaimsProvider, …) at the root of the app: inside another fx.Module, or returning a
// concrete type, fx ignores it.
var Module fx.Option = fx.Module("serverauth",
	app.RegisterSection(SettingsSection),
	fx.Provide(
		provideSettings,
		provideRing,
		(*storage).challenges,
		(*storage).sessions,
		(*storage).revocations,
		(*storage).mints,
		fx.Annotate(storageReadiness, fx.ResultTags(`group:"readiness"`)),
		fx.Annotate(keyReadiness, fx.ResultTags(`group:"readiness"`)),
		NewDefaultClaimsProvider,
		provideVerifier,
		provideAudit,
		provideIssuer,
		provideDenylist,
		provideRevoker,
		provideSessions,
		provideLocalIssuer,
		provideController,
	),
	fx.Provide(provideStorage, provideInstruments, fx.Private),
	fx.Invoke(register),
)

// AsBackend adds a kind of storage to those that storage_url can name. The constructor returns a Backend.
func AsBackend(constructor any) fx.Option {
	return fx.Provide(fx.Annotate(constructor, fx.As(new(Backend)), fx.ResultTags(`group:"picoauth.backends"`)))
}

// AsWalletScheme adds a wallet algorithm of the app's own to the verifier. The constructor returns a WalletScheme.
func AsWalletScheme(constructor any) fx.Option {
	return fx.Provide(fx.Annotate(constructor, fx.As(new(WalletScheme)), fx.ResultTags(`group:"picoauth.wallet_schemes"`)))
}

type clockParam struct {
	fx.In
	Clock app.Clock `optional:"true"`
}

func provideSettings(k *koanf.Koanf) (ServerAuthSettings, error) {
	return app.Section(k, SettingsSection, DefaultServerAuthSettings())
}

func provideInstruments(telemetry app.Telemetry) (*Instruments, error) {
	return NewInstruments(telemetry.Metrics())
}

type storageParams struct {
	fx.In
	Lifecycle   fx.Lifecycle
	Settings    ServerAuthSettings
	Backends    []Backend `group:"picoauth.backends"`
	Instruments *Instruments
	Log         *slog.Logger
	Clock       app.Clock `optional:"true"`
}

// provideStorage closes the storage after everything that uses it has stopped.
func provideStorage(p storageParams) (*storage, error) {
	s, err := newStorage(p.Settings, p.Backends, p.Clock, p.Log)
	if err != nil {
		return nil, err
	}
	s.metrics = p.Instruments
	p.Lifecycle.Append(fx.StopHook(s.close))
	return s, nil
}

func storageReadiness(s *storage) app.ReadinessCheck {
	return app.ReadinessCheck{Name: "storage", Check: s.ready}
}

func keyReadiness(ring *keys.Ring) app.ReadinessCheck {
	return app.ReadinessCheck{Name: "keys", Check: ring.Ready}
}

func provideRing(settings ServerAuthSettings, s *storage, p clockParam, log *slog.Logger) (*keys.Ring, error) {
	ctx := context.Background()
	store, err := s.keys(ctx)
	if err != nil {
		return nil, err
	}
	return openRing(ctx, settings, store, p.Clock, log)
}

type schemesParam struct {
	fx.In
	Schemes []WalletScheme `group:"picoauth.wallet_schemes"`
}

func provideVerifier(settings ServerAuthSettings, p schemesParam) (*WalletVerifier, error) {
	return NewWalletVerifier(settings, p.Schemes...)
}

func provideAudit(settings ServerAuthSettings, store MintStore, ring *keys.Ring, p clockParam, log *slog.Logger) (*AuditRecorder, error) {
	key, err := ring.Secret(context.Background(), auditSecret)
	if err != nil {
		return nil, err
	}
	return NewAuditRecorder(AuditConfig{Store: store, Key: key, MinTTL: settings.MintAuditMinTTL(), Clock: p.Clock, Log: log})
}

func provideIssuer(settings ServerAuthSettings, ring *keys.Ring, audit *AuditRecorder, metrics *Instruments, p clockParam) *TokenIssuer {
	issuer := NewTokenIssuer(settings, ring, audit, p.Clock)
	issuer.metrics = metrics
	return issuer
}

func provideDenylist(store RevocationStore, p clockParam, log *slog.Logger) *Denylist {
	return NewDenylist(store, log, p.Clock)
}

func provideRevoker(settings ServerAuthSettings, sessions SessionStore, denylist *Denylist, audit *AuditRecorder, p clockParam) *Revoker {
	return NewRevoker(settings, sessions, denylist, audit, p.Clock)
}

type sessionParams struct {
	fx.In
	Settings ServerAuthSettings
	Store    SessionStore
	Issuer   *TokenIssuer
	Provider ClaimsProvider
	Revoker  *Revoker
	Denylist *Denylist
	Ring     *keys.Ring
	Clock    app.Clock `optional:"true"`
}

func provideSessions(p sessionParams) (*SessionService, error) {
	key, err := p.Ring.Secret(context.Background(), refreshSecret)
	if err != nil {
		return nil, err
	}
	return NewSessionService(SessionDeps{
		Settings: p.Settings, Store: p.Store, Issuer: p.Issuer, Provider: p.Provider, Revoker: p.Revoker, Denylist: p.Denylist,
		RefreshKey: key, Clock: p.Clock,
	}), nil
}

// provideLocalIssuer is how a validator in the same app comes to the keys and the denylist: in process, never by HTTP.
func provideLocalIssuer(settings ServerAuthSettings, ring *keys.Ring, denylist *Denylist) *clientauth.LocalIssuer {
	return &clientauth.LocalIssuer{TrustedIssuer: clientauth.TrustedIssuer{
		Issuer: settings.Issuer, Audience: settings.Audience, Algorithms: keys.Algorithms(), Keys: ring, Denylist: denylist,
	}}
}

type controllerParams struct {
	fx.In
	Settings    ServerAuthSettings
	Challenges  ChallengeStore
	Verifier    *WalletVerifier
	Issuer      *TokenIssuer
	Sessions    *SessionService
	Revoker     *Revoker
	Revocations RevocationStore
	Audit       *AuditRecorder
	Local       *clientauth.LocalIssuer
	Instruments *Instruments
	Log         *slog.Logger
	Clock       app.Clock `optional:"true"`
}

func provideController(p controllerParams) (*AuthController, error) {
	return NewAuthController(ControllerDeps{
		Settings: p.Settings, Challenges: p.Challenges, Verifier: p.Verifier, Issuer: p.Issuer, Sessions: p.Sessions,
		Revoker: p.Revoker, Revocations: p.Revocations, Audit: p.Audit, Local: p.Local, Instruments: p.Instruments, Log: p.Log, Clock: p.Clock,
	})
}

type registerParams struct {
	fx.In
	Lifecycle   fx.Lifecycle
	Echo        *echo.Echo
	Controller  *AuthController
	Policy      *clientauth.Policy `optional:"true"`
	Ring        *keys.Ring
	Denylist    *Denylist
	Audit       *AuditRecorder
	Settings    ServerAuthSettings
	Challenges  ChallengeStore
	Sessions    SessionStore
	Revocations RevocationStore
	Storage     *storage
	Telemetry   app.Telemetry
	Log         *slog.Logger
	Clock       app.Clock `optional:"true"`
}

// register adds the routes, marks them anonymous for a validator in front of them, and runs what runs beside the
// requests. The audit is started first, so that it ends last and seals what the others still record.
func register(p registerParams) error {
	if metrics := p.Telemetry.Metrics(); metrics != nil {
		state := stateCollector{denylist: p.Denylist, ring: p.Ring, audit: p.Audit, now: clockOr(p.Clock)}
		if err := metrics.Register(state); err != nil {
			return fmt.Errorf("serverauth: register metrics: %w", err)
		}
	}
	routes := app.WatchRoutes(p.Echo)
	p.Lifecycle.Append(fx.StartHook(routes.Err))
	p.Controller.Register(p.Echo)
	if p.Policy != nil {
		for _, route := range p.Controller.Routes() {
			p.Policy.AllowAnonymous(route)
		}
	}
	p.Lifecycle.Append(fx.StartHook(p.Denylist.Sync))
	janitor := &janitor{
		challenges: p.Challenges, sessions: p.Sessions, revocations: p.Revocations, accessTTL: p.Settings.AccessTokenTTL(),
		now: clockOr(p.Clock), log: p.Log,
	}
	p.Denylist.watch = p.Storage.watch()
	for _, run := range []func(context.Context){p.Audit.Run, p.Ring.Run, p.Denylist.Run, janitor.run} {
		background(p.Lifecycle, run)
	}
	return nil
}

// background runs a loop from the start of the app to its stop, which waits for it.
func background(lc fx.Lifecycle, run func(context.Context)) {
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan struct{})
	lc.Append(fx.Hook{
		OnStart: func(context.Context) error {
			go func() { defer close(done); run(ctx) }()
			return nil
		},
		OnStop: func(stop context.Context) error {
			cancel()
			select {
			case <-done:
				return nil
			case <-stop.Done():
				return errors.New("serverauth: a background task did not end in time")
			}
		},
	})
}
