package app_test

import (
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"os/exec"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/labstack/echo/v4"
	"go.uber.org/fx"

	"github.com/picoauth/picoauth/app"

	"github.com/picoauth/picoauth/testutil/services"
)

// crowd opens connections and does nothing with them, or one request each.
func crowd(t *testing.T, address string, count int, request string) {
	t.Helper()
	for range count {
		conn, err := net.DialTimeout("tcp", address, 5*time.Second)
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { _ = conn.Close() })
		if request == "" {
			continue
		}
		_ = conn.SetDeadline(time.Now().Add(10 * time.Second))
		if _, err := io.WriteString(conn, request); err != nil {
			t.Fatal(err)
		}
		if _, err := conn.Read(make([]byte, 1024)); err != nil {
			t.Fatal(err)
		}
	}
}

func TestIdleConnectionsLockNobodyOut(t *testing.T) {
	const keepAlive = "GET /healthz HTTP/1.1\r\nHost: x\r\n\r\n"
	for name, request := range map[string]string{"that never send": "", "that are kept alive": keepAlive} {
		t.Run(name, func(t *testing.T) {
			url := start(t, app.ConfigMap(map[string]any{"app.max_connections": 4}))
			crowd(t, strings.TrimPrefix(url, "http://"), 20, request)
			client := http.Client{Timeout: 10 * time.Second, Transport: &http.Transport{DisableKeepAlives: true}}
			for range 3 {
				reply, err := client.Get(url + "/healthz")
				if err != nil {
					t.Fatal(err)
				}
				_ = reply.Body.Close()
			}
		})
	}
}

// A request that runs is never closed for a new one, which waits.
func TestARunningRequestKeepsItsConnection(t *testing.T) {
	running, goOn := make(chan struct{}, 2), make(chan struct{})
	url := start(t, app.ConfigMap(map[string]any{"app.max_connections": 2}), fx.Invoke(func(e *echo.Echo) {
		e.GET("/slow", func(c echo.Context) error {
			running <- struct{}{}
			<-goOn
			return c.String(http.StatusOK, "whole")
		})
	}))
	var group sync.WaitGroup
	for range 2 {
		group.Go(func() {
			if _, body := fetch(t, http.MethodGet, url+"/slow"); body != "whole" {
				t.Errorf("got %q", body)
			}
		})
	}
	<-running
	<-running
	group.Go(func() {
		if _, body := fetch(t, http.MethodGet, url+"/healthz"); !strings.Contains(body, "ok") {
			t.Errorf("got %q", body)
		}
	})
	conn, err := net.Dial("tcp", strings.TrimPrefix(url, "http://"))
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = conn.Close() }()
	close(goOn)
	group.Wait()
}

// A process with 256 descriptors, and 300 connections that do nothing.
func TestFewDescriptors(t *testing.T) {
	shell, err := exec.LookPath("sh")
	if err != nil {
		services.Missing(t, "there is NO sh, so NOTHING of this test was run")
	}
	p := launchCommand(t, "plain", exec.CommandContext(t.Context(), shell, "-c", `ulimit -n 256 && exec "$0"`, os.Args[0]))
	line := p.await("the limit of file descriptors is low: 1024 connections need 1120 file descriptors (raise it with ulimit -n, or LimitNOFILE in a systemd unit)")
	if line["max_connections"] != 160.0 || line["descriptors"] != 256.0 || line["level"] != "WARN" {
		t.Errorf("got %v", line)
	}
	address := p.awaitAddress()
	crowd(t, address, 300, "")
	reply, err := (&http.Client{Timeout: 20 * time.Second}).Get("http://" + address + "/readyz")
	if err != nil {
		t.Fatal(err)
	}
	_ = reply.Body.Close()
	open, err := os.ReadDir(fmt.Sprintf("/proc/%d/fd", p.command.Process.Pid))
	if err == nil && len(open) > 200 {
		t.Errorf("%d descriptors are open: no room for keys and storage", len(open))
	}
	p.signal(os.Interrupt)
	if code, _, stderr := p.exit(); code != 0 || stderr != "" {
		t.Errorf("exit code %d, %s", code, stderr)
	}
}
