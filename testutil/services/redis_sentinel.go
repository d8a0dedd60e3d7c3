package services

import (
	"fmt"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
)

// SentinelMaster is the name by which the sentinel of [RedisSentinel] knows its master.
const SentinelMaster = "picoauth-master"

// Replicated is a Redis master with a replica, and a sentinel that promotes the replica when the master is gone.
type Replicated struct {
	Master, Replica, Sentinel *Server
}

// RedisSentinel starts a master, a replica and a sentinel, and returns when the sentinel knows both. The two servers have one
// password, and the sentinel one of its own.
func RedisSentinel(tb testing.TB) Replicated {
	tb.Helper()
	program, cli := redisProgram(tb, "redis-server"), redisProgram(tb, "redis-cli")
	kind := redis{password: secret()}
	master := run(tb, kind, program, []string{"masterauth=" + kind.password, "repl-diskless-sync-delay=0"})
	replica := run(tb, kind, program, []string{"masterauth=" + kind.password, "replicaof=127.0.0.1 " + strconv.Itoa(master.port)})
	sentinel := run(tb, redisSentinel{master}, program, nil)
	r := Replicated{Master: master, Replica: replica, Sentinel: sentinel}
	waitFor(tb, "the replica", func() bool {
		return strings.Contains(ask(cli, replica, "info", "replication"), "master_link_status:up")
	})
	waitFor(tb, "the sentinel", func() bool { return strings.Contains(ask(cli, sentinel, "info", "sentinel"), "slaves=1") })
	return r
}

// URL is the URL of a database of whatever server is the master.
func (r Replicated) URL(database int) string {
	return r.Sentinel.kind.url(r.Sentinel, strconv.Itoa(database))
}

// redisSentinel is a kind of server, which watches another.
type redisSentinel struct{ master *Server }

func (k redisSentinel) file(s *Server) string { return filepath.Join(s.dir, "sentinel.conf") }

// prepare writes the file in which a sentinel also keeps what it learns.
func (k redisSentinel) prepare(s *Server) error {
	text := fmt.Sprintf("sentinel monitor %[1]s 127.0.0.1 %[2]d 1\nsentinel auth-pass %[1]s %[3]s\n"+
		"sentinel down-after-milliseconds %[1]s 500\nsentinel failover-timeout %[1]s 5000\n", SentinelMaster, k.master.port, k.master.password)
	return os.WriteFile(k.file(s), []byte(text), 0o600)
}

func (k redisSentinel) command(s *Server) *exec.Cmd {
	return exec.Command(s.program, k.file(s), "--sentinel", "--port", strconv.Itoa(s.port), "--bind", "127.0.0.1",
		"--dir", s.dir, "--requirepass", s.password)
}

func (redisSentinel) ready(s *Server) bool { return redis{}.ready(s) }

func (k redisSentinel) url(s *Server, database string) string {
	query := url.Values{"sentinel_password": {s.password}}
	if database != "" {
		query.Set("db", database)
	}
	u := url.URL{
		Scheme: "redis+sentinel", User: url.UserPassword("", k.master.password), Host: s.Addr(), Path: SentinelMaster, RawQuery: query.Encode(),
	}
	return u.String()
}

func (redisSentinel) create(_ *Server, n int) (string, error) { return strconv.Itoa(n), nil }
