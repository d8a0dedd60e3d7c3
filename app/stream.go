package app

import (
	"context"
	"strings"
	"sync"

	"github.com/labstack/echo/v4"
)

// requestContext is a request's context. It contains the request's id (as a list, the form of a header value), and it can be
// cancelled if the reply is a stream and the server drains.
//
// Most handlers never wait for their context to end, so the cancellable context is created only on demand.
type requestContext struct {
	context.Context
	id [1]string

	mu      sync.Mutex
	ended   context.Context // nil until it is needed
	end     context.CancelCauseFunc
	release func() bool // of a stream's wait for the drain; nil for no stream
}

// Value implements context.Context.
func (c *requestContext) Value(key any) any {
	if _, asked := key.(requestIDKey); asked {
		return c
	}
	c.mu.Lock()
	ended := c.ended
	c.mu.Unlock()
	if ended != nil { // so that package context finds the context that Done belongs to
		return ended.Value(key)
	}
	return c.Context.Value(key)
}

// Done implements context.Context.
func (c *requestContext) Done() <-chan struct{} { return c.endable().Done() }

// Err implements context.Context.
func (c *requestContext) Err() error {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.ended != nil {
		return c.ended.Err()
	}
	return c.Context.Err()
}

func (c *requestContext) endable() context.Context {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.ended == nil {
		c.ended, c.end = context.WithCancelCause(c.Context)
	}
	return c.ended
}

// watchForStream checks whether the reply is a stream when its header is written.
func (c *requestContext) watchForStream(reply *echo.Response) {
	conn := connectionOf(c.Context)
	if conn == nil {
		return
	}
	reply.Before(func() {
		if c.release != nil || !isEventStream(reply.Header().Get(echo.HeaderContentType)) {
			return
		}
		c.endable()
		conn.streams.Add(1)
		c.release = context.AfterFunc(conn.drain, func() { c.end(errDraining) })
	})
}

// finish ends what watchForStream began.
func (c *requestContext) finish() {
	if c.release != nil {
		c.release()
		connectionOf(c.Context).streams.Add(-1)
	}
}

const eventStream = "text/event-stream"

func isEventStream(contentType string) bool {
	kind, parameters := contentType[:min(len(eventStream), len(contentType))], contentType[min(len(eventStream), len(contentType)):]
	return strings.EqualFold(kind, eventStream) && (parameters == "" || strings.ContainsAny(parameters[:1], "; \t"))
}
