package app_test

import (
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/labstack/echo/v4"
	"go.uber.org/fx"

	"github.com/picoauth/picoauth/app"
	"github.com/picoauth/picoauth/app/config"
)

// programVariable names, in a process that is this test binary run again, the
// program that it is to be.
const programVariable = "PICOAUTH_TEST_PROGRAM"

var programs = map[string][]fx.Option{
	"plain": {},
	"slow":  {fx.Invoke(slowRoute)},
	"file":  {app.ConfigFile("missing.yaml")},
	"constructor": {
		fx.Provide(func() (greeter, error) { return nil, errors.New("key_dir:\nis not readable\n\ttwice\ntwice") }),
		fx.Invoke(func(greeter) {}),
	},
	"hang": {fx.StartTimeout(time.Millisecond), fx.Invoke(func(lc fx.Lifecycle) {
		lc.Append(fx.StartHook(func(ctx context.Context) error { <-ctx.Done(); return ctx.Err() }))
	})},
	"sections": {app.ConfigMap(map[string]any{"server_auth.issuer": "x"})},
	"hijack":   {fx.Invoke(hijack)},
	"deaf": {fx.Invoke(func(e *echo.Echo) {
		e.GET("/events", streaming("text/event-stream", func(echo.Context) { select {} }))
	})},
	"graph": {fx.Invoke(func(greeter) {})},
	"hook":  {onStart(func(*app.Server, fx.Shutdowner) error { return errors.New("store is unreachable") })},
	"stop": {fx.Invoke(func(lc fx.Lifecycle) {
		lc.Append(fx.StopHook(func() error { return errors.New("store is not closed") }))
	})},
	"duplicate": {fx.Invoke(func(e *echo.Echo) { e.GET("/x/:a", nothing); e.GET("/x/:b", nothing) })},
	"shutdown":  {onStart(func(_ *app.Server, s fx.Shutdowner) error { return s.Shutdown(fx.ExitCode(3)) })},
	"broken": {fx.Invoke(func(e *echo.Echo, s *app.Server) {
		e.GET("/break", func(echo.Context) error { return s.CloseListener() })
	})},
}

func onStart(hook func(*app.Server, fx.Shutdowner) error) fx.Option {
	return fx.Invoke(func(lc fx.Lifecycle, server *app.Server, shutdowner fx.Shutdowner) {
		lc.Append(fx.StartHook(func() error { return hook(server, shutdowner) }))
	})
}

// slowRoute adds a route that says when it runs and replies when told to.
func slowRoute(e *echo.Echo) {
	e.GET("/slow", func(c echo.Context) error {
		fmt.Println(`{"msg":"slow request runs"}`)
		if _, err := bufio.NewReader(os.Stdin).ReadString('\n'); err != nil {
			return err
		}
		return c.String(http.StatusOK, "finished")
	})
}

func TestMain(m *testing.M) {
	if options, isProgram := programs[os.Getenv(programVariable)]; isProgram {
		app.New(app.ConfigFile(config.ConventionalFile), fx.Options(options...)).Run()
		os.Exit(0)
	}
	os.Exit(m.Run())
}

// process is a program of the table above that runs in an empty folder, on a
// free port unless its environment says otherwise.
type process struct {
	t       *testing.T
	command *exec.Cmd
	stdin   io.WriteCloser
	stdout  *bufio.Scanner
	stderr  bytes.Buffer
}

func launch(t *testing.T, program string, environ ...string) *process {
	t.Helper()
	return launchCommand(t, program, exec.CommandContext(t.Context(), os.Args[0]), environ...)
}

// launchCommand runs a program by a command that ends in this test binary.
func launchCommand(t *testing.T, program string, command *exec.Cmd, environ ...string) *process {
	t.Helper()
	p := &process{t: t, command: command}
	p.command.Dir = t.TempDir()
	p.command.Env = append([]string{programVariable + "=" + program, "APP__PORT=0", "APP__LOG_FORMAT=json",
		"GOCOVERDIR=" + p.command.Dir}, environ...) // without it a binary built for coverage complains on standard error
	p.command.Stderr = &p.stderr
	stdin, err := p.command.StdinPipe()
	stdout, outErr := p.command.StdoutPipe()
	if err := errors.Join(err, outErr, p.command.Start()); err != nil {
		t.Fatal(err)
	}
	p.stdin, p.stdout = stdin, bufio.NewScanner(stdout)
	return p
}

