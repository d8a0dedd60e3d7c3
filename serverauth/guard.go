package serverauth

import (
	"errors"
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
	validator     *clientauth.TokenValidator
	operatorRoles []string
	fleetSecret   string
	limiter       *rateLimiter
}

// operator returns the caller if its token has one of operator_roles.
func (g *guard) operator(c echo.Context) (*clientauth.SecurityContext, error) {
	return g.bearer(c, g.operatorRoles)
}

// reader lets a service, an operator or a holder of the fleet secret pass.
func (g *guard) reader(c echo.Context) error {
	if c.Request().Header.Get(fleetSecretHeader) != "" {
		if retryAfter, ok := g.limiter.allow(app.ClientIP(c), fleetSecretHeader); !ok {
			return tooManyRequests(retryAfter)
		}
		if !hasFleetSecret(c.Request(), g.fleetSecret) {
			return errFleetSecret
		}
		return nil
	}
	_, err := g.bearer(c, append(slices.Clone(g.operatorRoles), serviceRole))
	return err
}

func (g *guard) bearer(c echo.Context, roles []string) (*clientauth.SecurityContext, error) {
	scheme, token, _ := strings.Cut(c.Request().Header.Get(echo.HeaderAuthorization), " ")
	if !strings.EqualFold(scheme, "Bearer") {
		return nil, unauthorized("authentication_required", "authentication required", `Bearer realm="picoauth"`)
	}
	caller, err := g.validator.Validate(c.Request().Context(), strings.TrimSpace(token))
	switch {
	case errors.Is(err, clientauth.ErrInvalidToken):
		return nil, unauthorized("invalid_token", "invalid token", `Bearer realm="picoauth", error="invalid_token"`)
	case err != nil:
		return nil, err
	case !caller.HasRole(roles...):
		return nil, app.NewProblem(http.StatusForbidden, "insufficient_role", "the role of the token does not permit this")
	default:
		return caller, nil
	}
}

func unauthorized(code, detail, challenge string) *app.Problem {
	p := app.NewProblem(http.StatusUnauthorized, code, detail)
	p.Header = http.Header{echo.HeaderWWWAuthenticate: {challenge}}
	return p
}
