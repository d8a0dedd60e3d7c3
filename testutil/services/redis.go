package services

import (
	"cmp"
	"net"
	"net/url"
	"os/exec"
	"strconv"
	"strings"
	"testing"
	"time"
)

// redisDatabases is how many databases a server has; NewDatabase gives each of them once.
const redisDatabases = 10_000

// Redis starts a Redis server that has every write on the disk before it answers, with the settings given as
// name=value.
func Redis(tb testing.TB, settings ...string) *Server {
	tb.Helper()
	return run(tb, redis{}, redisProgram(tb, "redis-server"), settings)
}

func redisProgram(tb testing.TB, name string) string {
	tb.Helper()
	program, err := exec.LookPath(name)
	if err != nil {
		absent(tb, name, "redis-server")
	}
	return program
}

// redis is a kind of server. Several that belong together have the same password; otherwise it is empty here.
type redis struct{ password string }

func (r redis) prepare(s *Server) error {
	s.password = cmp.Or(r.password, s.password)
	return nil
}

func (redis) command(s *Server) *exec.Cmd {
	settings := append([]string{
		"port=" + strconv.Itoa(s.port), "bind=127.0.0.1", "dir=" + s.dir, "requirepass=" + s.password, "save=",
		"databases=" + strconv.Itoa(redisDatabases), "appendonly=yes", "appendfsync=always",
	}, s.settings...)
	var arguments []string
	for _, setting := range settings {
		name, value, _ := strings.Cut(setting, "=")
		arguments = append(arguments, "--"+name, value)
	}
	return exec.Command(s.program, arguments...)
}

// ready asks for any answer but that it is loading its data; without the password it refuses all the same.
func (redis) ready(s *Server) bool {
	conn, err := net.DialTimeout("tcp", s.Addr(), time.Second)
	if err != nil {
		return false
	}
	defer conn.Close()
	if err := conn.SetDeadline(time.Now().Add(time.Second)); err != nil {
		return false
	}
	if _, err := conn.Write([]byte("AUTH " + s.password + "\r\nPING\r\n")); err != nil {
		return false
	}
	answer := make([]byte, 64)
	for read := 0; read < len(answer); {
		n, err := conn.Read(answer[read:])
		if read += n; strings.Contains(string(answer[:read]), "+PONG") {
			return true
		}
		if err != nil || strings.Contains(string(answer[:read]), "-") {
			return false
		}
	}
	return false
}

func (redis) url(s *Server, database string) string {
	u := url.URL{Scheme: "redis", User: url.UserPassword("", s.password), Host: s.Addr(), Path: database}
	return u.String()
}

func (redis) create(_ *Server, n int) (string, error) { return strconv.Itoa(n), nil }
