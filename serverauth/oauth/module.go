package oauth

import (
	"context"
	"log/slog"

	"github.com/knadh/koanf/v2"
	"github.com/labstack/echo/v4"
	"go.uber.org/fx"

	"github.com/picoauth/picoauth/app"
	"github.com/picoauth/picoauth/app/config"
	"github.com/picoauth/picoauth/clientauth"
	"github.com/picoauth/picoauth/serverauth"
	"github.com/picoauth/picoauth/serverauth/dpop"
	"github.com/picoauth/picoauth/serverauth/keys"
	"github.com/picoauth/picoauth/serverauth/oauth/client"
	"github.com/picoauth/picoauth/serverauth/revocation"
	"github.com/picoauth/picoauth/serverauth/session"
	"github.com/picoauth/picoauth/serverauth/store"
)

// Module is the authorization server as an fx module. It needs serverauth.Module beside it, and reads the section oauth.
var Module fx.Option = fx.Module("oauth",
	app.RegisterSettings(SettingsSection, DefaultSettings()),
	fx.Provide(
		provideSettings,
		fx.Annotate(metadata, fx.ResultTags(`group:"picoauth.metadata"`)),
		newServer,
		provideReaders,
	),
	fx.Provide(provideRegistry, provideClientAuth, fx.Private),
	fx.Invoke(register),
)

func provideSettings(k *koanf.Koanf) (Settings, error) {
	return config.Section(k, SettingsSection, DefaultSettings())
}

func provideRegistry(settings Settings, auth serverauth.ServerAuthSettings, clients store.ClientStore, ring *keys.Ring, log *slog.Logger, p clockParam) (*client.Registry, error) {
	secret, err := ring.LiveSecret(context.Background(), secretName)
	if err != nil {
		return nil, err
	}
	if err := settings.checkWith(SettingsSection+".", auth); err != nil {
		return nil, err
	}
	known := settings.known()
	known.Audience = auth.Audience
	return client.NewRegistry(client.RegistryConfig{
		Settings: settings.Settings, Known: known, Store: clients, Secret: secret, Clock: p.Clock, Log: log,
	})
}

func provideClientAuth(settings serverauth.ServerAuthSettings, registry *client.Registry, used store.UsedStore, p clockParam) *client.Authenticator {
	return client.NewAuthenticator(client.AuthenticatorConfig{
		Registry: registry, Audiences: []string{settings.Issuer, settings.Issuer + Prefix + "/token"}, Realm: settings.Issuer,
		RateLimitPerMinute: settings.RateLimitPerMinute, ClockSkew: settings.ClockSkew(), Used: used, Clock: p.Clock,
	})
}

func provideReaders(auth *client.Authenticator) serverauth.ClientReaders { return readers{auth} }

type clockParam struct {
	fx.In
	Clock app.Clock `optional:"true"`
}

// serverParams are what newServer needs.
type serverParams struct {
	fx.In
	Settings   Settings
	Auth       serverauth.ServerAuthSettings
	Core       *serverauth.AuthController
	Clients    *client.Registry
	ClientAuth *client.Authenticator
	Sessions   *session.Service
	Tokens     *serverauth.TokenIssuer
	Revoker    *revocation.Revoker
	Challenges store.ChallengeStore
	Used       store.UsedStore
	Ring       *keys.Ring
	Local      *clientauth.LocalIssuer
	Proofs     *dpop.Proofs
	Log        *slog.Logger
	Clock      app.Clock `optional:"true"`
}

type registerParams struct {
	fx.In
	Echo   *echo.Echo
	Server *Server
	Policy *clientauth.Policy `optional:"true"`

	Lifecycle fx.Lifecycle
	Clients   *client.Registry
	Used      store.UsedStore
}

// register adds the routes, marks them anonymous for a validator in front of them, and removes unused clients in the background.
func register(p registerParams) {
	serverauth.Background(p.Lifecycle, func(ctx context.Context) { p.Clients.Run(ctx, p.Used) })
	p.Server.Register(p.Echo)
	if p.Policy != nil {
		for _, route := range p.Server.Routes() {
			p.Policy.AllowAnonymous(route)
		}
	}
}
