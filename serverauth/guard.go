package serverauth

import (
	"errors"
	"log/slog"
	"net/http"
	"slices"
	"strings"

	"github.com/labstack/echo/v4"

	"github.com/picoauth/picoauth/app"
	"github.com/picoauth/picoauth/clientauth"
	"github.com/picoauth/picoauth/serverauth/internal/events"
)

// serviceRole is the role of a service that may read the denylist and introspect tokens.
const serviceRole = "service"

// guard authorizes requests by access tokens, which it validates with the issuer's own keys, by the fleet secret, or as an OAuth
// client. It needs no clientauth in front of it.
type guard struct {
	authenticator *clientauth.Authenticator
	operatorRoles []string
	fleetSecret   string
	clients       ClientReaders // nil: none
	limits        *limits
	metrics       *Instruments
	log           *slog.Logger
}

// operator returns the caller if its token has one of operator_roles.
func (g *guard) operator(c echo.Context) (*clientauth.SecurityContext, error) {
	return g.bearer(c, g.operatorRoles)
}

// ReadRight is the right of an OAuth client to read data of the server that does not belong to a user.
type ReadRight uint8

const (
	// ReadDenylist is the right to read the denylist.
	ReadDenylist ReadRight = iota
	// ReadTokens is the right to introspect access tokens (RFC 7662).
	ReadTokens
)

// ClientReaders authenticates the OAuth clients that may read what services may read. Module oauth provides it.
type ClientReaders interface {
	// Authenticate authenticates the client of a request by HTTP Basic, and reports whether it has the right. address is the
	// client's network address, for limits. The error is the *app.Problem to reply with, or another error if the answer is
	// unknown at present.
	Authenticate(r *http.Request, address string, right ReadRight) (bool, error)
}

// reader lets a service, an operator, a holder of the fleet secret, or an OAuth client with the right pass.
func (g *guard) reader(c echo.Context, right ReadRight) error {
	if scheme, _, _ := strings.Cut(c.Request().Header.Get(echo.HeaderAuthorization), " "); g.clients != nil && strings.EqualFold(scheme, "Basic") {
		return g.client(c, right)
	}
	if c.Request().Header.Get(fleetSecretHeader) != "" {
		return g.fleet(c)
	}
	_, err := g.bearer(c, append(slices.Clone(g.operatorRoles), serviceRole))
	return err
}

func (g *guard) client(c echo.Context, right ReadRight) error {
	may, err := g.clients.Authenticate(c.Request(), app.ClientIP(c), right)
	if err == nil && !may {
		err = errClientMayNot
	}
	if problem := (*app.Problem)(nil); errors.As(err, &problem) {
		refusalEvent(c, g.log, events.AccessRefused, err, "endpoint", c.Path())
	}
	return err
}

var errClientMayNot = app.NewProblem(http.StatusForbidden, "insufficient_role", "the client may not read this")

// fleet checks the fleet secret. Requests with a wrong secret are rate limited by client address. A request with the right secret
// passes, even if that limit is used up.
func (g *guard) fleet(c echo.Context) error {
	if hasFleetSecret(c.Request(), g.fleetSecret) {
		return nil
	}
	endpoint := strings.TrimPrefix(c.Path(), Prefix)
	return g.limits.within(c, clientKey(c, endpoint), func() error {
		refusal := errFleetSecret
		if g.fleetSecret == "" && endpoint == fleetSessions {
			refusal = errFleetDisabled
		}
		g.metrics.refusedFleet(refusal)
		refusalEvent(c, g.log, events.FleetRefused, refusal, "endpoint", c.Path())
		return refusal
	})
}

func (g *guard) bearer(c echo.Context, roles []string) (*clientauth.SecurityContext, error) {
	caller, err := g.authenticate(c)
	if err != nil {
		return nil, err
	}
	if !caller.HasRole(roles...) {
		return nil, g.refuseRole(c, caller)
	}
	return caller, nil
}

func (g *guard) authenticate(c echo.Context) (*clientauth.SecurityContext, error) {
	ctx, err := g.authenticator.Authenticate(c.Request())
	if err != nil {
		refusalEvent(c, g.log, events.AccessRefused, err, "endpoint", c.Path())
		return nil, err
	}
	caller, _ := clientauth.FromContext(ctx)
	if caller.Actor != nil { // an agent that acts for somebody (RFC 8693) has none of these rights
		return nil, g.refuseRole(c, caller)
	}
	return caller, nil
}

func (g *guard) refuseRole(c echo.Context, caller *clientauth.SecurityContext) error {
	refusalEvent(c, g.log, events.AccessRefused, errInsufficientRole, "endpoint", c.Path(), "subject", caller.Subject)
	if _, isBound := caller.Claims["cnf"]; isBound {
		return errInsufficientRoleBound
	}
	return errInsufficientRole
}

var errInsufficientRole, errInsufficientRoleBound = insufficientRole("Bearer"), insufficientRole("DPoP")

func insufficientRole(scheme string) *app.Problem {
	p := app.NewProblem(http.StatusForbidden, "insufficient_role", "the role of the token does not permit this")
	p.Header = http.Header{echo.HeaderWWWAuthenticate: {scheme + ` error="insufficient_scope"`}}
	return p
}
