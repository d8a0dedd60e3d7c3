package oauth

import (
	"net/http"

	"github.com/labstack/echo/v4"

	"github.com/picoauth/picoauth/serverauth/store"
)

// signedByPassword is POST /authorize/password: the administrator signs in, and allows the request.
func (s *Server) signedByPassword(c echo.Context) error {
	began := s.now()
	form, err := readForm(c)
	if err != nil {
		return s.refuse(c, nil, errRequestGone)
	}
	r, err := s.reopen(c.Request().Context(), form.Get("request"))
	if err != nil {
		return s.refuse(c, nil, err)
	}
	r.byForm = true
	if !s.isOwnForm(c, form) {
		return s.showRequest(c, http.StatusForbidden, r, &browser{}, "Another site sent this form. Sign in here.")
	}
	subject, err := s.core.CheckPassword(c, form.Get("email"), form.Get("password"))
	if err != nil {
		return s.showRefusal(c, r, err)
	}
	b, err := s.signIn(c, subject, store.WalletProof{}, r, began, nil)
	if err != nil {
		return s.showRefusal(c, r, err)
	}
	b.cookie.Consents = withConsent(b.cookie.Consents, r)
	return s.allow(c, r, b, r.id)
}
