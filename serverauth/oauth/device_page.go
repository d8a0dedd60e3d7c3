package oauth

import (
	"errors"
	"net/http"

	"github.com/labstack/echo/v4"

	"github.com/picoauth/picoauth/serverauth/oauth/client"
	"github.com/picoauth/picoauth/serverauth/web"
)

// devicePage is GET /device: the page where the person enters the code, or finds it filled in.
func (s *Server) devicePage(c echo.Context) error {
	if c.QueryParam("done") != "" {
		return s.showDeviceDone(c)
	}
	code, _ := readUserCode(c.QueryParam("user_code"))
	return s.askUserCode(c, http.StatusOK, code, "")
}

func (s *Server) askUserCode(c echo.Context, status int, code, alert string) error {
	data := struct{ Base, Code, CSRF string }{s.path, code, s.forms.Token(c)}
	frame := web.Frame{Title: "Sign in a device", Narrow: true, Data: data}
	if alert != "" {
		frame.Notice = &web.Notice{Text: alert, Bad: true}
	}
	return s.pages["device"].Render(c, status, frame)
}

// deviceEntered is POST /device: the page of the request. The person must sign in again, so that nobody can be tricked into
// allowing another person's device with a single click.
func (s *Server) deviceEntered(c echo.Context) error {
	form, err := readForm(c)
	if err != nil {
		return s.askUserCode(c, http.StatusBadRequest, "", "The form cannot be read.")
	}
	if !s.isOwnForm(c, form) {
		return s.askUserCode(c, http.StatusForbidden, "", "Another site sent this form. Enter the code here.")
	}
	r, err := s.deviceConsent(c, form.Get("user_code"))
	var page *errPage
	switch {
	case errors.As(err, &page):
		s.refused(c, r, "invalid_user_code", page.title)
		return s.askUserCode(c, http.StatusBadRequest, "", page.text)
	case err != nil:
		return s.refuse(c, nil, err)
	}
	return s.showRequest(c, http.StatusOK, r, &browser{}, "")
}

var errUserCode = &errPage{"The code is wrong", "This code is wrong, has expired or was used already. Check the code on your device."}

// deviceConsent returns the request of a user code that the person is asked to allow.
func (s *Server) deviceConsent(c echo.Context, text string) (*request, error) {
	code, ok := readUserCode(text)
	if !ok {
		return nil, errUserCode
	}
	ctx := c.Request().Context()
	asked, err := s.deviceOf(ctx, code)
	if err != nil {
		return nil, err
	}
	known, err := s.clients.Find(ctx, asked.ClientID)
	switch {
	case errors.Is(err, client.ErrUnknown):
		return nil, errUserCode
	case err != nil:
		return nil, err
	}
	r := &request{
		ClientID: known.ID, Scope: asked.Scope, Resources: asked.Resources, Device: asked.ID, Mode: modeQuery, Prompt: []string{promptLogin}, MaxAge: -1,
		IssuedAt: s.now().Unix(), Random: randomID(), client: known,
	}
	if !r.isDeviceRequest(known) {
		return nil, errUserCode
	}
	return r, s.keep(r)
}

func (s *Server) showDeviceDone(c echo.Context) error {
	return s.showMessage(c, http.StatusOK, "Done", "Your device continues by itself in a few seconds. You can close this page.")
}

// allowDevice stores for the device that the person allowed the request.
func (s *Server) allowDevice(c echo.Context, r *request, b *browser) error {
	allowed := s.codeOf(r, b, r.id)
	if err := s.answerDevice(c.Request().Context(), r, &allowed); err != nil {
		return err
	}
	if err := s.remember(c, b); err != nil {
		return err
	}
	s.logConsent(c, r, b, r.id)
	return nil
}

// refuseDevice tells the device that the person did not allow it, or shows the person another error.
func (s *Server) refuseDevice(c echo.Context, r *request, err error) error {
	own, isOwn := isError(err)
	if isOwn && own.Code == "access_denied" {
		s.refused(c, r, own.Code, own.Description)
		if err = s.answerDevice(c.Request().Context(), r, nil); err == nil {
			return s.showMessage(c, http.StatusOK, "Cancelled", "Your device will be told that you did not allow the sign-in. You can close this page.")
		}
	}
	var page *errPage
	if errors.As(err, &page) {
		return s.showError(c, http.StatusBadRequest, page)
	}
	s.failed(c, err)
	return s.showUnavailable(c)
}
