package app

import (
	"context"
	"maps"
	"slices"
	"time"

	"github.com/labstack/echo/v4"

	"github.com/picoauth/picoauth/app/problem"
)

// CloseListener takes the port away under a running server.
func (s *Server) CloseListener() error { return s.listener.Close() }

// PythonNames are the sections and keys of the Python server that the start refuses with the name of what replaces them.
func PythonNames() []string {
	return slices.Concat(slices.Collect(maps.Keys(pythonSections)), slices.Collect(maps.Keys(pythonKeys)))
}

// What the program's own wiring calls, for the tests of each part.
type (
	Health              = health
	DuplicateRouteError = duplicateRouteError
)

var (
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

func (s Settings) ReadHeaderTimeout() time.Duration { return s.readHeaderTimeout() }
