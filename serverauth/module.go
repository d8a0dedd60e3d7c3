package serverauth

import (
	"context"
	"log/slog"
	"strconv"

	"github.com/knadh/koanf/v2"
	"github.com/labstack/echo/v4"
	"go.uber.org/fx"

	"github.com/picoauth/picoauth/app"
	"github.com/picoauth/picoauth/app/config"
	"github.com/picoauth/picoauth/clientauth"
	"github.com/picoauth/picoauth/serverauth/audit"
	"github.com/picoauth/picoauth/serverauth/claims"
	"github.com/picoauth/picoauth/serverauth/dpop"
	"github.com/picoauth/picoauth/serverauth/internal/contract"
	"github.com/picoauth/picoauth/serverauth/internal/cores"
	"github.com/picoauth/picoauth/serverauth/keys"
	"github.com/picoauth/picoauth/serverauth/links"
	"github.com/picoauth/picoauth/serverauth/revocation"
	"github.com/picoauth/picoauth/serverauth/session"
	"github.com/picoauth/picoauth/serverauth/store"
	"github.com/picoauth/picoauth/serverauth/token"
	"github.com/picoauth/picoauth/serverauth/wallet"
)

// Module is the authentication server as an fx module. It needs a *koanf.Koanf, an *echo.Echo and a *slog.Logger in the graph,
// reads the section server_auth and registers the routes under Prefix. To replace a part, add an fx.Decorate that returns its
// interface (ChallengeStore, ClaimsProvider, …) at the root of the app. fx ignores a decorator inside another fx.Module, and one
// that returns a concrete type.
var Module fx.Option = fx.Module("serverauth",
	app.RegisterSettings(SettingsSection, DefaultServerAuthSettings()),
	fx.Provide(
		provideSettings,
		provideRing,
		(*storage).challenges,
		(*storage).sessions,
		(*storage).revocations,
		(*storage).mints,
		(*storage).clients,
		(*storage).used,
		(*storage).links,
		fx.Annotate(readiness, fx.ResultTags(`group:"readiness,flatten"`)),
		fx.Annotate(startFacts, fx.ResultTags(`group:"picoauth.start"`)),
		claims.NewDefault,
		fx.Annotate(NewWalletVerifier, fx.ParamTags("", `group:"picoauth.wallet_schemes"`)),
		provideAudit,
		provideIssuer,
		provideDenylist,
		provideRevoker,
		provideSessions,
		provideRegistrar,
		provideLocalIssuer,
		provideProofs,
		newAuthController,
	),
	fx.Provide(ServerAuthSettings.parse, provideStorage, provideInstruments, provideRefreshKey, provideAuthenticSessions, provideContracts, provideBook, cores.New, fx.Private),
	fx.Invoke(register),
)

// AsBackend adds a storage backend, so that storage_url can use its URL schemes. The constructor returns a [store.Backend].
func AsBackend(constructor any) fx.Option {
	return fx.Provide(fx.Annotate(constructor, fx.As(new(store.Backend)), fx.ResultTags(`group:"picoauth.backends"`)))
}

// AsWalletScheme adds a wallet algorithm. The constructor returns a [WalletScheme].
func AsWalletScheme(constructor any) fx.Option {
	return fx.Provide(fx.Annotate(constructor, fx.As(new(WalletScheme)), fx.ResultTags(`group:"picoauth.wallet_schemes"`)))
}

type clockParam struct {
	fx.In
	Clock app.Clock `optional:"true"`
}

func provideSettings(k *koanf.Koanf) (ServerAuthSettings, error) {
	return config.Section(k, SettingsSection, DefaultServerAuthSettings())
}

func provideInstruments(telemetry app.Telemetry) (*Instruments, error) {
	return NewInstruments(telemetry.Metrics())
}

type storageParams struct {
	fx.In
	Lifecycle   fx.Lifecycle
	Settings    ServerAuthSettings
	Parsed      parsedSettings
	Backends    []store.Backend `group:"picoauth.backends"`
	Instruments *Instruments
	Log         *slog.Logger
	Clock       app.Clock `optional:"true"`
}

