package clientauth

import (
	"context"
	"log/slog"

	"github.com/knadh/koanf/v2"
	"github.com/labstack/echo/v4"
	"go.uber.org/fx"

	"github.com/picoauth/picoauth/app"
	"github.com/picoauth/picoauth/app/config"
)

// Module protects every route of an app with fx and echo. It needs a *koanf.Koanf, an *echo.Echo and a *slog.Logger in the graph,
// reads the section auth_client, and provides a *[Policy], a [RoleResolver] and a *[TokenValidator]. If serverauth.Module is in
// the same app, its issuer is trusted by default, and its keys and denylist are read in process. The start fails if the section
// is enabled and has no issuer or audience. /readyz of package app is 503 until the keys of every remote issuer were fetched
// once. The metrics ([Instruments]) are registered as [app.Telemetry] says.
//
// To replace the RoleResolver, add an fx.Decorate at the root of the app. fx ignores a decorator inside another fx.Module, and one
// that returns a concrete type.
var Module fx.Option = fx.Module("clientauth",
	app.RegisterSettings(SettingsSection, DefaultSettings()),
	fx.Provide(
		newPolicy,
		func() RoleResolver { return ClaimRoles{} },
		provideValidator,
		fx.Annotate(provideReadiness, fx.ResultTags(`group:"readiness,flatten"`)),
	),
	fx.Provide(provideSettings, provideInstruments, newIssuers, newRedisProofs, fx.Private),
	fx.Invoke(install),
)

func provideSettings(k *koanf.Koanf) (Settings, error) {
	return config.Section(k, SettingsSection, DefaultSettings())
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

// provideReadiness makes /readyz fail until the keys are there, while a denylist is too old, and while the Redis of used proofs
// fails. An issuer in the same app has readiness checks of its own.
func provideReadiness(settings Settings, issuers *issuers, used *redisProofs) (checks []app.ReadinessCheck) {
	if settings.Enabled && len(issuers.keys) > 0 {
		checks = append(checks, app.ReadinessCheck{Name: "keys", Check: issuers.keys.ready})
	}
	if settings.Enabled && len(issuers.denylists) > 0 {
		checks = append(checks, app.ReadinessCheck{Name: "denylist", Check: issuers.denylists.ready})
	}
	if settings.Enabled && used != nil {
		checks = append(checks, app.ReadinessCheck{Name: "dpop", Check: used.ready})
	}
	return checks
}

type validatorParams struct {
	fx.In
	Settings    Settings
	Issuers     *issuers
	Roles       RoleResolver
	Instruments *Instruments
	Clock       app.Clock `optional:"true"`
}

func provideValidator(p validatorParams) (*TokenValidator, error) {
	if len(p.Issuers.Trusted) == 0 {
		return new(TokenValidator), nil // the section is not enabled
	}
	return NewTokenValidator(ValidatorConfig{Issuers: p.Issuers.Trusted, Leeway: p.Settings.Leeway(),
		CacheSize: p.Settings.TokenCacheSize, RequireTyp: p.Settings.RequireTyp, Roles: p.Roles, Observer: p.Instruments, Clock: p.Clock})
}

type installParams struct {
	fx.In
	Lifecycle fx.Lifecycle
	Settings  Settings
	Issuers   *issuers
	Used      *redisProofs
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
	resource := p.Settings.resource(p.Issuers.Trusted)
	authenticator, err := NewAuthenticator(AuthenticatorConfig{Validator: p.Validator, Policy: p.Policy,
		Realm: p.Issuers.Trusted[0].Audience, DPoP: p.Settings.dpop(p.Echo, p.Used), Resource: resource, Logger: p.Log})
	if err != nil {
		return err
	}
	if resource != nil {
		for _, path := range resource.Paths() {
			p.Policy.AllowAnonymous(p.Echo.GET(path, echo.WrapHandler(authenticator.MetadataHandler())))
		}
	}
	p.Echo.Use(authenticator.Echo())
	if p.Used != nil {
		p.Lifecycle.Append(fx.StopHook(p.Used.close))
	}
	p.Lifecycle.Append(fx.Hook{OnStart: func(context.Context) error { p.Issuers.warm(); return nil }})
	return nil
}
