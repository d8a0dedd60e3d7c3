package services

import (
	"bytes"
	"errors"
	"fmt"
	"net/url"
	"os"
	"os/exec"
	"os/user"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"testing"
)

const postgresUser = "picoauth"

// Postgres starts a PostgreSQL server with its default settings, and those given as name=value. It refuses to run as
// root; for root it runs as the user postgres, or nobody.
func Postgres(tb testing.TB, settings ...string) *Server {
	tb.Helper()
	folder := installedPostgres(tb)
	return run(tb, postgres{folder: folder}, filepath.Join(folder, "postgres"), settings)
}

// PostgresTLS starts a PostgreSQL server whose certificate, for the address 127.0.0.1, a private authority has signed. It
// also returns the file of the authority's certificate, and another one of an authority that has signed nothing.
func PostgresTLS(tb testing.TB, settings ...string) (server *Server, authority, another string) {
	tb.Helper()
	folder := installedPostgres(tb)
	server = run(tb, postgres{folder: folder, tls: true}, filepath.Join(folder, "postgres"), append([]string{
		"ssl=on", "ssl_cert_file=" + certificateFile, "ssl_key_file=" + certificateKeyFile,
	}, settings...))
	other, err := newAuthority()
	if another = filepath.Join(server.dir, "another.pem"); err == nil {
		err = other.write(another)
	}
	if err != nil {
		tb.Fatalf("services: %v", err)
	}
	return server, filepath.Join(server.dir, authorityFile), another
}

func installedPostgres(tb testing.TB) (folder string) {
	tb.Helper()
	if folder = postgresFolder(); folder == "" {
		absent(tb, "postgres", "postgresql")
	}
	return folder
}

// postgresFolder returns the folder of the newest server's programs, which seldom are in the PATH.
func postgresFolder() (folder string) {
	newest := 0
	for _, pattern := range []string{"/usr/lib/postgresql/*/bin/initdb", "/usr/pgsql-*/bin/initdb"} {
		found, _ := filepath.Glob(pattern)
		for _, file := range found {
			name := filepath.Base(filepath.Dir(filepath.Dir(file)))
			version, err := strconv.Atoi(name[strings.LastIndexByte(name, '-')+1:])
			if err == nil && version > newest {
				newest, folder = version, filepath.Dir(file)
			}
		}
	}
	if folder == "" {
		if file, err := exec.LookPath("initdb"); err == nil {
			folder = filepath.Dir(file)
		}
	}
	return folder
}

// postgres is a kind of server, by the folder of its programs.
type postgres struct {
	folder string
	tls    bool
}

func (p postgres) data(s *Server) string { return filepath.Join(s.dir, "data") }

func (p postgres) prepare(s *Server) error {
	passwordFile := filepath.Join(s.dir, "password")
	if err := errors.Join(os.Chmod(s.dir, 0o755), os.Mkdir(p.data(s), 0o700), os.WriteFile(passwordFile, []byte(s.password), 0o600)); err != nil {
		return err
	}
	if owner := postgresCredential(); owner != nil {
		uid, gid := int(owner.Uid), int(owner.Gid)
		if err := errors.Join(os.Chown(p.data(s), uid, gid), os.Chown(passwordFile, uid, gid)); err != nil {
			return err
		}
	}
	err := output(p.program(s, "initdb", "-D", p.data(s), "-U", postgresUser, "-A", "scram-sha-256", "--pwfile="+passwordFile,
		"-E", "UTF8", "--locale=C", "--no-sync"))
	if err != nil || !p.tls {
		return err
	}
	return p.certify(s)
}

// certify puts a certificate where the server looks for it, and its authority's beside the data.
func (p postgres) certify(s *Server) error {
	authority, err := newAuthority()
	if err != nil {
		return err
	}
	cert, key := filepath.Join(p.data(s), certificateFile), filepath.Join(p.data(s), certificateKeyFile)
	if err := errors.Join(authority.write(filepath.Join(s.dir, authorityFile)), authority.issue(cert, key)); err != nil {
		return err
	}
	if owner := postgresCredential(); owner != nil {
		return errors.Join(os.Chown(cert, int(owner.Uid), int(owner.Gid)), os.Chown(key, int(owner.Uid), int(owner.Gid)))
	}
	return nil
}

func (p postgres) command(s *Server) *exec.Cmd {
	arguments := []string{"-D", p.data(s)}
	settings := append([]string{
		"port=" + strconv.Itoa(s.port), "listen_addresses=127.0.0.1", "unix_socket_directories=", "max_connections=400",
	}, s.settings...)
	for _, setting := range settings {
		arguments = append(arguments, "-c", setting)
	}
	return p.program(s, "postgres", arguments...)
}

// ready looks at the file in which the server tells its state.
func (p postgres) ready(s *Server) bool {
	text, err := os.ReadFile(filepath.Join(p.data(s), "postmaster.pid"))
	lines := strings.Split(string(text), "\n")
	const pidLine, stateLine = 0, 7
	return err == nil && len(lines) > stateLine && lines[pidLine] == strconv.Itoa(s.process.cmd.Process.Pid) &&
		strings.TrimSpace(lines[stateLine]) == "ready"
}

// url takes a schema for a database: a search path is all that it needs.
func (p postgres) url(s *Server, schema string) string {
	query := url.Values{"sslmode": {"disable"}}
	if schema != "" {
		query.Set("search_path", schema)
	}
	u := url.URL{Scheme: "postgres", User: url.UserPassword(postgresUser, s.password), Host: s.Addr(), Path: "postgres", RawQuery: query.Encode()}
	return u.String()
}

func (p postgres) create(s *Server, n int) (string, error) {
	name := fmt.Sprintf("test%d", n)
	cmd := exec.Command(filepath.Join(p.folder, "psql"), "-X", "-q", "-h", "127.0.0.1", "-p", strconv.Itoa(s.port),
		"-U", postgresUser, "-d", "postgres", "-c", "CREATE SCHEMA "+name)
	cmd.Env = append(os.Environ(), "PGPASSWORD="+s.password)
	return name, output(cmd)
}

// program returns a command that runs as a user that the server accepts.
func (p postgres) program(s *Server, name string, arguments ...string) *exec.Cmd {
	cmd := exec.Command(filepath.Join(p.folder, name), arguments...)
	cmd.Dir = s.dir
	cmd.Env = append(os.Environ(), "LC_ALL=C")
	if owner := postgresCredential(); owner != nil {
		cmd.SysProcAttr = &syscall.SysProcAttr{Credential: owner}
	}
	return cmd
}

// postgresCredential is nil for everybody but root.
func postgresCredential() *syscall.Credential {
	if os.Getuid() != 0 {
		return nil
	}
	for _, name := range []string{"postgres", "nobody"} {
		account, err := user.Lookup(name)
		if err != nil {
			continue
		}
		uid, errUID := strconv.ParseUint(account.Uid, 10, 32)
		gid, errGID := strconv.ParseUint(account.Gid, 10, 32)
		if errUID == nil && errGID == nil {
			return &syscall.Credential{Uid: uint32(uid), Gid: uint32(gid)}
		}
	}
	return nil
}

func output(cmd *exec.Cmd) error {
	var text bytes.Buffer
	cmd.Stdout, cmd.Stderr = &text, &text
	if err := cmd.Run(); err != nil {
		return fmt.Errorf("%s: %w: %s", filepath.Base(cmd.Path), err, text.Bytes())
	}
	return nil
}
