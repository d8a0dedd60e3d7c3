package main

import (
	"bytes"
	"context"
	"encoding/json"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"go.uber.org/fx"

	"github.com/picoauth/picoauth/app"
	"github.com/picoauth/picoauth/serverauth"
	"github.com/picoauth/picoauth/testutil"
	"github.com/picoauth/picoauth/testutil/services"
)

// asProgram makes the test binary the program itself, for what needs a process.
const asProgram = "PICOAUTH_TEST_AS_PROGRAM"

func TestMain(m *testing.M) {
	if os.Getenv(asProgram) == "1" {
		main()
		return
	}
	os.Exit(m.Run())
}

// result is what a command did.
type result struct {
	code     int
	out, err string
}

// shell runs commands with a configuration folder of its own.
type shell struct{ t *testing.T }

func newConsole(t *testing.T) shell {
	t.Setenv("XDG_CONFIG_HOME", t.TempDir())
	t.Setenv("HOME", t.TempDir())
	return shell{t}
}

func (c shell) run(arguments ...string) result { return c.runWith("", arguments...) }

func (c shell) runWith(stdin string, arguments ...string) result {
	c.t.Helper()
	ctx, cancel := context.WithTimeout(c.t.Context(), patience)
	defer cancel()
	var out, errOut bytes.Buffer
	code := execute(ctx, arguments, strings.NewReader(stdin), &out, &errOut)
	return result{code, out.String(), errOut.String()}
}

// must runs a command that succeeds.
func (c shell) must(arguments ...string) string { return c.mustWith("", arguments...) }

func (c shell) mustWith(stdin string, arguments ...string) string {
	c.t.Helper()
	r := c.runWith(stdin, arguments...)
	require.Zero(c.t, r.code, "%v: %s%s", arguments, r.out, r.err)
	return r.out
}

func decode[T any](t *testing.T, text string) T {
	t.Helper()
	var value T
	require.NoError(t, json.Unmarshal([]byte(text), &value), "%s", text)
	return value
}

const (
	adminEmail    = "admin@example.com"
	adminPassword = "correct horse battery"
)

// newServer runs an auth server in this process, with an administrator.
func newServer(t *testing.T, settings map[string]any, options ...fx.Option) string {
	t.Helper()
	port := strconv.Itoa(services.FreePort(t))
	url := "http://127.0.0.1:" + port
	values := map[string]any{
		"app.port": port, "server_auth.issuer": url, "server_auth.auto_create_admin": true, "server_auth.admin_email": adminEmail,
		"server_auth.admin_password": adminPassword, "server_auth.rate_limit_per_minute": 0,
	}
	for key, value := range settings {
		values[key] = value
	}
	testutil.NewApp(t, append([]fx.Option{serverauth.Module, app.ConfigMap(values)}, options...)...)
	return url
}

// patience is how long a test waits for a process, on a machine that may have much else to do.
const patience = 60 * time.Second

// program is the program as a process.
type program struct {
	*exec.Cmd
	out buffer
}

// buffer may be read while a process writes.
type buffer struct {
	mu   sync.Mutex
	text bytes.Buffer
}

func (b *buffer) Write(text []byte) (int, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.text.Write(text)
}

func (b *buffer) String() string {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.text.String()
}

// launch starts the program in a folder. It ends with the test.
func launch(t *testing.T, dir string, environ []string, arguments ...string) *program {
	t.Helper()
	binary, err := os.Executable()
	require.NoError(t, err)
	p := &program{Cmd: exec.Command(binary, arguments...)}
	p.Dir = dir
	p.Env = append([]string{asProgram + "=1", "HOME=" + dir, "GOCOVERDIR=" + dir}, environ...)
	p.Stdout, p.Stderr = &p.out, &p.out
	require.NoError(t, p.Start())
	t.Cleanup(func() {
		if p.ProcessState == nil {
			_ = p.Process.Kill()
			_ = p.Wait()
		}
	})
	return p
}

// await waits until a server answers.
func await(t *testing.T, p *program, url string) {
	t.Helper()
	require.Eventually(t, func() bool {
		request, err := http.NewRequestWithContext(t.Context(), http.MethodGet, url+"/readyz", nil)
		if err != nil {
			return false
		}
		reply, err := http.DefaultClient.Do(request)
		if err != nil {
			return false
		}
		defer reply.Body.Close()
		return reply.StatusCode == http.StatusOK
	}, patience, 50*time.Millisecond, "%s", &p.out)
}

// write makes a file for this user alone.
func write(t *testing.T, text string) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), "file")
	require.NoError(t, os.WriteFile(path, []byte(text), 0o600))
	return path
}
