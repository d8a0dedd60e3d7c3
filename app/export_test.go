package app

import (
	"context"

	"github.com/labstack/echo/v4"

	"github.com/picoauth/picoauth/app/problem"
)

// CloseListener takes the port away under a running server.
func (s *Server) CloseListener() error { return s.listener.Close() }

// What the program's own wiring calls, for the tests of each part.
type Health = health

var (
	LoadSettings   = provideSettings
	NewServer      = newServer
	NewHealth      = newHealth
	NewInstruments = newInstruments
	NewEcho        = newEcho
)

const ProblemContentType = problem.ContentType

func (h *health) Register(e *echo.Echo) PublicRoutes { return h.register(e) }

func (h *health) StartShutdown() { h.startShutdown() }

func (s *Server) Listen(ctx context.Context) error { return s.listen(ctx) }

func (s *Server) Serve() error { return s.serve() }

func (s *Server) Shutdown(ctx context.Context) error { return s.shutdown(ctx) }
