package serverauth

import (
	"log/slog"

	"github.com/labstack/echo/v4"

	"github.com/picoauth/picoauth/app"
	"github.com/picoauth/picoauth/clientauth"
	"github.com/picoauth/picoauth/serverauth/dpop"
	"github.com/picoauth/picoauth/serverauth/internal/password"
	"github.com/picoauth/picoauth/serverauth/internal/ratelimit"
	"github.com/picoauth/picoauth/serverauth/session"
	"github.com/picoauth/picoauth/serverauth/web"
)

// Prefix is the path that the issuer's own endpoints begin with.
const Prefix = "/api/v1/auth"

// parts are what the flows have in common.
type parts struct {
	sessions  *session.Service
	proofs    *dpop.Proofs
	guard     *guard
	limits    *limits
	admission *admission
	now       app.Clock
	metrics   *Instruments
	log       *slog.Logger
}

// AuthController registers the routes of the server. Each flow is in the file with its name.
type AuthController struct {
	*parts
	challenge *walletChallenge
	wallet    *walletLogin
	password  *passwordLogin
	consents  *Consents
	refresh   *refreshFlow
	logout    *logoutFlow
	fleet     *fleetFlow
	revoke    *revokeFlow
	revoked   *revokedList
	mints     *mintsFlow
	sessions  *sessionsFlow
	wallets   *walletsFlow
	keys      *keyAdmin
	tokens    *introspection
	discovery *discovery
	openAPI   *openAPIDocument
	docs      *web.Docs
	routes    []*echo.Route
}

// newAuthController returns the controller. Its routes exist once it is registered.
func newAuthController(d controllerParams) (*AuthController, error) {
	now := app.ClockOr(d.Clock)
	d.Instruments.expect(d.Settings.SupportedWalletAlgorithms)
	messages := &messages{policy: newMessagePolicy(d.Settings, d.Parsed), statement: d.Settings.Statement, now: now}
	validator, err := clientauth.NewTokenValidator(clientauth.ValidatorConfig{
		Issuers: []clientauth.TrustedIssuer{d.Local.TrustedIssuer}, Leeway: d.Settings.ClockSkew(), Clock: d.Clock,
	})
	if err != nil {
		return nil, err
	}
	authenticator, err := clientauth.NewAuthenticator(clientauth.AuthenticatorConfig{
		Validator: validator, Realm: d.Settings.Audience, DPoP: d.Proofs.Config(), Logger: d.Log,
	})
	if err != nil {
		return nil, err
	}
	document, err := newOpenAPIDocument(d.Settings.Issuer)
	if err != nil {
		return nil, err
	}
	docs, err := web.NewDocs(document.body)
	if err != nil {
		return nil, err
	}
	limits := &limits{limiter: ratelimit.New(d.Settings.RateLimitPerMinute, now), metrics: d.Instruments, log: d.Log}
	parts := &parts{
		sessions: d.Sessions, proofs: d.Proofs, limits: limits, admission: newAdmission(d.Cores, d.Instruments), now: now, metrics: d.Instruments, log: d.Log,
		guard: &guard{
			authenticator: authenticator, operatorRoles: d.Settings.OperatorRoles, fleetSecret: d.Settings.FleetMintSecret,
			clients: d.Clients, limits: limits, metrics: d.Instruments, log: d.Log,
		},
	}
	challenge := &walletChallenge{
		ttl: d.Settings.ChallengeTTL(), messageTTL: d.Settings.MessageTTL(), store: d.Challenges, verifier: d.Verifier,
		messages: messages, now: now,
	}
	wallet := &walletLogin{
		parts: parts, store: d.Challenges, verifier: d.Verifier, messages: messages, requireMessage: d.Settings.RequireMessage,
		spendLate: d.Settings.ClaimsURL != "", contracts: d.Contracts,
	}
	wallets := newWalletsFlow(*wallet, d.Registrar)
	challenge.wallets = wallets
	return &AuthController{
		parts:     parts,
		challenge: challenge,
		wallet:    wallet,
		wallets:   wallets,
		consents:  newConsents(siteOf(d.Parsed.issuer), *challenge, *wallet),
		password:  &passwordLogin{parts: parts, email: d.Settings.AdminEmail, check: d.Parsed.admin, gate: password.NewGate()},
		refresh:   &refreshFlow{parts},
		logout:    &logoutFlow{parts},
		fleet:     &fleetFlow{parts: parts, settings: d.Settings, schemes: d.Verifier.own},
		revoke:    &revokeFlow{parts: parts, revoker: d.Revoker},
		revoked:   &revokedList{parts: parts, store: d.Revocations},
		mints:     &mintsFlow{parts: parts, adminEmail: d.Settings.AdminEmail, audit: d.Audit, denylist: d.Local.Denylist},
		sessions:  &sessionsFlow{parts: parts, links: d.Links, adminEmail: d.Settings.AdminEmail},
		keys:      &keyAdmin{parts: parts, ring: d.Ring, revoker: d.Revoker},
		tokens:    &introspection{parts: parts, validator: validator},
		discovery: &discovery{settings: d.Settings, path: d.Parsed.issuer.Path, ring: d.Ring, wallets: d.Settings.SupportedWalletAlgorithms, added: d.Metadata},
		openAPI:   document,
		docs:      docs,
	}, nil
}