// provideStorage closes the storage after everything that uses it has stopped.
func provideStorage(p storageParams) (*storage, error) {
	s, err := newStorage(p.Settings, p.Parsed.encryptionKey, p.Backends, p.Instruments, p.Clock, p.Log)
	if err != nil {
		return nil, err
	}
	p.Lifecycle.Append(fx.StopHook(s.close))
	return s, nil
}

func readiness(s *storage, ring *keys.Ring, denylist *revocation.Denylist) []app.ReadinessCheck {
	return []app.ReadinessCheck{{Name: "storage", Check: s.ready}, {Name: "keys", Check: ring.Ready}, {Name: "denylist", Check: denylist.Ready}}
}

func provideRing(settings ServerAuthSettings, s *storage, p clockParam, log *slog.Logger) (*keys.Ring, error) {
	ctx := context.Background()
	store, err := s.keys(ctx)
	if err != nil {
		return nil, err
	}
	return openRing(ctx, settings, store, p.Clock, log)
}

func provideAudit(settings ServerAuthSettings, store audit.Store, ring *keys.Ring, p clockParam, log *slog.Logger) (*audit.Recorder, error) {
	key, err := ring.LiveSecret(context.Background(), auditSecret)
	if err != nil {
		return nil, err
	}
	return audit.NewRecorder(audit.Config{Store: store, Key: key, MinTTL: settings.MintAuditMinTTL(), Clock: p.Clock, Log: log})
}

func provideIssuer(s ServerAuthSettings, ring *keys.Ring, c cores.Cores, audit *audit.Recorder, metrics *Instruments, p clockParam) *TokenIssuer {
	return token.NewIssuer(token.Config{
		Issuer: s.Issuer, Audience: s.Audience, ClientID: s.ClientIDOrAudience(), Life: s.AccessTokenTTL(),
		Ring: ring, Cores: c, Recorder: audit, Issued: metrics.issued, Clock: p.Clock,
	})
}

// provideDenylist takes the store as a parameter so that the storage is open before its Watch is used.
func provideDenylist(store store.RevocationStore, s *storage, p clockParam, log *slog.Logger) *revocation.Denylist {
	return revocation.NewDenylist(revocation.DenylistConfig{Store: store, Watch: s.watch(), Log: log, Clock: p.Clock})
}

// refreshKey returns the secret of refresh tokens. Sessions and links derive keys of their own from it.
type refreshKey func() []byte

func provideRefreshKey(ring *keys.Ring) (refreshKey, error) {
	return ring.LiveSecret(context.Background(), refreshSecret)
}

func provideAuthenticSessions(store store.SessionStore, key refreshKey, log *slog.Logger) *session.Store {
	return session.NewStore(store, key, log)
}

func provideBook(store store.LinkStore, key refreshKey, log *slog.Logger) *links.Book {
	return links.NewBook(store, key, log)
}

func provideRegistrar(s ServerAuthSettings, book *links.Book, sessions *session.Store, revoker *revocation.Revoker, p clockParam) *links.Registrar {
	return links.NewRegistrar(links.RegistrarConfig{Book: book, Sessions: sessions, Revoker: revoker, Skew: s.ClockSkew(), Clock: p.Clock})
}

func provideRevoker(
	s ServerAuthSettings, sessions *session.Store, denylist *revocation.Denylist, audit *audit.Recorder, book *links.Book, p clockParam,
) *revocation.Revoker {
	return revocation.NewRevoker(revocation.Config{
		Sessions: sessions, Denylist: denylist, Mints: audit, AccessTTL: s.AccessTokenTTL(), LongestTTL: s.LongestTokenTTL(),
		AuditTTL: s.MintAuditMinTTL(), Skew: s.ClockSkew(), AdminEmail: s.AdminEmail, Related: book.Related, Clock: p.Clock,
	})
}

