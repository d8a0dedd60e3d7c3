package oauth

import (
	"github.com/labstack/echo/v4"

	"github.com/picoauth/picoauth/serverauth/oauth/client"
)

// registerClients adds the endpoints for operators to add, list and remove clients, and for dynamic registration.
func (s *Server) registerClients(e *echo.Echo) {
	admin := &client.Admin{Registry: s.clients, Log: s.log, Operator: s.core.Operator}
	s.get(e, "/clients", s.core.Handler(admin.List))
	s.post(e, "/clients", s.core.Handler(admin.Create))
	s.routes = append(s.routes, e.DELETE(Prefix+"/clients/:id", s.core.Handler(admin.Delete)))
	if s.settings.DynamicRegistration == client.RegistrationOff {
		return
	}
	registration := &client.Registration{Registry: s.clients, Token: s.settings.RegistrationToken, Realm: s.issuer, Log: s.log}
	s.post(e, "/register", s.core.Anonymous("/oauth/register", func(c echo.Context) error {
		if err := registration.Register(c); err != nil {
			return s.tokenError(c, "", err)
		}
		return nil
	}))
}
