package services_test

import (
	"io"
	"net"
	"os"
	"os/exec"
	"strings"
	"testing"
	"time"

	"github.com/picoauth/picoauth/testutil/services"
)

// Each server is put through everything; that it answers is seen from its port alone.
func TestServers(t *testing.T) {
	for name, start := range map[string]func(testing.TB, ...string) *services.Server{
		"postgres": services.Postgres,
		"redis":    services.Redis,
		"pgbouncer": func(tb testing.TB, settings ...string) *services.Server {
			return services.PgBouncer(tb, services.Postgres(tb), settings...)
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			server := start(t)
			if !strings.Contains(server.URL(), server.Password()) || !strings.Contains(server.URL(), server.Addr()) {
				t.Errorf("the URL holds no password or no address")
			}
			if one, other := server.NewDatabase(t), server.NewDatabase(t); one == other || one == server.URL() {
				t.Errorf("a new database is an old one")
			}
			listens(t, server, true)
			server.Stop(t)
			listens(t, server, false)
			server.Stop(t) // has no effect
			server.Start(t)
			listens(t, server, true)
			conn := dial(t, server)
			server.Kill(t)
			if n, err := conn.Read(make([]byte, 1)); n != 0 || err == nil {
				t.Error("a connection outlives the server")
			}
			listens(t, server, false)
			server.Start(t)
			server.Restart(t)
			listens(t, server, true)
		})
	}
}

// A replica and a cluster are there when they are returned, and their URLs say where.
func TestRedisTogether(t *testing.T) {
	replicated, cluster := services.RedisSentinel(t), services.NewRedisCluster(t)
	for url, servers := range map[string][]*services.Server{
		replicated.URL(3): {replicated.Sentinel}, cluster.URL(): cluster,
	} {
		for _, server := range servers {
			if !strings.Contains(url, server.Password()) || !strings.Contains(url, server.Addr()) {
				t.Error("the URL holds no password or no address")
			}
			listens(t, server, true)
		}
	}
	if replicated.Master.Password() != replicated.Replica.Password() || replicated.Master.Password() == replicated.Sentinel.Password() {
		t.Error("a replica must have its master's password, and a sentinel one of its own")
	}
}

func TestPause(t *testing.T) {
	server := services.Redis(t)
	conn := dial(t, server)
	server.Pause(t)
	ping(t, conn)
	if err := conn.SetReadDeadline(time.Now().Add(20 * time.Millisecond)); err != nil {
		t.Fatal(err)
	}
	if n, err := conn.Read(make([]byte, 64)); n > 0 || err == io.EOF {
		t.Fatalf("a paused server answers %d bytes, %v", n, err)
	}
	server.Resume(t)
	if err := conn.SetReadDeadline(time.Now().Add(10 * time.Second)); err != nil {
		t.Fatal(err)
	}
	if _, err := conn.Read(make([]byte, 64)); err != nil {
		t.Fatal(err)
	}
}

func ping(t *testing.T, conn net.Conn) {
	t.Helper()
	if _, err := conn.Write([]byte("PING\r\n")); err != nil {
		t.Fatal(err)
	}
}

func dial(t *testing.T, server *services.Server) net.Conn {
	t.Helper()
	conn, err := net.Dial("tcp", server.Addr())
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { conn.Close() })
	return conn
}

func listens(t *testing.T, server *services.Server, want bool) {
	t.Helper()
	conn, err := net.Dial("tcp", server.Addr())
	if err == nil {
		conn.Close()
	}
	if (err == nil) != want {
		t.Errorf("it listens: %v", err == nil)
	}
}

// A machine without the programs: a test of its own process skips, or fails where they are required.
func TestAbsent(t *testing.T) {
	if os.Getenv("SERVICES_TEST_CHILD") == "1" {
		services.Redis(t)
		return
	}
	for _, test := range []struct {
		name, require string
		fails         bool
	}{{"skips", "", false}, {"fails", "1", true}} {
		t.Run(test.name, func(t *testing.T) {
			child := exec.Command(os.Args[0], "-test.run=^TestAbsent$", "-test.v")
			child.Env = append(os.Environ(), "PATH=/nowhere", "SERVICES_TEST_CHILD=1", "PICOAUTH_REQUIRE_SERVICES="+test.require)
			out, err := child.CombinedOutput()
			if (err != nil) != test.fails || !strings.Contains(string(out), "redis-server is NOT installed") {
				t.Fatalf("%v: %s", err, out)
			}
		})
	}
}
