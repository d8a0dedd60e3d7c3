package apidocs

import (
	"github.com/labstack/echo/v4"
	"go.uber.org/fx"

	"github.com/picoauth/picoauth/clientauth"
)

// Module adds the page to an app that has [serverauth.Module]. It needs *echo.Echo in the graph; where there is a
// [clientauth.Policy], the page is anonymous to it.
var Module fx.Option = fx.Module("apidocs", fx.Invoke(register))

type registerParams struct {
	fx.In
	Echo   *echo.Echo
	Policy *clientauth.Policy `optional:"true"`
}

func register(p registerParams) error {
	routes, err := Register(p.Echo)
	if err != nil || p.Policy == nil {
		return err
	}
	for _, route := range routes {
		p.Policy.AllowAnonymous(route)
	}
	return nil
}