// Register adds the routes to e. Every GET route also answers HEAD.
func (a *AuthController) Register(e *echo.Echo) {
	a.get(e, Prefix+"/jwks", a.discovery.jwks)
	a.anonymous(e, "/challenge", a.challenge.challenge)
	a.post(e, "/sign-in", a.admission.costly("/sign-in", a.limits.anonymous("/sign-in", a.wallet.signIn)))
	a.anonymous(e, "/login", a.password.login)
	a.post(e, "/refresh", a.admission.costly("/refresh", a.refresh.refresh))
	a.anonymous(e, "/logout", a.logout.logout)
	a.post(e, fleetSessions, a.admission.costly(fleetSessions, a.fleet.mint))

	a.post(e, "/revoke", a.revoke.revoke)
	a.get(e, Prefix+"/revoked-jtis", a.revoked.list)
	a.get(e, Prefix+"/mints", a.mints.list)
	a.get(e, Prefix+"/sessions", a.sessions.list)
	a.routes = append(a.routes, e.DELETE(Prefix+"/sessions/:sid", handler(a.log, a.sessions.end)))
	a.get(e, Prefix+"/wallets", a.wallets.list)
	a.post(e, "/wallets", a.admission.costly("/wallets", a.limits.anonymous("/wallets", a.wallets.join)))
	a.routes = append(a.routes, e.DELETE(Prefix+"/wallets/:wallet", handler(a.log, a.wallets.leave)))
	a.post(e, "/introspect", a.tokens.introspect)
	a.get(e, Prefix+"/keys", a.keys.list)
	a.post(e, "/keys/rotate", a.keys.rotate)
	a.post(e, "/keys/:kid/compromised", a.keys.compromised)

	a.get(e, Prefix+"/openapi.json", a.openAPI.get)
	a.routes = append(a.routes, a.docs.Register(e, Prefix+"/docs")...)
	a.routes = append(a.routes, web.RegisterClient(e, Prefix)...)
	for _, path := range a.discovery.paths() {
		a.get(e, path, a.discovery.document)
	}
}

// Routes returns the routes that Register added. Token validation in front of the server must let them pass without a token:
// routes that need credentials check them themselves.
func (a *AuthController) Routes() []*echo.Route { return a.routes }

func (a *AuthController) get(e *echo.Echo, path string, flow func(echo.Context) error) {
	h := handler(a.log, flow)
	a.routes = append(a.routes, e.GET(path, h), e.HEAD(path, h))
}

func (a *AuthController) post(e *echo.Echo, path string, flow func(echo.Context) error) {
	a.routes = append(a.routes, e.POST(Prefix+path, handler(a.log, flow)))
}

// anonymous adds a POST endpoint without authentication, which is rate limited.
func (a *AuthController) anonymous(e *echo.Echo, path string, flow func(echo.Context) error) {
	a.post(e, path, a.limits.anonymous(path, flow))
}
