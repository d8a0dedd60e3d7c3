package oauth

import (
	"bytes"
	"errors"
	"mime"
	"net/http"
	"net/url"

	"github.com/labstack/echo/v4"
)

// maxForm is the maximum size of a form in bytes.
const maxForm = 64 << 10

// formText reads a form's body, up to most bytes.
func formText(c echo.Context, most int64) (string, error) {
	kind, _, err := mime.ParseMediaType(c.Request().Header.Get(echo.HeaderContentType))
	if err != nil || kind != echo.MIMEApplicationForm {
		return "", errInvalidRequest("the body must be application/x-www-form-urlencoded")
	}
	body := bytes.NewBuffer(make([]byte, 0, min(max(c.Request().ContentLength, 0), most)+bytes.MinRead))
	_, err = body.ReadFrom(http.MaxBytesReader(c.Response(), c.Request().Body, most))
	var tooLarge *http.MaxBytesError
	switch {
	case errors.As(err, &tooLarge):
		return "", &Error{Code: "invalid_request", Description: "the body is too large", Status: http.StatusRequestEntityTooLarge}
	case err != nil:
		return "", errInvalidRequest("the body cannot be read")
	default:
		return body.String(), nil
	}
}

// readForm reads a form. Only the parameter resource may be repeated. Parameters of the URL are ignored.
func readForm(c echo.Context) (url.Values, error) {
	text, err := formText(c, maxForm)
	if err != nil {
		return nil, err
	}
	form, err := url.ParseQuery(text)
	if err != nil {
		return nil, errInvalidRequest("the body is not a valid form")
	}
	for name, values := range form {
		if len(values) > 1 && name != "resource" {
			return nil, errInvalidRequest("the parameter " + shorten(name) + " is there twice")
		}
	}
	return form, nil
}
