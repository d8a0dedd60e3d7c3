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

// maxHeaderBytes is the maximum size, in bytes, of a request's header. The largest tokens of this project, signed with ML-DSA-87,
// have about 8 KiB.
const maxHeaderBytes = 64 << 10

// Server listens on a port and serves one handler. It can be used once: listen, serve, shutdown.
type Server struct {
	http            http.Server
	portKey         string
	shutdownTimeout time.Duration
	listener        net.Listener
	logger          *slog.Logger
	stopping        atomic.Bool
	draining        context.Context // ends when the drain begins
	beginDrain      context.CancelCauseFunc

	slots        chan struct{} // one for each open connection
	limitWarning string
	fullWarning  sync.Once

	mu          sync.Mutex
	connections map[net.Conn]*connection
	drainBegan  func() time.Time // the time of its first call, at which the shutdown time-out begins
}

// newServer returns a server of handler at the address of settings.
func newServer(settings Settings, handler http.Handler, logger *slog.Logger) *Server {
	limit, warning := connectionLimit(settings.MaxConnections, descriptorLimit())
	s := &Server{
		slots:           make(chan struct{}, limit),
		limitWarning:    warning,
		connections:     make(map[net.Conn]*connection),
		logger:          logger,
		drainBegan:      sync.OnceValue(time.Now),
		portKey:         "app.port",
		shutdownTimeout: seconds(settings.ShutdownTimeoutSeconds),
		http: http.Server{
			Addr:              settings.Address(),
			Handler:           counted(handler),
			ReadHeaderTimeout: seconds(settings.ReadHeaderTimeoutSeconds),
			ReadTimeout:       seconds(settings.ReadTimeoutSeconds),
			WriteTimeout:      seconds(settings.WriteTimeoutSeconds),
			IdleTimeout:       seconds(settings.IdleTimeoutSeconds),
			MaxHeaderBytes:    maxHeaderBytes,
			ErrorLog:          slog.NewLogLogger(logger.Handler(), slog.LevelWarn),
		},
	}
	s.draining, s.beginDrain = context.WithCancelCause(context.Background())
	s.http.ConnContext, s.http.ConnState = s.meet, s.track
	s.http.Protocols = new(http.Protocols)
	s.http.Protocols.SetHTTP1(true)
	s.http.Protocols.SetUnencryptedHTTP2(settings.H2C)
	return s
}

// newAdminServer returns a server of the metrics at the admin address of settings.
func newAdminServer(settings Settings, m metrics, logger *slog.Logger) *Server {
	routes := http.NewServeMux()
	routes.Handle("GET "+metricsPath, m)
	s := newServer(settings, routes, logger)
	s.http.Addr, s.portKey = settings.adminAddress(), "app.admin_port"
	s.slots, s.limitWarning = make(chan struct{}, min(adminConnections, cap(s.slots))), ""
	return s
}

// listen opens the port. Connections wait until serve.
func (s *Server) listen(ctx context.Context) error {
	listener, err := new(net.ListenConfig).Listen(ctx, "tcp", s.http.Addr)
	if err != nil {
		if cause, isSyscall := errors.AsType[*os.SyscallError](err); isSyscall {
			err = cause.Err // the rest repeats the address
		}
		return fmt.Errorf("cannot listen on %s (app.host, %s): %w", s.http.Addr, s.portKey, err)
	}
	s.listener = listener
	return nil
}

// Addr returns the address on which the server listens, with the actual port if the settings have port 0. It returns nil before
// listen.
func (s *Server) Addr() net.Addr {
	if s.listener == nil {
		return nil
	}
	return s.listener.Addr()
}

// serve answers requests until drain or shutdown, and then returns nil. After an error the server no longer accepts connections.
func (s *Server) serve() error {
	if err := s.http.Serve(limitedListener{s.listener, s}); !errors.Is(err, http.ErrServerClosed) && !s.stopping.Load() {
		return fmt.Errorf("serve %s: %w", s.http.Addr, err)
	}
	return nil
}

func (s *Server) cutOff(err error) error {
	_ = s.http.Close() // the connections are lost in any case
	return fmt.Errorf("running requests were cut off: %w", err)
}

// meet is the ConnContext of the http.Server.
func (s *Server) meet(ctx context.Context, conn net.Conn) context.Context {
	c := &connection{drain: s.draining, since: time.Now(), forget: func() {
		s.mu.Lock()
		defer s.mu.Unlock()
		delete(s.connections, conn)
	}}
	s.mu.Lock()
	defer s.mu.Unlock()
	s.connections[conn] = c
	return context.WithValue(ctx, connectionKey{}, c)
}

// track is the ConnState of the http.Server.
func (s *Server) track(conn net.Conn, state http.ConnState) {
	s.mu.Lock()
	defer s.mu.Unlock()
	switch c := s.connections[conn]; {
	case c == nil:
	case state == http.StateHijacked:
		c.takenOver.Store(true)
	case state == http.StateClosed:
		delete(s.connections, conn)
	default:
		c.state, c.since = state, time.Now()
	}
}