// await reads the log up to the line with the given message.
func (p *process) await(message string) map[string]any {
	p.t.Helper()
	for p.stdout.Scan() {
		var line map[string]any
		if err := json.Unmarshal(p.stdout.Bytes(), &line); err != nil {
			p.t.Fatalf("log line %s: %v", p.stdout.Bytes(), err)
		}
		if line["msg"] == message {
			return line
		}
	}
	p.t.Fatalf("the process ended without %q; standard error: %s", message, &p.stderr)
	return nil
}

func (p *process) awaitAddress() string { return p.await("listening")["address"].(string) }

func (p *process) signal(signal os.Signal) {
	p.t.Helper()
	if err := p.command.Process.Signal(signal); err != nil {
		p.t.Fatal(err)
	}
}

// exit waits for the end and returns the exit code and the rest of the output.
func (p *process) exit() (code int, stdout, stderr string) {
	p.t.Helper()
	var rest strings.Builder
	for p.stdout.Scan() {
		rest.WriteString(p.stdout.Text() + "\n")
	}
	if err := p.command.Wait(); err != nil && p.command.ProcessState == nil {
		p.t.Fatal(err)
	}
	return p.command.ProcessState.ExitCode(), rest.String(), p.stderr.String()
}

func TestFailureIsOneLineAndExitCodeOne(t *testing.T) {
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = listener.Close() }()
	busy := listener.Addr().(*net.TCPAddr)
	tests := []struct {
		name, program, environ string
		want                   string
	}{
		{"bad value", "plain", "APP__PORT=hunter2", `app.port: must be a whole number, not "hunter2" (environment variable APP__PORT)`},
		{"value out of range", "plain", "APP__PORT=65536", "app.port: 65536 is not within 0 to 65535 (environment variable APP__PORT)"},
		{"unknown key", "plain", "APP__PRT=hunter2", `app.prt: unknown key; did you mean "port"? (environment variable APP__PRT)`},
		{"missing file", "file", "", `config file "missing.yaml": no such file or directory`},
		{"busy port", "plain", fmt.Sprintf("APP__PORT=%d", busy.Port),
			fmt.Sprintf("cannot listen on %s (app.host, app.port): address already in use", busy)},
		{"constructor", "constructor", "", "key_dir: is not readable; twice"},
		{"start hook", "hook", "", "store is unreachable"},
		{"start hook that hangs", "hang", "", "could not start in time: context deadline exceeded"},
		{"duplicate route", "duplicate", "", "route GET /x/:b is registered twice, first as /x/:a"},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			code, stdout, stderr := launch(t, test.program, test.environ).exit()
			if want := filepath.Base(os.Args[0]) + ": " + test.want + "\n"; code != 1 || stderr != want {
				t.Errorf("exit code %d, standard error %q, want %q", code, stderr, want)
			}
			if stdout != "" {
				t.Errorf("standard output %q", stdout)
			}
		})
	}
	code, _, stderr := launch(t, "graph").exit()
	if code != 1 || strings.Count(stderr, "\n") != 1 || !strings.Contains(stderr, "missing type: app_test.greeter") {
		t.Errorf("missing type: exit code %d, standard error %q", code, stderr)
	}
}

func TestSignalLetsARunningRequestFinish(t *testing.T) {
	for _, signal := range []os.Signal{syscall.SIGTERM, os.Interrupt} {
		t.Run(signal.String(), func(t *testing.T) {
			p := launch(t, "slow")
			address := p.awaitAddress()
			url := "http://" + address
			var group sync.WaitGroup
			group.Go(func() {
				reply, err := http.Get(url + "/slow")
				if err != nil {
					t.Error(err)
					return
				}
				body, err := io.ReadAll(reply.Body)
				_ = reply.Body.Close()
				if reply.StatusCode != 200 || string(body) != "finished" || err != nil {
					t.Errorf("got %d %q %v", reply.StatusCode, body, err)
				}
			})
			p.await("slow request runs")
			p.signal(signal)
			p.await("shutting down")
			_, _ = io.WriteString(p.stdin, "go on\n")
			group.Wait()
			if code, _, stderr := p.exit(); code != 0 || stderr != "" {
				t.Errorf("exit code %d, standard error %q", code, stderr)
			}
			if connection, err := net.DialTimeout("tcp", address, time.Second); err == nil {
				_ = connection.Close()
				t.Error("the port is still open")
			}
		})
	}
}

