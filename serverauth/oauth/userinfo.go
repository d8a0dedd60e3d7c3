package oauth

import (
	"net/http"

	"github.com/labstack/echo/v4"

	"github.com/picoauth/picoauth/app"
	"github.com/picoauth/picoauth/clientauth"
	"github.com/picoauth/picoauth/serverauth/claims"
	"github.com/picoauth/picoauth/serverauth/store"
)

var errNoOpenID = &app.Problem{
	Status: http.StatusForbidden, Code: "insufficient_scope", Detail: "the token has not the scope openid",
	Header: http.Header{echo.HeaderWWWAuthenticate: {`Bearer error="insufficient_scope", scope="openid"`}},
}

// userinfo is GET and POST /userinfo (OpenID Connect Core, section 5.3): the claims about the person that the token's scope
// includes.
func (s *Server) userinfo(c echo.Context) error {
	ctx, err := s.bearer.Authenticate(c.Request())
	if err != nil {
		return err
	}
	caller, _ := clientauth.FromContext(ctx)
	scope, _ := caller.Claims["scope"].(string)
	if !has(scope, scopeOpenID) {
		return errNoOpenID
	}
	name, _ := caller.Claims["name"].(string)
	subject := store.Subject{ID: caller.Subject, Account: caller.Account}
	if caller.WalletAddress != "" {
		subject.Kind = store.KindWallet
	}
	noStore(c)
	return app.WriteJSON(c.Response(), http.StatusOK, personOf(subject, claims.Claims{
		Name: name, Email: caller.Email, Groups: caller.Groups, Extra: caller.Claims,
	}, scope))
}
