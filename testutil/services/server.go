package services

import (
	"crypto/rand"
	"encoding/hex"
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"sync"
	"testing"
	"time"
)

const (
	startTimeout = 30 * time.Second
	startTries   = 3
	pollInterval = 5 * time.Millisecond
)

// Server is a server that a test started. Its data outlives Stop and Kill and is deleted when the test ends. The
// methods are for one goroutine at a time.
type Server struct {
	kind     kind
	program  string // path
	dir      string
	port     int
	password string
	settings []string // name=value
	process  *process

	mu        sync.Mutex
	databases int
}

// kind is what distinguishes one server program from another.
type kind interface {
	// prepare is called once, before the first start.
	prepare(s *Server) error
	// command returns the command that runs the server in the foreground.
	command(s *Server) *exec.Cmd
	// ready tells whether the server answers.
	ready(s *Server) bool
	// url returns the URL of a database.
	url(s *Server, database string) string
	// create makes the n-th database and returns its name.
	create(s *Server, n int) (string, error)
}

// run starts a server and has it end with the test.
func run(tb testing.TB, k kind, program string, settings []string) *Server {
	tb.Helper()
	s := &Server{kind: k, program: program, password: secret(), settings: settings}
	var err error
	if s.dir, err = os.MkdirTemp("", "picoauth-service-"); err != nil {
		tb.Fatal(err)
	}
	tb.Cleanup(func() {
		if s.process != nil {
			s.process.kill()
		}
		if err := os.RemoveAll(s.dir); err != nil {
			tb.Errorf("services: %v", err)
		}
	})
	if err := k.prepare(s); err != nil {
		tb.Fatalf("services: %v", err)
	}
	for range startTries { // the port may have been taken since it was found free
		if s.port, err = freePort(); err == nil {
			err = s.start()
		}
		if err == nil {
			return s
		}
	}
	tb.Fatalf("services: %v", err)
	return nil
}

// Addr is the server's address, host:port. It stays the same when the server is started again.
func (s *Server) Addr() string { return net.JoinHostPort("127.0.0.1", strconv.Itoa(s.port)) }

// Password is the password that its URLs hold: a long one that must appear nowhere else.
func (s *Server) Password() string { return s.password }

// URL is the URL of the database that is there at first, as server_auth.storage_url takes it.
func (s *Server) URL() string { return s.kind.url(s, "") }

// NewDatabase makes an empty database, of PostgreSQL a schema, and returns its URL.
func (s *Server) NewDatabase(tb testing.TB) string {
	tb.Helper()
	s.mu.Lock()
	defer s.mu.Unlock()
	s.databases++
	name, err := s.kind.create(s, s.databases)
	if err != nil {
		tb.Fatalf("services: new database: %v", err)
	}
	return s.kind.url(s, name)
}

// Start starts the server again and returns when it answers.
func (s *Server) Start(tb testing.TB) {
	tb.Helper()
	if err := s.start(); err != nil {
		tb.Fatalf("services: %v", err)
	}
}

// Stop ends the server in good order and at once: its clients are cut off.
func (s *Server) Stop(tb testing.TB) {
	tb.Helper()
	if err := s.process.interrupt(startTimeout); err != nil {
		tb.Fatalf("services: stop %s: %v", filepath.Base(s.program), err)
	}
}

// Kill ends every process of the server as kill -9 does.
func (s *Server) Kill(testing.TB) { s.process.kill() }

// Restart is Kill and Start.
func (s *Server) Restart(tb testing.TB) {
	tb.Helper()
	s.Kill(tb)
	s.Start(tb)
}

// Pause stops every process of the server in its tracks: its connections stay open and nothing answers.
func (s *Server) Pause(tb testing.TB) {
	tb.Helper()
	if err := s.process.pause(); err != nil {
		tb.Fatalf("services: pause: %v", err)
	}
}

// Resume ends a Pause.
func (s *Server) Resume(tb testing.TB) {
	tb.Helper()
	if err := s.process.resume(); err != nil {
		tb.Fatalf("services: resume: %v", err)
	}
}

func (s *Server) start() error {
	log, err := os.OpenFile(s.logFile(), os.O_CREATE|os.O_APPEND|os.O_WRONLY, 0o644)
	if err != nil {
		return err
	}
	defer log.Close()
	cmd := s.kind.command(s)
	cmd.Stdout, cmd.Stderr = log, log
	if s.process, err = launch(cmd); err != nil {
		return err
	}
	for deadline := time.Now().Add(startTimeout); !s.kind.ready(s); time.Sleep(pollInterval) {
		if s.process.ended() || time.Now().After(deadline) {
			s.process.kill()
			return fmt.Errorf("%s does not start: %s", filepath.Base(s.program), s.logTail())
		}
	}
	return nil
}

func (s *Server) logFile() string { return filepath.Join(s.dir, "server.log") }

func (s *Server) logTail() string {
	const most = 2000
	text, err := os.ReadFile(s.logFile())
	if err != nil {
		return err.Error()
	}
	return string(text[max(0, len(text)-most):])
}

// FreePort returns a port of 127.0.0.1 on which nobody listens, for servers that must know their own before they start.
func FreePort(tb testing.TB) int {
	tb.Helper()
	port, err := freePort()
	if err != nil {
		tb.Fatal(err)
	}
	return port
}

func freePort() (int, error) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return 0, err
	}
	defer l.Close()
	return l.Addr().(*net.TCPAddr).Port, nil
}

func secret() string {
	var b [16]byte
	rand.Read(b[:])
	return "secret-" + hex.EncodeToString(b[:])
}

// absent skips or fails a test whose server is not installed.
func absent(tb testing.TB, program, debian string) {
	tb.Helper()
	Missing(tb, fmt.Sprintf("%s is NOT installed, so NOTHING of this test was run (Debian: apt-get install %s)", program, debian))
}

// Missing ends a test for which the machine lacks something: it is skipped so that nobody can miss it, or fails with
// PICOAUTH_REQUIRE_SERVICES=1.
func Missing(tb testing.TB, text string) {
	tb.Helper()
	if os.Getenv("PICOAUTH_REQUIRE_SERVICES") == "1" {
		tb.Fatal("services: " + text)
	}
	fmt.Fprintf(os.Stderr, "\n!!!! SKIPPED: %s: %s !!!!\n\n", tb.Name(), text)
	tb.Skip("services: " + text)
}
