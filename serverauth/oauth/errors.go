package oauth

import (
	"cmp"
	"errors"
	"maps"
	"net/http"
	"strings"

	"github.com/labstack/echo/v4"

	"github.com/picoauth/picoauth/app"
	"github.com/picoauth/picoauth/serverauth/oauth/client"
)

// Error is an OAuth error (RFC 6749, sections 4.1.2.1 and 5.2). Status is for a reply that is not a redirect; 0: 400.
type Error = client.Error

func errInvalidRequest(description string) *Error {
	return &Error{Code: "invalid_request", Description: description}
}

func errInvalidScope(description string) *Error {
	return &Error{Code: "invalid_scope", Description: description}
}

func errInvalidTarget(description string) *Error {
	return &Error{Code: "invalid_target", Description: description}
}

func errInvalidGrant(description string) *Error {
	return &Error{Code: "invalid_grant", Description: description}
}

func errUnauthorizedClient(description string) *Error {
	return &Error{Code: "unauthorized_client", Description: description}
}

type errorReply struct {
	Error       string `json:"error"`
	Description string `json:"error_description,omitempty"`
}

// writeError answers in the form of RFC 6749, section 5.2.
func writeError(c echo.Context, e *Error) error {
	maps.Copy(c.Response().Header(), e.Header)
	noStore(c)
	return app.WriteJSON(c.Response(), cmp.Or(e.Status, http.StatusBadRequest), errorReply{e.Code, e.Description})
}

func noStore(c echo.Context) {
	c.Response().Header().Set(echo.HeaderCacheControl, "no-store")
	c.Response().Header().Set("Pragma", "no-cache")
}

// isError finds an Error in err.
func isError(err error) (*Error, bool) {
	var own *Error
	return own, errors.As(err, &own)
}

// shorten limits a text of a request to 64 bytes for a reply or the log, and replaces what RFC 6749 does not allow in a
// description.
func shorten(text string) string {
	const most = 64
	text = strings.Map(func(r rune) rune {
		if r < ' ' || r > '~' || r == '"' || r == '\\' {
			return '?'
		}
		return r
	}, text[:min(len(text), most+1)])
	if len(text) > most {
		return text[:most] + "..."
	}
	return text
}
