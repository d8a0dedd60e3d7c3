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

// requestContext is a request's context with its id, which stands in a list as
// the reply's header wants it.
type requestContext struct {
	context.Context
	id [1]string
}

// Value implements context.Context.
func (c *requestContext) Value(key any) any {
	if _, asked := key.(requestIDKey); asked {
		return c
	}
	return c.Context.Value(key)
}

// RequestID returns the id of the request that ctx belongs to, or "".
func RequestID(ctx context.Context) string {
	if request, ok := ctx.Value(requestIDKey{}).(*requestContext); ok {
		return request.id[0]
	}
	return ""
}

// setRequestID gives a request an id, in its context and in the reply's
// X-Request-ID. A client's own id is kept if it is short and plain.
func setRequestID(c echo.Context) {
	r := c.Request()
	id := r.Header.Get(echo.HeaderXRequestID)
	if !isPlainID(id) {
		id = rand.Text()
	}
	ctx := &requestContext{Context: r.Context(), id: [1]string{id}}
	c.SetRequest(r.WithContext(ctx))
	c.Response().Header()[echo.HeaderXRequestID] = ctx.id[:]
}

func isPlainID(id string) bool {
	const allowed = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_."
	return id != "" && len(id) <= longestRequestID && strings.Trim(id, allowed) == ""
}
