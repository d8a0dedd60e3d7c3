package app

import (
	"context"
	"crypto/rand"
	"strings"

	"github.com/labstack/echo/v4"
)

// longestRequestID is the maximum length, in bytes, of an id that a client may choose.
const longestRequestID = 64

type requestIDKey struct{}

// RequestID returns the id of the request to which ctx belongs, or "".
func RequestID(ctx context.Context) string {
	if request, ok := ctx.Value(requestIDKey{}).(*requestContext); ok {
		return request.id[0]
	}
	return ""
}

// setRequestID gives a request an id, in its context and in the header X-Request-ID of the reply. It keeps the client's id if
// that has at most longestRequestID bytes, all of them letters, digits, "-", "_" or ".".
func setRequestID(c echo.Context) *requestContext {
	r := c.Request()
	id := r.Header.Get(echo.HeaderXRequestID)
	if !isPlainID(id) {
		id = rand.Text()
	}
	ctx := &requestContext{Context: r.Context(), id: [1]string{id}}
	c.SetRequest(r.WithContext(ctx))
	c.Response().Header()[echo.HeaderXRequestID] = ctx.id[:]
	return ctx
}

func isPlainID(id string) bool {
	const allowed = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_."
	return id != "" && len(id) <= longestRequestID && strings.Trim(id, allowed) == ""
}
