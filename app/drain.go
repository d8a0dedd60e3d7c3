package app

import (
	"context"
	"errors"
	"net"
	"net/http"
	"sync/atomic"
	"time"
)

// errDraining is the cause with which the context of a stream is cancelled at a shutdown.
var errDraining = errors.New("the server is shutting down")

// connection is the state of one connection of a Server. The context of each request contains it.
type connection struct {
	drain             context.Context // of the server
	requests, streams atomic.Int32    // in progress
	takenOver         atomic.Bool
	forget            func()
	since             time.Time      // of its last change of state; the server's mutex guards it
	state             http.ConnState // as since
	evicted           bool           // as since: it is being closed
}

type connectionKey struct{}

func connectionOf(ctx context.Context) *connection {
	c, _ := ctx.Value(connectionKey{}).(*connection)
	return c
}

// Draining returns a channel that is closed when the server of a request begins to shut down: it accepts no new requests, and
// running ones have the shutdown time-out to finish. It is for handlers that would otherwise not end, such as those of WebSockets
// and long polls. The context of a reply with text/event-stream is cancelled by itself.
//
// For a context that does not belong to a Server the channel is nil, so it is never closed.
func Draining(ctx context.Context) <-chan struct{} {
	if c := connectionOf(ctx); c != nil {
		return c.drain.Done()
	}
	return nil
}

// idles reports whether all requests on a connection are streams. A connection whose request is still being read has no request
// yet, and is not idle.
func (c *connection) idles() bool {
	requests := c.requests.Load()
	return requests > 0 && requests <= c.streams.Load()
}

// done ends a request. After the last request of a connection that a handler took over, the server forgets the connection.
func (c *connection) done() {
	if c.requests.Add(-1) == 0 && c.takenOver.Load() {
		c.forget()
	}
}

// counted counts the requests of each connection.
func counted(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if c := connectionOf(r.Context()); c != nil {
			c.requests.Add(1)
			defer c.done()
		}
		next.ServeHTTP(w, r)
	})
}

const (
	drainPoll = 5 * time.Millisecond
	// drainTime is the maximum wait for a connection whose request has not been read yet.
	drainTime = time.Second
	// streamTime is the time that streams have to end after the shutdown began, before the application's other stop hooks run,
	// which may end them too.
	streamTime = 500 * time.Millisecond
)

// drain closes the port, tells handlers (see Draining), and waits until all requests have replies, at most for the shutdown
// time-out. For streams it waits only streamTime; those that still run are left to shutdown. If other requests still run at the
// end, they are cut off, and drain returns an error.
func (s *Server) drain(ctx context.Context) error {
	if s.listener == nil {
		return nil
	}
	s.stopping.Store(true)
	_ = s.listener.Close()
	s.http.SetKeepAlivesEnabled(false)
	began := s.drainBegan()
	ctx, cancel := context.WithDeadline(ctx, began.Add(s.shutdownTimeout))
	defer cancel()
	s.beginDrain(errDraining)
	ticker := time.NewTicker(drainPoll)
	defer ticker.Stop()
	for s.isBusy(time.Since(began)) {
		select {
		case <-ticker.C:
		case <-ctx.Done():
			if _, others := s.running(); others > 0 {
				return s.cutOff(ctx.Err())
			}
			return nil
		}
	}
	return nil
}

// isBusy reports whether there is still a request to wait for, some time after the drain began. http.Server.Shutdown drops a
// request that it reads after it has begun, without a reply.
func (s *Server) isBusy(drained time.Duration) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, c := range s.connections {
		switch requests := c.requests.Load(); {
		case c.state == http.StateIdle:
		case c.takenOver.Load():
			if drained < streamTime { // for the handler to close it
				return true
			}
		case requests == 0 && drained < drainTime: // being read, or being written
			return true
		case requests > 0 && (!c.idles() || drained < streamTime):
			return true
		}
	}
	return false
}

// shutdown drains, waits for streams to end, and closes everything. It waits until the shutdown time-out, or until ctx ends. A
// stream that does not end is cut off with a warning; any other request that is cut off is an error.
//
// A connection that a handler has taken over, as for WebSockets, must be closed by the handler (see Draining). It has streamTime
// to do so before other stop hooks run.
func (s *Server) shutdown(ctx context.Context) error {
	if err := s.drain(ctx); err != nil {
		return err
	}
	if s.listener != nil {
		defer func() { _ = s.listener.Close() }() // still open if serve had not begun
	}
	// Streams have streamTime even if other requests used up the time-out.
	ctx, cancel := context.WithTimeout(ctx, max(time.Until(s.drainBegan().Add(s.shutdownTimeout)), streamTime))
	defer cancel()
	err := s.http.Shutdown(ctx)
	if err == nil || errors.Is(err, net.ErrClosed) { // drain closed the port
		return nil
	}
	if streams, others := s.running(); others == 0 {
		s.logger.Warn("streams did not end and were cut off", "streams", streams)
		_ = s.http.Close()
		return nil
	}
	return s.cutOff(err)
}

// running counts the running requests.
func (s *Server) running() (streams, others int) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, c := range s.connections {
		if c.takenOver.Load() {
			continue
		}
		n := int(c.streams.Load())
		streams, others = streams+n, others+int(c.requests.Load())-n
	}
	return streams, others
}