func TestShutdownDelayKeepsServing(t *testing.T) {
	p := launch(t, "plain", "APP__SHUTDOWN_DELAY_SECONDS=3600")
	url := "http://" + p.awaitAddress()
	p.signal(syscall.SIGTERM)
	p.await("shutting down")
	for path, status := range map[string]int{"/healthz": 200, "/readyz": 503} {
		if reply, _ := fetch(t, http.MethodGet, url+path); reply.StatusCode != status {
			t.Errorf("%s: got %d, want %d", path, reply.StatusCode, status)
		}
	}
	time.Sleep(300 * time.Millisecond) // sooner it would count as a repeat of the first
	p.signal(syscall.SIGTERM)
	if code, _, _ := p.exit(); code != 1 {
		t.Errorf("exit code %d", code)
	}
}

func TestSecondSignalCutsRequestsOff(t *testing.T) {
	p := launch(t, "slow")
	url := "http://" + p.awaitAddress()
	var group sync.WaitGroup
	group.Go(func() {
		r, _ := http.NewRequestWithContext(t.Context(), http.MethodGet, url+"/slow", nil)
		if reply, err := http.DefaultTransport.RoundTrip(r); err == nil {
			_ = reply.Body.Close()
			t.Errorf("got a reply: %s", reply.Status)
		}
	})
	p.await("slow request runs")
	p.signal(syscall.SIGTERM)
	p.await("shutting down")
	p.signal(syscall.SIGTERM) // a repeat of the first, which supervisors send
	time.Sleep(300 * time.Millisecond)
	p.signal(syscall.SIGTERM)
	code, _, stderr := p.exit()
	group.Wait()
	if code != 1 || !strings.HasSuffix(stderr, ": could not stop in time: terminated signal received\n") {
		t.Errorf("exit code %d, standard error %q", code, stderr)
	}
}

func TestExitCodes(t *testing.T) {
	t.Run("of a Shutdowner", func(t *testing.T) {
		if code, _, stderr := launch(t, "shutdown").exit(); code != 3 || stderr != "" {
			t.Errorf("exit code %d, standard error %q", code, stderr)
		}
	})
	t.Run("of a stop hook that fails", func(t *testing.T) {
		p := launch(t, "stop")
		p.awaitAddress()
		p.signal(syscall.SIGTERM)
		if code, _, stderr := p.exit(); code != 1 || !strings.HasSuffix(stderr, ": store is not closed\n") {
			t.Errorf("exit code %d, standard error %q", code, stderr)
		}
	})
	t.Run("of a server that breaks", func(t *testing.T) {
		p := launch(t, "broken")
		fetch(t, http.MethodGet, "http://"+p.awaitAddress()+"/break")
		p.await("server failed")
		if code, _, _ := p.exit(); code != 1 {
			t.Errorf("exit code %d", code)
		}
	})
}

func TestProcessReadsItsEnvironment(t *testing.T) {
	p := launch(t, "plain", "APP__HOST=::1", "APP__CORS_ORIGINS= https://a.example , https://b.example", "OTHER__KEY=x")
	address := p.awaitAddress()
	if !strings.HasPrefix(address, "[::1]:") {
		t.Errorf("listens on %s", address)
	}
	r, _ := http.NewRequestWithContext(t.Context(), http.MethodGet, "http://"+address+"/healthz", nil)
	r.Header.Set("Origin", "https://b.example")
	reply, err := http.DefaultTransport.RoundTrip(r)
	if err != nil {
		t.Fatal(err)
	}
	_ = reply.Body.Close()
	if reply.Header.Get("Access-Control-Allow-Origin") != "https://b.example" {
		t.Errorf("headers %v", reply.Header)
	}
	p.signal(syscall.SIGTERM)
	if code, _, _ := p.exit(); code != 0 {
		t.Errorf("exit code %d", code)
	}
}

func TestDebugLogShowsEventsOfFx(t *testing.T) {
	for level, shown := range map[string]bool{"debug": true, "info": false} {
		p := launch(t, "plain", "APP__LOG_LEVEL="+level)
		p.awaitAddress()
		p.signal(syscall.SIGTERM)
		if _, stdout, _ := p.exit(); strings.Contains(stdout, "OnStop hook") != shown {
			t.Errorf("level %s: %s", level, stdout)
		}
	}
}