// provideContracts returns nil if no chain is configured. If an endpoint is of another chain than configured, the server does not
// start.
func provideContracts(s ServerAuthSettings, parsed parsedSettings, lc fx.Lifecycle, metrics *Instruments, p clockParam, log *slog.Logger) *contract.Wallets {
	if len(parsed.endpoints) == 0 {
		return nil
	}
	wallets := contract.New(contract.Config{
		Endpoints: parsed.endpoints, CallsPerMinute: s.EthereumCallsPerMinute, Count: metrics.askedChain, Clock: p.Clock, Log: log,
	})
	lc.Append(fx.StartHook(wallets.Check))
	policy := newMessagePolicy(s, parsed)
	for _, endpoint := range parsed.endpoints {
		chain := wallet.ChainID{Namespace: wallet.NamespaceEthereum, Reference: strconv.FormatUint(endpoint.Chain, 10)}
		metrics.expectChain(chain.String())
		if !policy.AllowsChain(chain) {
			log.Warn("server_auth.ethereum_rpc_urls has an endpoint for a chain that server_auth.allowed_chains does not allow: messages for that chain are refused", "chain", chain.String())
		}
	}
	return wallets
}

type sessionParams struct {
	fx.In
	Settings ServerAuthSettings
	Store    *session.Store
	Issuer   *TokenIssuer
	Provider ClaimsProvider
	Revoker  *revocation.Revoker
	Denylist *revocation.Denylist
	Links    *links.Book
	Key      refreshKey
	Verifier *WalletVerifier
	Wallets  *contract.Wallets
	Log      *slog.Logger
	Clock    app.Clock `optional:"true"`
}

func provideSessions(p sessionParams) (*session.Service, error) {
	s := p.Settings
	provider, err := claims.NewSources(claims.Config{
		Section: SettingsSection, Subjects: s.Subjects, File: s.SubjectsFile, URL: s.ClaimsURL, Secret: s.ClaimsSecret,
		Known: p.Verifier.mayHaveAddress, Log: p.Log,
	}, p.Provider)
	if err != nil {
		return nil, err
	}
	return session.NewService(session.Config{
		Issuer: s.Issuer, Store: p.Store, Tokens: p.Issuer, Claims: provider, Revoker: p.Revoker, Denylist: p.Denylist, Links: p.Links, Secret: p.Key,
		Max: s.SessionMax(), Idle: s.RefreshTokenTTL(), Grace: s.RefreshGrace(), AccessTTL: s.AccessTokenTTL(), Skew: s.ClockSkew(),
		Contracts: recheckContract(p.Wallets), Recheck: s.ContractWalletRecheck(),
		Admin: session.Admin{Enabled: s.AutoCreateAdmin, Email: s.AdminEmail, Password: s.AdminPassword, Role: s.AdminRole},
		Clock: p.Clock, Log: p.Log,
	}), nil
}

// provideLocalIssuer gives clientauth in the same app the keys and the denylist in process, without HTTP.
func provideLocalIssuer(settings ServerAuthSettings, ring *keys.Ring, denylist *revocation.Denylist) *clientauth.LocalIssuer {
	return &clientauth.LocalIssuer{TrustedIssuer: clientauth.TrustedIssuer{
		Issuer: settings.Issuer, Audience: settings.Audience, Algorithms: keys.Algorithms(), Keys: ring, Denylist: denylist,
	}}
}

func provideProofs(settings ServerAuthSettings, e *echo.Echo, used store.UsedStore, p clockParam) (*dpop.Proofs, error) {
	return dpop.New(dpop.Config{
		Issuer: settings.Issuer, Algorithms: settings.DPoPAlgorithms, Leeway: settings.ClockSkew(), Origin: clientauth.OriginOf(e),
		Used: used, Clock: p.Clock,
	})
}

// controllerParams is what an AuthController is made of. Contracts, Clients and Clock may be nil.
type controllerParams struct {
	fx.In
	Settings    ServerAuthSettings
	Parsed      parsedSettings
	Challenges  store.ChallengeStore
	Verifier    *WalletVerifier
	Ring        *keys.Ring
	Cores       cores.Cores
	Sessions    *session.Service
	Contracts   *contract.Wallets
	Registrar   *links.Registrar
	Links       *links.Book
	Revoker     *revocation.Revoker
	Revocations store.RevocationStore
	Audit       *audit.Recorder
	Local       *clientauth.LocalIssuer
	Metadata    []Metadata    `group:"picoauth.metadata"` // of modules, for the discovery documents
	Clients     ClientReaders `optional:"true"`
	Proofs      *dpop.Proofs
	Instruments *Instruments
	Log         *slog.Logger
	Clock       app.Clock `optional:"true"`
}
