package oauth

import (
	"strings"

	"github.com/picoauth/picoauth/serverauth/session"
	"github.com/picoauth/picoauth/serverauth/token"
)

// exchangeRefresh is the grant refresh_token (RFC 6749, section 6). The refresh token rotates as in POST /refresh. A request may
// ask for less scope and fewer resources than were granted; the next refresh token has all of them again. What the client may not
// ask for any more is left out.
func (s *Server) exchangeRefresh(t *tokenRequest) (*granted, error) {
	text := t.form.Get("refresh_token")
	if text == "" {
		return nil, errInvalidRequest("refresh_token is missing")
	}
	var access session.Access
	begun, err := s.sessions.RefreshGranted(t.c.Request().Context(), text, t.began, t.proof.Key(), func(grant token.Grant) (session.Access, error) {
		if grant.ClientID != t.client.ID {
			return access, errInvalidGrant("the refresh token does not belong to this client")
		}
		scope, resources := s.catalogue.still(strings.Fields(grant.Scope), grant.Resources, t.client)
		if len(resources) == 0 && len(grant.Resources) > 0 { // without one the token would be for the server itself
			return access, errInvalidTarget("the client may not ask for the resource any more")
		}
		scope, ok := narrowed(splitScope(t.form.Get("scope")), scope)
		if !ok {
			return access, errInvalidScope("the scope is more than was granted")
		}
		if resources, ok = narrowed(nonEmpty(t.form["resource"]), resources); !ok {
			return access, errInvalidTarget("the resource is not one of those that were granted")
		}
		access = s.access(t.client, joined(scope), resources)
		return access, t.proof.Spend(t.c.Request().Context())
	})
	if err != nil {
		return nil, err
	}
	return s.reply(t.c.Request().Context(), begun, access, "")
}
