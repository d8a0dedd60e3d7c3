package clientauth

import (
	"context"
	"log/slog"

	"github.com/knadh/koanf/v2"
	"github.com/labstack/echo/v4"
	"go.uber.org/fx"

	"github.com/picoauth/picoauth/app"
)

// Module protects every route of an fx app's echo. It needs *koanf.Koanf, *echo.Echo and *slog.Logger in the graph,
// reads the section auth_client, and provides *[Policy], [RoleResolver] and *[TokenValidator]. When serverauth.Module is
// in the same app, its issuer is trusted by default and its keys and denylist are read in process. The start fails when
// the section is enabled and names no issuer or audience. Its metrics ([Instruments]) go where [app.Telemetry] says.
//
// To replace the RoleResolver, put an fx.Decorate at the root of the app: inside another fx.Module, or when it returns a
// concrete type, fx ignores it.
var Module fx.Option = fx.Module("clientauth",
	app.RegisterSection(SettingsSection),
	fx.Provide(
		NewPolicy,
		func() RoleResolver { return ClaimRoles{} },
		provideValidator,
	),
	fx.Provide(provideSettings, provideInstruments, provideIssuers, fx.Private),
	fx.Invoke(install),
)

func provideSettings(k *koanf.Koanf) (Settings, error) {
	return app.Section(k, SettingsSection, DefaultSettings())
}

func provideInstruments(telemetry app.Telemetry) (*Instruments, error) {
	return NewInstruments(telemetry.Metrics())
}

type issuersParams struct {
	fx.In
	Settings    Settings
	Log         *slog.Logger
	Instruments *Instruments
	Local       *LocalIssuer `optional:"true"`
	Clock       app.Clock    `optional:"true"`
}

func provideIssuers(p issuersParams) (*Issuers, error) {
	return NewIssuers(IssuersConfig{Settings: p.Settings, Local: p.Local, Clock: p.Clock, Logger: p.Log, Instruments: p.Instruments})
}

type validatorParams struct {
	fx.In
	Settings    Settings
	Issuers     *Issuers
	Roles       RoleResolver
	Instruments *Instruments
	Clock       app.Clock `optional:"true"`
}

func provideValidator(p validatorParams) (*TokenValidator, error) {
	return newTokenValidator(ValidatorConfig{Issuers: p.Issuers.Trusted, Leeway: p.Settings.Leeway(),
		CacheSize: p.Settings.TokenCacheSize, RequireTyp: p.Settings.RequireTyp, Roles: p.Roles, Instruments: p.Instruments, Clock: p.Clock})
}

type installParams struct {
	fx.In
	Lifecycle fx.Lifecycle
	Settings  Settings
	Issuers   *Issuers
	Validator *TokenValidator
	Policy    *Policy
	Echo      *echo.Echo
	Log       *slog.Logger
	Public    app.PublicRoutes `optional:"true"`
}

func install(p installParams) error {
	if !p.Settings.Enabled {
		p.Log.Warn("auth_client.enabled is false: requests are not authenticated")
		return nil
	}
	for _, route := range p.Public {
		p.Policy.AllowAnonymous(route)
	}
	authenticator, err := NewAuthenticator(AuthenticatorConfig{Validator: p.Validator, Policy: p.Policy,
		Realm: p.Issuers.Trusted[0].Audience, Logger: p.Log})
	if err != nil {
		return err
	}
	p.Echo.Use(authenticator.Echo())
	p.Lifecycle.Append(fx.Hook{OnStart: func(context.Context) error { p.Issuers.Warm(); return nil }})
	return nil
}
