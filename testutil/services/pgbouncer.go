package services

import (
	"errors"
	"fmt"
	"net"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"syscall"
	"testing"
	"time"
)

// PgBouncer starts a connection pooler in front of a PostgreSQL server, with the settings given as name=value, such as
// pool_mode=transaction. Its databases are the server's.
func PgBouncer(tb testing.TB, server *Server, settings ...string) *Server {
	tb.Helper()
	program, err := exec.LookPath("pgbouncer")
	if err != nil {
		program = "/usr/sbin/pgbouncer"
	}
	if _, err := os.Stat(program); err != nil {
		absent(tb, "pgbouncer", "pgbouncer")
	}
	return run(tb, pgbouncer{server}, program, settings)
}

// pgbouncer is a kind of server, in front of another.
type pgbouncer struct{ behind *Server }

func (b pgbouncer) prepare(s *Server) error {
	s.password = b.behind.password
	users := fmt.Sprintf("%q %q\n", postgresUser, b.behind.password)
	return errors.Join(os.Chmod(s.dir, 0o755), os.WriteFile(b.users(s), []byte(users), 0o644))
}

func (b pgbouncer) command(s *Server) *exec.Cmd {
	config := fmt.Sprintf("[databases]\n* = host=127.0.0.1 port=%d\n[pgbouncer]\nlisten_addr=127.0.0.1\nlisten_port=%d\nunix_socket_dir=\n"+
		"auth_type=plain\nauth_file=%s\nlogfile=\npidfile=\n", b.behind.port, s.port, b.users(s))
	for _, setting := range s.settings {
		config += setting + "\n"
	}
	file := filepath.Join(s.dir, "pgbouncer.ini")
	_ = os.WriteFile(file, []byte(config), 0o644) // without it the program does not start
	cmd := exec.Command(s.program, file)
	if owner := postgresCredential(); owner != nil { // it refuses to run as root
		cmd.SysProcAttr = &syscall.SysProcAttr{Credential: owner}
	}
	return cmd
}

func (pgbouncer) users(s *Server) string { return filepath.Join(s.dir, "users.txt") }

func (pgbouncer) ready(s *Server) bool {
	conn, err := net.DialTimeout("tcp", s.Addr(), time.Second)
	if err != nil {
		return false
	}
	return conn.Close() == nil
}

func (b pgbouncer) url(s *Server, database string) string {
	if database == "" {
		database = "postgres"
	}
	u := url.URL{
		Scheme: "postgres", User: url.UserPassword(postgresUser, b.behind.password), Host: s.Addr(), Path: database, RawQuery: "sslmode=disable",
	}
	return u.String()
}

// create makes a database on the server: PgBouncer takes no search path.
func (b pgbouncer) create(s *Server, n int) (string, error) {
	name := fmt.Sprintf("bounced%d_%d", s.port, n)
	cmd := exec.Command(filepath.Join(filepath.Dir(b.behind.program), "psql"), "-X", "-q", "-h", "127.0.0.1", "-p", strconv.Itoa(b.behind.port),
		"-U", postgresUser, "-d", "postgres", "-c", "CREATE DATABASE "+name)
	cmd.Env = append(os.Environ(), "PGPASSWORD="+b.behind.password)
	return name, output(cmd)
}
