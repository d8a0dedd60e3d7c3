package app

import (
	"context"
	"crypto/rand"
	"strings"

	"github.com/labstack/echo/v4"
)

// longestRequestID bounds, in bytes, the id that a client may choose.
const longestRequestID = 64

type requestIDKey struct{}

// RequestID returns the id of the request that ctx belongs to, or "".
func RequestID(ctx context.Context) string {
	id, _ := ctx.Value(requestIDKey{}).(string)
	return id
}

// requestID gives each request an id, in its context and in the reply's
// X-Request-ID. A client's own id is kept if it is short and plain.
func requestID(next echo.HandlerFunc) echo.HandlerFunc {
	return func(c echo.Context) error {
		r := c.Request()
		id := r.Header.Get(echo.HeaderXRequestID)
		if !isPlainID(id) {
			id = rand.Text()
		}
		c.SetRequest(r.WithContext(context.WithValue(r.Context(), requestIDKey{}, id)))
		c.Response().Header().Set(echo.HeaderXRequestID, id)
		return next(c)
	}
}

func isPlainID(id string) bool {
	const allowed = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_."
	return id != "" && len(id) <= longestRequestID && strings.Trim(id, allowed) == ""
}
