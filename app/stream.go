package app

import (
	"bufio"
	"context"
	"io"
	"net"
	"net/http"
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
	writer  streamWriter
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

// watchForStream checks whether the reply is a stream when its header is sent.
func (c *requestContext) watchForStream(reply *echo.Response) {
	if connectionOf(c.Context) == nil {
		return
	}
	c.writer = streamWriter{reply.Writer, c, false}
	reply.Writer = &c.writer
}

// noteStream is called when the header is sent.
func (c *requestContext) noteStream(header http.Header) {
	if !isEventStream(header.Get(echo.HeaderContentType)) {
		return
	}
	conn := connectionOf(c.Context)
	c.endable()
	conn.streams.Add(1)
	c.release = context.AfterFunc(conn.drain, func() { c.end(errDraining) })
}

// streamWriter notices that the header is sent. The hooks of echo do not: a flush sends it without calling them, and so does a
// handler that uses the writer below echo's.
type streamWriter struct {
	http.ResponseWriter
	of   *requestContext
	sent bool
}

// belowStream returns the writer of net/http, of which it asks more than the methods of an interface.
func belowStream(w http.ResponseWriter) http.ResponseWriter {
	if own, ok := w.(*streamWriter); ok {
		return own.ResponseWriter
	}
	return w
}

func (w *streamWriter) note() {
	if !w.sent {
		w.sent = true
		w.of.noteStream(w.Header())
	}
}

// WriteHeader implements http.ResponseWriter. A status below 200 is not the reply yet.
func (w *streamWriter) WriteHeader(status int) {
	if status >= http.StatusOK {
		w.note()
	}
	w.ResponseWriter.WriteHeader(status)
}

// Write implements http.ResponseWriter.
func (w *streamWriter) Write(p []byte) (int, error) {
	w.note()
	return w.ResponseWriter.Write(p)
}

// ReadFrom implements io.ReaderFrom, with which net/http copies a file without reading it.
func (w *streamWriter) ReadFrom(from io.Reader) (int64, error) {
	w.note()
	return io.Copy(w.ResponseWriter, from)
}

// Flush implements http.Flusher.
func (w *streamWriter) Flush() { _ = w.FlushError() }

// FlushError is for http.ResponseController.
func (w *streamWriter) FlushError() error {
	w.note()
	return http.NewResponseController(w.ResponseWriter).Flush()
}

// Hijack implements http.Hijacker.
func (w *streamWriter) Hijack() (net.Conn, *bufio.ReadWriter, error) {
	return http.NewResponseController(w.ResponseWriter).Hijack()
}

// Unwrap is for http.ResponseController.
func (w *streamWriter) Unwrap() http.ResponseWriter { return w.ResponseWriter }

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
