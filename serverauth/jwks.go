package serverauth

import (
	"strings"

	"github.com/labstack/echo/v4"

	"github.com/picoauth/picoauth/serverauth/keys"
)

// jwksEndpoint publishes the keys that verify access tokens.
type jwksEndpoint struct {
	ring *keys.Ring
}

// get is GET /jwks. The bytes, the ETag and the max-age are the ring's, prepared when its keys last changed.
func (j *jwksEndpoint) get(c echo.Context) error {
	var types []string
	if c.Request().URL.RawQuery != "" {
		if filter := c.QueryParam("kty"); filter != "" {
			types = strings.Split(filter, ",")
		}
	}
	document, err := j.ring.JWKS(types...)
	if err != nil {
		return err
	}
	return writeETag(c, document.Body, document.ETag, document.CacheControl())
}
