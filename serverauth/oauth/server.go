package oauth

import (
	"context"
	"fmt"
	"log/slog"
	"net/http"
	"net/url"
	"strings"

	"github.com/labstack/echo/v4"

	"github.com/picoauth/picoauth/app"
	"github.com/picoauth/picoauth/app/loglimit"
	"github.com/picoauth/picoauth/clientauth"
	"github.com/picoauth/picoauth/serverauth"
	"github.com/picoauth/picoauth/serverauth/dpop"
	"github.com/picoauth/picoauth/serverauth/internal/mac"
	"github.com/picoauth/picoauth/serverauth/keys"
	"github.com/picoauth/picoauth/serverauth/oauth/client"
	"github.com/picoauth/picoauth/serverauth/oauth/workload"
	"github.com/picoauth/picoauth/serverauth/revocation"
	"github.com/picoauth/picoauth/serverauth/session"
	"github.com/picoauth/picoauth/serverauth/store"
	"github.com/picoauth/picoauth/serverauth/token"
	"github.com/picoauth/picoauth/serverauth/web"
)

// Prefix is the path that the endpoints of this package begin with.
const Prefix = serverauth.Prefix + "/oauth"

// Server has the endpoints of the authorization server.
type Server struct {
	settings  Settings
	auth      serverauth.ServerAuthSettings
	issuer    string
	audience  string // of access tokens without a resource
	base      string // of the endpoints, absolute
	path      string // of the endpoints, as browsers see it
	secure    bool   // the issuer is https
	pages     map[string]*web.Page
	forms     web.Forms
	catalogue *catalogue

	core       *serverauth.AuthController
	wallets    *serverauth.Consents
	clients    *client.Registry
	clientAuth *client.Authenticator
	workloads  *workload.Registry
	sessions   *session.Service
	tokens     *token.Issuer
	revoker    *revocation.Revoker
	challenges store.ChallengeStore
	used       store.UsedStore
	ring       *keys.Ring
	validator  *clientauth.TokenValidator
	bearer     *clientauth.Authenticator
	proofs     *dpop.Proofs

	requests, codes, cookies                   sealer
	deviceRequests, deviceCodes, deviceAnswers sealer
	sids                                       mac.Row
	failures                                   loglimit.Limit
	now                                        app.Clock
	log                                        *slog.Logger
	routes                                     []*echo.Route
}

// newServer returns a server. Register adds its routes.
func newServer(p serverParams) (*Server, error) {
	issuer, err := url.Parse(p.Auth.Issuer)
	if err != nil {
		return nil, fmt.Errorf("oauth: issuer: %w", err)
	}
	secret, err := p.Ring.LiveSecret(context.Background(), secretName) // for the MACs of what the server gives away and reads back
	if err != nil {
		return nil, err
	}
	secure := issuer.Scheme == "https"
	s := &Server{
		settings: p.Settings, auth: p.Auth, issuer: p.Auth.Issuer, audience: p.Local.TrustedIssuer.Audience, base: p.Auth.Issuer + Prefix,
		path: issuer.Path + Prefix, secure: secure, forms: web.Forms{Secure: secure}, catalogue: newCatalogue(p.Settings), core: p.Core,
		wallets: p.Core.Consents(), clients: p.Clients, clientAuth: p.ClientAuth, sessions: p.Sessions, tokens: p.Tokens, revoker: p.Revoker,
		challenges: p.Challenges, used: p.Used, ring: p.Ring, proofs: p.Proofs, now: app.ClockOr(p.Clock), log: p.Log,
		requests: newSealer(secret, "request", 3*maxRequest), codes: newSealer(secret, "code", maxCode),
		cookies: newSealer(secret, "cookie", maxCookie), deviceRequests: newSealer(secret, "device request", maxDeviceCode),
		deviceCodes: newSealer(secret, "device code", maxDeviceCode), deviceAnswers: newSealer(secret, "device answer", maxDeviceCode),
		sids: mac.NewRow(secret, "oauth sid"),
	}
	if s.workloads, err = workload.NewRegistry(workload.RegistryConfig{
		Workloads: p.Settings.Workloads, Key: SettingsSection + ".workloads", Own: s.issuer, ClockSkew: p.Auth.ClockSkew(), Used: p.Used, Clock: s.now, Log: p.Log,
	}); err != nil {
		return nil, err
	}
	if s.pages, err = newPages(issuer.Path + serverauth.Prefix); err != nil {
		return nil, err
	}
	trusted := p.Local.TrustedIssuer
	trusted.Audiences = append([]string{trusted.Audience}, p.Settings.known().Resources...)
	trusted.Audience = ""
	if s.validator, err = clientauth.NewTokenValidator(clientauth.ValidatorConfig{
		Issuers: []clientauth.TrustedIssuer{trusted}, Leeway: p.Auth.ClockSkew(), RequireTyp: true, Clock: p.Clock,
	}); err != nil {
		return nil, err
	}
	s.bearer, err = clientauth.NewAuthenticator(clientauth.AuthenticatorConfig{
		Validator: s.validator, Realm: s.issuer, DPoP: p.Proofs.Config(), Logger: p.Log,
	})
	return s, err
}

