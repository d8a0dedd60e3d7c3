package examples_test

import (
	"bufio"
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

// patience is how long a test waits for a process, on a machine that may have much else to do.
const patience = 60 * time.Second

var programFolder string

func TestMain(m *testing.M) { os.Exit(runTests(m)) }

func runTests(m *testing.M) int {
	dir, err := os.MkdirTemp("", "picoauth-examples-")
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		return 1
	}
	defer os.RemoveAll(dir)
	programFolder = dir
	return m.Run()
}

// build makes the programs that the tests run, once.
var build = sync.OnceValue(func() error {
	out, err := exec.Command("go", "build", "-ldflags=-s -w", "-o", programFolder, "./standalone", "./embedded", "./resource", "./walletlogin", "./claims").CombinedOutput()
	if err != nil {
		return fmt.Errorf("%w: %s", err, out)
	}
	return nil
})

// process is an example that runs in a folder of its own, with nothing in its environment but what a test gives it.
type process struct {
	t       *testing.T
	command *exec.Cmd
	url     string
	started time.Time
	lines   chan map[string]any // of the log
	stderr  output
}

// output is what a process has written so far; it may be read while the process runs.
type output struct {
	mu   sync.Mutex
	text bytes.Buffer
}

func (o *output) Write(text []byte) (int, error) {
	o.mu.Lock()
	defer o.mu.Unlock()
	return o.text.Write(text)
}

func (o *output) String() string {
	o.mu.Lock()
	defer o.mu.Unlock()
	return o.text.String()
}

func launch(t *testing.T, program string, arguments []string, environ ...string) *process {
	t.Helper()
	return launchIn(t, t.TempDir(), program, arguments, environ...)
}

func launchIn(t *testing.T, dir, program string, arguments []string, environ ...string) *process {
	t.Helper()
	require.NoError(t, build())
	p := &process{t: t, command: exec.Command(filepath.Join(programFolder, program), arguments...), lines: make(chan map[string]any, 1000), started: time.Now()}
	p.command.Dir = dir
	p.command.Env = append([]string{"APP__LOG_FORMAT=json", "GOCOVERDIR=" + dir}, environ...)
	p.command.Stderr = &p.stderr
	stdout, err := p.command.StdoutPipe()
	require.NoError(t, err)
	require.NoError(t, p.command.Start())
	go p.readLog(stdout)
	t.Cleanup(p.kill)
	return p
}

// readLog keeps what there is room for, so that a process that logs much never waits for a test.
func (p *process) readLog(stdout io.Reader) {
	defer close(p.lines)
	scanner := bufio.NewScanner(stdout)
	scanner.Buffer(nil, 1<<20)
	for scanner.Scan() {
		line := map[string]any{}
		if json.Unmarshal(scanner.Bytes(), &line) != nil {
			line["text"] = scanner.Text()
		}
		select {
		case p.lines <- line:
		default:
		}
	}
}

// await reads the log up to the line with the message.
func (p *process) await(message string) map[string]any {
	p.t.Helper()
	late := time.After(patience)
	for {
		select {
		case line, more := <-p.lines:
			if !more {
				p.t.Fatalf("%s ended without %q: %s", p.command.Path, message, &p.stderr)
			}
			if line["msg"] == message {
				return line
			}
		case <-late:
			p.t.Fatalf("%s does not log %q", p.command.Path, message)
		}
	}
}

// kill ends the process without a warning. It may have ended before.
func (p *process) kill() {
	if p.command.ProcessState == nil {
		_ = p.command.Process.Kill()
		_ = p.command.Wait()
	}
}

// exit waits for the end.
func (p *process) exit() (code int, stderr string) {
	p.t.Helper()
	ended := make(chan error, 1)
	go func() {
		for range p.lines { // Wait may close the pipe only after all was read
		}
		ended <- p.command.Wait()
	}()
	select {
	case err := <-ended:
		var exit *exec.ExitError
		if err != nil && !errors.As(err, &exit) {
			p.t.Fatal(err)
		}
	case <-time.After(patience):
		_ = p.command.Process.Kill()
		p.t.Fatalf("%s does not end", p.command.Path)
	}
	return p.command.ProcessState.ExitCode(), p.stderr.String()
}

// serve launches a program and waits until it listens.
func serve(t *testing.T, program string, environ ...string) *process {
	t.Helper()
	p := launch(t, program, nil, environ...)
	p.url = "http://" + p.await("listening")["address"].(string)
	return p
}

// issuerSettings are the environment of an issuer: what the tests have to know of how one is configured is here. With
// a dataDir its keys and its sessions outlive it.
func issuerSettings(port int, dataDir string, more ...string) []string {
	environ := []string{fmt.Sprintf("APP__PORT=%d", port), fmt.Sprintf("SERVER_AUTH__ISSUER=http://127.0.0.1:%d", port)}
	if dataDir != "" {
		environ = append(environ, "SERVER_AUTH__DATA_DIR="+dataDir)
	}
	return append(environ, more...)
}

const adminPassword = "correct horse"

var withAdmin = []string{"SERVER_AUTH__AUTO_CREATE_ADMIN=true", "SERVER_AUTH__ADMIN_PASSWORD=" + adminPassword}

// resourceSettings are the environment of a service that trusts the issuer at a URL.
func resourceSettings(issuer string, more ...string) []string {
	return append([]string{"APP__PORT=0", "AUTH_CLIENT__ISSUER=" + issuer, "AUTH_CLIENT__AUDIENCE=pico"}, more...)
}

type reply struct {
	status int
	header http.Header
	body   string
}

func get(t *testing.T, url, token string) reply {
	t.Helper()
	return call(t, http.MethodGet, url, token, "")
}

func call(t *testing.T, method, url, token, body string) reply {
	t.Helper()
	request, err := http.NewRequest(method, url, strings.NewReader(body))
	require.NoError(t, err)
	if token != "" {
		request.Header.Set("Authorization", "Bearer "+token)
	}
	if body != "" {
		request.Header.Set("Content-Type", "application/json")
	}
	response, err := http.DefaultClient.Do(request)
	require.NoError(t, err)
	defer response.Body.Close()
	text, err := io.ReadAll(response.Body)
	require.NoError(t, err)
	return reply{response.StatusCode, response.Header, string(text)}
}

// login returns an access token of the administrator.
func login(t *testing.T, url string) string {
	t.Helper()
	r := call(t, http.MethodPost, url+"/api/v1/auth/login", "", `{"email":"admin@pico.local","password":"`+adminPassword+`"}`)
	require.Equal(t, 200, r.status, r.body)
	var tokens struct {
		Access string `json:"access_token"`
	}
	require.NoError(t, json.Unmarshal([]byte(r.body), &tokens))
	return tokens.Access
}
