package serverauth

import (
	"log/slog"
	"net/http"
	"slices"
	"strings"

	"github.com/labstack/echo/v4"

	"github.com/picoauth/picoauth/app"
	"github.com/picoauth/picoauth/clientauth"
)

// serviceRole is the role of a service that may read the denylist and introspect tokens.
const serviceRole = "service"

// guard lets operators and services in, by the issuer's own keys: it needs no validator in front of it.
type guard struct {
	authenticator *clientauth.Authenticator
	operatorRoles []string
	fleetSecret   string
	limiter       *rateLimiter
	metrics       *Instruments
	log           *slog.Logger
}

// operator returns the caller if its token has one of operator_roles.
func (g *guard) operator(c echo.Context) (*clientauth.SecurityContext, error) {
	return g.bearer(c, g.operatorRoles)
}

// reader lets a service, an operator or a holder of the fleet secret pass.
func (g *guard) reader(c echo.Context) error {
	if c.Request().Header.Get(fleetSecretHeader) != "" {
		return g.fleet(c)
	}
	_, err := g.bearer(c, append(slices.Clone(g.operatorRoles), serviceRole))
	return err
}

// fleet compares the fleet secret. Wrong ones empty the client's bucket of the endpoint, and with an empty bucket none is
// compared.
func (g *guard) fleet(c echo.Context) error {
	client, endpoint := app.ClientIP(c), strings.TrimPrefix(c.Path(), Prefix)
	if retryAfter, ok := g.limiter.peek(client, endpoint); !ok {
		return rateLimited(c, g.log, g.metrics, endpoint, retryAfter)
	}
	if !hasFleetSecret(c.Request(), g.fleetSecret) {
		g.limiter.allow(client, endpoint)
		g.metrics.refusedFleet(errFleetSecret)
		refusalEvent(c, g.log, eventFleetRefused, errFleetSecret, "endpoint", c.Path())
		return errFleetSecret
	}
	return nil
}

func (g *guard) bearer(c echo.Context, roles []string) (*clientauth.SecurityContext, error) {
	ctx, err := g.authenticator.Authenticate(c.Request())
	if err != nil {
		refusalEvent(c, g.log, eventAccessRefused, err, "endpoint", c.Path())
		return nil, err
	}
	caller, _ := clientauth.FromContext(ctx)
	if !caller.HasRole(roles...) {
		refusalEvent(c, g.log, eventAccessRefused, errInsufficientRole, "endpoint", c.Path(), "subject", caller.Subject)
		return nil, errInsufficientRole
	}
	return caller, nil
}

var errInsufficientRole = insufficientRole()

func insufficientRole() *app.Problem {
	p := app.NewProblem(http.StatusForbidden, "insufficient_role", "the role of the token does not permit this")
	p.Header = http.Header{echo.HeaderWWWAuthenticate: {`Bearer error="insufficient_scope"`}}
	return p
}