// Register adds the routes to e.
func (s *Server) Register(e *echo.Echo) {
	s.get(e, "/authorize", s.core.Handler(s.authorize))
	s.post(e, "/authorize", s.core.Handler(s.repost))
	s.post(e, "/authorize/challenge", s.core.Anonymous("/oauth/authorize/challenge", s.challenge))
	s.post(e, "/authorize/sign-in", s.core.Anonymous("/oauth/authorize/sign-in", s.signed))
	s.post(e, "/authorize/password", s.core.Anonymous("/login", s.signedByPassword))
	s.post(e, "/authorize/decide", s.core.Handler(s.decide))
	s.post(e, "/token", s.core.Handler(s.token))
	s.post(e, "/revoke", s.core.Handler(s.forClients(s.revoke)))
	s.post(e, "/introspect", s.core.Handler(s.forClients(s.introspect)))
	s.get(e, "/userinfo", s.core.Handler(s.userinfo))
	s.post(e, "/userinfo", s.core.Handler(s.userinfo))
	s.get(e, "/logout", s.core.Handler(s.logout))
	s.post(e, "/logout", s.core.Handler(s.logout))
	s.registerClients(e)
	s.registerDevice(e)
	s.routes = append(s.routes, registerScripts(e, Prefix)...)
}

func (s *Server) get(e *echo.Echo, path string, h echo.HandlerFunc) {
	s.routes = append(s.routes, e.GET(Prefix+path, h), e.HEAD(Prefix+path, h))
}

func (s *Server) post(e *echo.Echo, path string, h echo.HandlerFunc) {
	s.routes = append(s.routes, e.POST(Prefix+path, h))
}

// Routes returns the routes that Register added. A validator in front of them must let them pass as anonymous, because those that
// need credentials check them.
func (s *Server) Routes() []*echo.Route { return s.routes }

// authenticate returns the client of a request.
func (s *Server) authenticate(c echo.Context, form url.Values) (*client.Client, error) {
	return s.clientAuth.Authenticate(c.Request(), form, app.ClientIP(c))
}

// clientRequest is a request of an authenticated client.
type clientRequest struct {
	echo.Context
	form   url.Values
	client *client.Client
}

// forClients returns the handler of an endpoint for authenticated clients. The answer of a flow is sent as JSON; nil: no content.
func (s *Server) forClients(flow func(clientRequest) (answer any, err error)) echo.HandlerFunc {
	return func(c echo.Context) error {
		form, err := readForm(c)
		if err != nil {
			return s.tokenError(c, "", err)
		}
		known, err := s.authenticate(c, form)
		if err != nil {
			return s.tokenError(c, form.Get("client_id"), err)
		}
		answer, err := flow(clientRequest{c, form, known})
		if err != nil {
			return s.tokenError(c, known.ID, err)
		}
		noStore(c)
		if answer == nil {
			return c.NoContent(http.StatusOK)
		}
		return app.WriteJSON(c.Response(), http.StatusOK, answer)
	}
}

// appendQuery adds parameters to a URI that may already have some.
func appendQuery(uri string, values url.Values) string {
	separator := "?"
	if strings.Contains(uri, "?") {
		separator = "&"
	}
	return uri + separator + values.Encode()
}
