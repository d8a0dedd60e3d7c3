package serverauth

import (
	"log/slog"

	"github.com/labstack/echo/v4"

	"github.com/picoauth/picoauth/app"
	"github.com/picoauth/picoauth/clientauth"
	"github.com/picoauth/picoauth/serverauth/apidocs"
)

// Prefix is the path that the issuer's own endpoints begin with.
const Prefix = "/api/v1/auth"

// AuthController has the issuer's routes and nothing else: each flow is in the file of its name.
type AuthController struct {
	limiter   *rateLimiter
	metrics   *Instruments
	challenge *walletChallenge
	wallet    *walletLogin
	password  *passwordLogin
	refresh   *refreshFlow
	logout    *logoutFlow
	fleet     *fleetFlow
	jwks      *jwksEndpoint
	revoke    *revokeFlow
	revoked   *revokedList
	mints     *mintsFlow
	keys      *keyAdmin
	tokens    *introspection
	discovery *discovery
	openAPI   *openAPIDocument
	docs      *apidocs.Page
	log       *slog.Logger
	routes    []*echo.Route
}

// ControllerDeps is what an AuthController is made of. Instruments and Clock may be nil.
type ControllerDeps struct {
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
	Clock       app.Clock
}

// NewAuthController returns the controller. Its routes exist once it is registered.
func NewAuthController(d ControllerDeps) (*AuthController, error) {
	now := clockOr(d.Clock)
	password, err := newPasswordLogin(d.Settings, d.Sessions, now, d.Log)
	if err != nil {
		return nil, err
	}
	password.metrics = d.Instruments
	messages, err := newMessages(d.Settings, now)
	if err != nil {
		return nil, err
	}
	validator, err := clientauth.NewTokenValidator(clientauth.ValidatorConfig{
		Issuers: []clientauth.TrustedIssuer{d.Local.TrustedIssuer}, Leeway: d.Settings.ClockSkew(), Clock: d.Clock,
	})
	if err != nil {
		return nil, err
	}
	authenticator, err := clientauth.NewAuthenticator(clientauth.AuthenticatorConfig{
		Validator: validator, Realm: d.Settings.Audience, Logger: d.Log,
	})
	if err != nil {
		return nil, err
	}
	document, err := newOpenAPIDocument(d.Settings.Issuer)
	if err != nil {
		return nil, err
	}
	docs, err := apidocs.New()
	if err != nil {
		return nil, err
	}
	limiter := newRateLimiter(d.Settings.RateLimitPerMinute, now)
	guard := &guard{
		authenticator: authenticator, operatorRoles: d.Settings.OperatorRoles, fleetSecret: d.Settings.FleetMintSecret,
		limiter: limiter, metrics: d.Instruments, log: d.Log,
	}
	ring := d.Issuer.ring
	return &AuthController{
		limiter: limiter,
		metrics: d.Instruments,
		challenge: &walletChallenge{
			ttl: d.Settings.ChallengeTTL(), messageTTL: d.Settings.MessageTTL(), store: d.Challenges, verifier: d.Verifier,
			messages: messages, now: now,
		},
		wallet: &walletLogin{
			store: d.Challenges, verifier: d.Verifier, messages: messages, requireMessage: d.Settings.RequireMessage,
			sessions: d.Sessions, now: now, metrics: d.Instruments, log: d.Log,
		},
		password:  password,
		refresh:   &refreshFlow{sessions: d.Sessions, now: now, metrics: d.Instruments, log: d.Log},
		logout:    &logoutFlow{sessions: d.Sessions, log: d.Log},
		fleet:     &fleetFlow{settings: d.Settings, sessions: d.Sessions, metrics: d.Instruments, log: d.Log},
		jwks:      &jwksEndpoint{ring: ring},
		revoke:    &revokeFlow{guard: guard, revoker: d.Revoker, log: d.Log},
		revoked:   &revokedList{guard: guard, store: d.Revocations},
		mints:     &mintsFlow{guard: guard, audit: d.Audit, denylist: d.Local.Denylist},
		keys:      &keyAdmin{guard: guard, ring: ring, revoker: d.Revoker, log: d.Log},
		tokens:    &introspection{guard: guard, validator: validator},
		discovery: &discovery{settings: d.Settings, ring: ring, wallets: d.Settings.SupportedWalletAlgorithms},
		openAPI:   document,
		docs:      docs,
		log:       d.Log,
	}, nil
}

// Register adds the routes to e. HEAD is answered where GET is.
func (a *AuthController) Register(e *echo.Echo) {
	a.get(e, Prefix+"/jwks", a.jwks.get)
	a.anonymous(e, "/challenge", a.challenge.challenge)
	a.anonymous(e, "/sign-in", a.wallet.signIn)
	a.anonymous(e, "/login", a.password.login)
	a.anonymous(e, "/refresh", a.refresh.refresh)
	a.post(e, "/logout", a.logout.logout)
	a.anonymous(e, "/fleet/sessions", a.fleet.mint)

	a.post(e, "/revoke", a.revoke.revoke)
	a.get(e, Prefix+"/revoked-jtis", a.revoked.list)
	a.get(e, Prefix+"/mints", a.mints.list)
	a.post(e, "/introspect", a.tokens.introspect)
	a.get(e, Prefix+"/keys", a.keys.list)
	a.post(e, "/keys/rotate", a.keys.rotate)
	a.post(e, "/keys/:kid/compromised", a.keys.compromised)

	a.get(e, Prefix+"/openapi.json", a.openAPI.get)
	a.routes = append(a.routes, a.docs.Register(e, Prefix+"/docs")...)
	a.get(e, "/.well-known/openid-configuration", a.discovery.document)
	a.get(e, "/.well-known/oauth-authorization-server", a.discovery.document)
}

// Routes returns what Register added: routes that are anonymous to a validator in front of them, since those that
// need credentials check them on their own.
func (a *AuthController) Routes() []*echo.Route { return a.routes }

func (a *AuthController) get(e *echo.Echo, path string, flow func(echo.Context) error) {
	h := handler(a.log, flow)
	a.routes = append(a.routes, e.GET(path, h), e.HEAD(path, h))
}

func (a *AuthController) post(e *echo.Echo, path string, flow func(echo.Context) error) {
	a.routes = append(a.routes, e.POST(Prefix+path, handler(a.log, flow)))
}

// anonymous adds a POST endpoint that anybody may call, and therefore only so often.
func (a *AuthController) anonymous(e *echo.Echo, path string, flow func(echo.Context) error) {
	a.post(e, path, func(c echo.Context) error {
		if retryAfter, ok := a.limiter.allow(app.ClientIP(c), path); !ok {
			return rateLimited(c, a.log, a.metrics, path, retryAfter)
		}
		return flow(c)
	})
}
