package app

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"os"
	"sync"
	"sync/atomic"
	"time"
)

// maxHeaderBytes bounds a request's header. The largest token that this project
// signs, with ML-DSA-87, is some 8 KiB.
const maxHeaderBytes = 64 << 10

// Server listens and serves one handler. It is used once: Listen, Serve, Shutdown.
type Server struct {
	http            http.Server
	portKey         string
	shutdownTimeout time.Duration
	listener        net.Listener
	stopping        atomic.Bool

	mu   sync.Mutex
	busy map[net.Conn]struct{} // accepted, and not idle
}

// NewServer returns a server of handler at the address of settings.
func NewServer(settings Settings, handler http.Handler, logger *slog.Logger) *Server {
	s := &Server{
		busy:            make(map[net.Conn]struct{}),
		portKey:         "app.port",
		shutdownTimeout: settings.ShutdownTimeout(),
		http: http.Server{
			Addr:              settings.Address(),
			Handler:           handler,
			ReadHeaderTimeout: settings.ReadHeaderTimeout(),
			ReadTimeout:       settings.ReadTimeout(),
			WriteTimeout:      settings.WriteTimeout(),
			IdleTimeout:       settings.IdleTimeout(),
			MaxHeaderBytes:    maxHeaderBytes,
			ErrorLog:          slog.NewLogLogger(logger.Handler(), slog.LevelWarn),
		},
	}
	s.http.ConnState = s.track
	return s
}

// NewAdminServer returns a server of handler at the admin address of settings.
func NewAdminServer(settings Settings, handler http.Handler, logger *slog.Logger) *Server {
	s := NewServer(settings, handler, logger)
	s.http.Addr, s.portKey = settings.AdminAddress(), "app.admin_port"
	return s
}

// Listen opens the port. Connections wait until Serve.
func (s *Server) Listen(ctx context.Context) error {
	listener, err := new(net.ListenConfig).Listen(ctx, "tcp", s.http.Addr)
	if err != nil {
		var cause *os.SyscallError
		if errors.As(err, &cause) {
			err = cause.Err // the rest repeats the address
		}
		return fmt.Errorf("cannot listen on %s (app.host, %s): %w", s.http.Addr, s.portKey, err)
	}
	s.listener = listener
	return nil
}

// Addr returns the address that Listen opened, with the real port where the
// settings say 0, or nil before that.
func (s *Server) Addr() net.Addr {
	if s.listener == nil {
		return nil
	}
	return s.listener.Addr()
}

// Serve answers requests until Shutdown, after which it returns nil. Any error is
// one that the server cannot go on from.
func (s *Server) Serve() error {
	if err := s.http.Serve(s.listener); !errors.Is(err, http.ErrServerClosed) && !s.stopping.Load() {
		return fmt.Errorf("serve %s: %w", s.http.Addr, err)
	}
	return nil
}

// Shutdown closes the port and waits for running requests to finish, at most for
// the shutdown time-out of the settings and as long as ctx lasts. What still
// runs then is cut off, and that is an error.
func (s *Server) Shutdown(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, s.shutdownTimeout)
	defer cancel()
	if s.listener != nil {
		defer func() { _ = s.listener.Close() }() // open still if Serve had not begun
	}
	s.drain(ctx)
	if err := s.http.Shutdown(ctx); err != nil && !errors.Is(err, net.ErrClosed) { // drain closed the port
		_ = s.http.Close() // nothing is left to save
		return fmt.Errorf("running requests were cut off: %w", err)
	}
	return nil
}

// track is the ConnState of the http.Server.
func (s *Server) track(conn net.Conn, state http.ConnState) {
	s.mu.Lock()
	defer s.mu.Unlock()
	switch state {
	case http.StateNew, http.StateActive:
		s.busy[conn] = struct{}{}
	default:
		delete(s.busy, conn)
	}
}

const (
	drainPoll = 5 * time.Millisecond
	// drainTime bounds the wait for a connection that was opened and sends nothing.
	drainTime = time.Second
)

// drain closes the port, and waits until whoever had come in has an answer:
// http.Server.Shutdown drops without one a request that it reads after it has begun.
func (s *Server) drain(ctx context.Context) {
	if s.listener == nil {
		return
	}
	s.stopping.Store(true)
	_ = s.listener.Close()
	s.http.SetKeepAlivesEnabled(false)
	ticker := time.NewTicker(drainPoll)
	defer ticker.Stop()
	for began := time.Now(); time.Since(began) < drainTime && s.isBusy(); {
		select {
		case <-ticker.C:
		case <-ctx.Done():
			return
		}
	}
}

func (s *Server) isBusy() bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	return len(s.busy) > 0
}
