package oauth_test

import (
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	_ "github.com/picoauth/picoauth/serverauth" // go test shall not take a result of another server from its cache
	"github.com/picoauth/picoauth/testutil/services"
)

type object = map[string]any

const startTime = 30 * time.Second

// secret is one that the configuration takes.
const secret = "a-secret-of-more-than-thirty-two-characters"

func required() bool { return os.Getenv("PICOAUTH_REQUIRE_SERVICES") == "1" }

// programs builds each program once, in a folder that TestMain removes.
var programs = struct {
	sync.Mutex
	dir   string
	built map[string]string
}{built: map[string]string{}}

func TestMain(m *testing.M) {
	code := m.Run()
	if programs.dir != "" {
		_ = os.RemoveAll(programs.dir)
	}
	os.Exit(code)
}

// build returns the binary of a package of the module in dir.
func build(t *testing.T, dir, pkg string) string {
	t.Helper()
	programs.Lock()
	defer programs.Unlock()
	if binary := programs.built[dir+pkg]; binary != "" {
		return binary
	}
	if programs.dir == "" {
		made, err := os.MkdirTemp("", "picoauth-oauth")
		require.NoError(t, err)
		programs.dir = made
	}
	binary := filepath.Join(programs.dir, fmt.Sprint(len(programs.built)))
	command := exec.CommandContext(t.Context(), "go", "build", "-o", binary, pkg)
	command.Dir = dir
	out, err := command.CombinedOutput()
	require.NoError(t, err, "%s", out)
	programs.built[dir+pkg] = binary
	return binary
}

// process is a program that runs until its test ends. It keeps what the program writes.
type process struct {
	mu    sync.Mutex
	text  bytes.Buffer
	ended chan struct{}
}

func (p *process) Write(text []byte) (int, error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.text.Write(text)
}

func (p *process) String() string {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.text.String()
}

// startProcess runs a command, and shows what it wrote when the test has failed.
func startProcess(t *testing.T, command *exec.Cmd) *process {
	t.Helper()
	p := &process{ended: make(chan struct{})}
	command.Stdout, command.Stderr = p, p
	command.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
	require.NoError(t, command.Start())
	go func() {
		_ = command.Wait() // it is told to stop
		close(p.ended)
	}()
	t.Cleanup(func() {
		_ = command.Process.Signal(syscall.SIGTERM)
		select {
		case <-p.ended:
		case <-time.After(10 * time.Second):
			_ = syscall.Kill(-command.Process.Pid, syscall.SIGKILL)
			<-p.ended
		}
		if t.Failed() {
			t.Logf("%s:\n%s", filepath.Base(command.Path), p)
		}
	})
	return p
}

// await waits until a process is ready, or fails the test when it ends or takes too long.
func (p *process) await(t *testing.T, isReady func() bool) {
	t.Helper()
	for deadline := time.After(startTime); !isReady(); {
		select {
		case <-p.ended:
			t.Fatalf("it ended: %s", p)
		case <-deadline:
			t.Fatalf("it does not start: %s", p)
		case <-time.After(20 * time.Millisecond):
		}
	}
}

// awaitPort waits until a process listens.
func (p *process) awaitPort(t *testing.T, address string) {
	t.Helper()
	p.await(t, func() bool {
		connection, err := net.DialTimeout("tcp", address, time.Second)
		if err == nil {
			_ = connection.Close()
		}
		return err == nil
	})
}

// writeConfig writes a configuration file: sections, and lines of YAML after them.
func writeConfig(t *testing.T, dir string, sections object, more string) string {
	t.Helper()
	var text strings.Builder
	for name, section := range sections {
		encoded, err := json.Marshal(section) // JSON is YAML too
		require.NoError(t, err)
		fmt.Fprintf(&text, "%s: %s\n", name, encoded)
	}
	path := filepath.Join(dir, "config.yaml")
	require.NoError(t, os.WriteFile(path, []byte(text.String()+more), 0o600))
	return path
}

// startServer runs examples/standalone with a section oauth and more in its environment, and returns its issuer.
func startServer(t *testing.T, oauth object, env ...string) string {
	t.Helper()
	text, err := json.Marshal(oauth)
	require.NoError(t, err)
	return runServer(t, "oauth: "+string(text)+"\n", env...)
}

// runServer runs examples/standalone with lines of configuration.
func runServer(t *testing.T, config string, env ...string) string {
	t.Helper()
	port, dir := services.FreePort(t), t.TempDir()
	issuer := fmt.Sprintf("http://localhost:%d", port)
	path := writeConfig(t, dir, object{"server_auth": object{"issuer": issuer, "data_dir": filepath.Join(dir, "data"), "rate_limit_per_minute": 0}}, config)
	startProgram(t, build(t, "../..", "./examples/standalone"), dir, path, append(env, fmt.Sprintf("APP__PORT=%d", port))...)
	return issuer
}

// startProgram runs a program of this project until it listens.
func startProgram(t *testing.T, binary, dir, config string, env ...string) {
	t.Helper()
	command := exec.Command(binary, "--config", config)
	command.Dir, command.Env = dir, append(os.Environ(), env...)
	p := startProcess(t, command)
	p.await(t, func() bool { return strings.Contains(p.String(), "msg=listening") })
}

// installPackages brings the node_modules of a folder up to its lock file.
func installPackages(t *testing.T, dir string) {
	t.Helper()
	for _, program := range []string{"node", "npm"} {
		if _, err := exec.LookPath(program); err != nil {
			services.Missing(t, program+" is NOT installed (Debian: nodejs npm)")
		}
	}
	lock, err := os.Stat(filepath.Join(dir, "package-lock.json"))
	require.NoError(t, err)
	installed, err := os.Stat(filepath.Join(dir, "node_modules/.package-lock.json")) // npm writes it last
	switch {
	case err == nil && !installed.ModTime().Before(lock.ModTime()):
		return
	case err != nil && !required():
		services.Missing(t, "the npm packages are NOT installed: run npm ci in testutil/oauth/"+dir+", or set PICOAUTH_REQUIRE_SERVICES=1")
	}
	ctx, cancel := context.WithTimeout(t.Context(), 5*time.Minute)
	defer cancel()
	command := exec.CommandContext(ctx, "npm", "ci")
	command.Dir = dir
	out, err := command.CombinedOutput()
	require.NoError(t, err, "npm ci: %s", out)
}

// runNode runs node's test runner over a script; at least so many tests must pass.
func runNode(t *testing.T, script string, atLeast int, env ...string) {
	t.Helper()
	installPackages(t, "node")
	ctx, cancel := context.WithTimeout(t.Context(), 5*time.Minute) // for a machine that has much else to do
	defer cancel()
	command := exec.CommandContext(ctx, "node", "--test", "--test-reporter=tap", script)
	command.Dir = "node"
	command.Env = append(os.Environ(), env...)
	out, err := command.CombinedOutput()
	require.NoError(t, err, "%s", out)
	passed := -1
	for lines := bufio.NewScanner(bytes.NewReader(out)); lines.Scan(); {
		_, _ = fmt.Sscanf(lines.Text(), "# pass %d", &passed)
	}
	require.GreaterOrEqual(t, passed, atLeast, "%s", out)
	t.Logf("%d tests passed", passed)
}

// lookPath finds a program, in the folders of administrators too.
func lookPath(names ...string) (string, error) {
	for _, name := range names {
		for _, candidate := range []string{name, "/usr/sbin/" + name} {
			if found, err := exec.LookPath(candidate); err == nil {
				return found, nil
			}
		}
	}
	return "", errors.New("not found")
}
