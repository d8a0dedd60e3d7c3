package serverauth

import (
	"errors"
	"fmt"
	"mime"
	"net/http"

	"github.com/labstack/echo/v4"

	"github.com/picoauth/picoauth/app"
	"github.com/picoauth/picoauth/clientauth"
	"github.com/picoauth/picoauth/serverauth/token"
)

// introspection tells other services whether a token is valid (RFC 7662).
type introspection struct {
	*parts
	validator *clientauth.TokenValidator
}

type introspectRequest struct {
	Token string `json:"token"`
}

// introspect is POST /introspect.
func (f *introspection) introspect(c echo.Context) error {
	if err := f.guard.reader(c, ReadTokens); err != nil {
		return err
	}
	asked, err := introspectedToken(c)
	if err != nil {
		return err
	}
	found, err := f.validator.Validate(c.Request().Context(), asked)
	if err != nil {
		if errors.Is(err, clientauth.ErrUnavailable) {
			return err
		}
		return reply(c, map[string]any{"active": false})
	}
	answer := map[string]any{"active": true, "token_type": tokenType(found)}
	for name, value := range found.Claims {
		if name != "active" && name != "token_type" {
			answer[name] = value
		}
	}
	return reply(c, answer)
}

// tokenType is DPoP for a token that is bound to a key (RFC 9449, section 6.2), else Bearer.
func tokenType(c *clientauth.SecurityContext) string {
	confirmation, _ := c.Claims["cnf"].(map[string]any)
	thumbprint, _ := confirmation["jkt"].(string)
	return token.TypeOf(thumbprint)
}

// introspectedToken reads the token from a form, as in RFC 7662, or from JSON.
func introspectedToken(c echo.Context) (string, error) {
	var request introspectRequest
	mediaType, _, _ := mime.ParseMediaType(c.Request().Header.Get(echo.HeaderContentType))
	if mediaType == echo.MIMEApplicationForm {
		c.Request().Body = http.MaxBytesReader(c.Response(), c.Request().Body, app.MaxJSONBody)
		if err := c.Request().ParseForm(); err != nil {
			return "", formProblem(err)
		}
		if len(c.Request().PostForm["token"]) > 1 {
			return "", app.NewProblem(http.StatusBadRequest, "duplicate_field", "field \"token\" is given twice")
		}
		request.Token = c.Request().PostForm.Get("token")
	} else if err := app.DecodeJSON(c.Response(), c.Request(), &request); err != nil {
		return "", err
	}
	if request.Token == "" {
		return "", app.NewProblem(http.StatusBadRequest, "token_required", "token required")
	}
	return request.Token, nil
}

func formProblem(err error) error {
	if _, tooLarge := errors.AsType[*http.MaxBytesError](err); tooLarge {
		return app.NewProblem(http.StatusRequestEntityTooLarge, "body_too_large", fmt.Sprintf("request body is larger than %d bytes", app.MaxJSONBody))
	}
	return app.NewProblem(http.StatusBadRequest, "invalid_form", "request body is not a form")
}
