// Package interop_test signs in to a running server with the libraries that wallets are made of, and with a real browser.
//
// It needs node and npm, and for the browser Chromium, and skips what is not there; with PICOAUTH_REQUIRE_SERVICES=1 that
// is a failure. The packages are installed by npm where that is set, or where they have been installed before.
package interop_test

import (
	"bufio"
	"cmp"
	"context"
	"fmt"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"testing"
	"time"

	_ "github.com/picoauth/picoauth/serverauth" // go test shall not take a result of another server from its cache
	"github.com/picoauth/picoauth/testutil/services"
)

const (
	program     = "../../examples/webwallet"
	installTime = 5 * time.Minute
	runTime     = 5 * time.Minute
	startTime   = time.Minute
)

func TestInterop(t *testing.T) {
	find(t, "node", "node")
	installPackages(t, ".")
	watchFiles(t, ".", program, "../../serverauth/web")
	port := services.FreePort(t)
	base := server{port: port, env: []string{
		fmt.Sprintf("SERVER_AUTH__ALLOWED_DOMAINS=localhost:%d,app.example.com", port),
		"SERVER_AUTH__ALLOWED_CHAINS=eip155:1,eip155:11155111,solana:5eykt4UsFv8P8NJdTREpY1vzqKqZKvdp,solana:EtWTRABZaYq6iMfeYKouRu166VU2xqa1",
		"SERVER_AUTH__SUPPORTED_WALLET_ALGORITHMS=ML-DSA-44,ML-DSA-65,ML-DSA-87,Ed25519,secp256k1,eip191",
	}}.start(t)

	t.Run("libraries", func(t *testing.T) {
		runScripts(t, 300, "libraries/*.test.mjs", "PICOAUTH_URL="+base)
	})
	t.Run("types", func(t *testing.T) {
		runScripts(t, 3, "types/*.test.mjs")
	})
	t.Run("browser", func(t *testing.T) {
		runScripts(t, 40, "browser/*.test.mjs", "PICOAUTH_URL="+base, "PICOAUTH_CHROMIUM="+findChromium(t))
	})
}

func findChromium(t *testing.T) string {
	t.Helper()
	if named := os.Getenv("PICOAUTH_CHROMIUM"); named != "" {
		return named
	}
	return find(t, "Chromium", "chromium", "chromium-browser", "google-chrome")
}

func required() bool { return os.Getenv("PICOAUTH_REQUIRE_SERVICES") == "1" }

// find returns the first of the named programs that is there.
func find(t *testing.T, what string, names ...string) string {
	t.Helper()
	for _, name := range names {
		if found, err := exec.LookPath(name); err == nil {
			return found
		}
	}
	services.Missing(t, what+" is not installed")
	return ""
}

// installPackages brings a folder's node_modules up to its lock file.
func installPackages(t *testing.T, folder string) {
	t.Helper()
	npm := find(t, "npm", "npm")
	installed, err := os.Stat(filepath.Join(folder, "node_modules/.package-lock.json")) // npm writes it last
	if err != nil && !required() {
		services.Missing(t, "the npm packages are not installed; run npm ci in testutil/interop and in testutil/interop/kits, or set PICOAUTH_REQUIRE_SERVICES=1")
	}
	lock, lockErr := os.Stat(filepath.Join(folder, "package-lock.json"))
	if lockErr != nil {
		t.Fatal(lockErr)
	}
	if err == nil && !installed.ModTime().Before(lock.ModTime()) {
		return
	}
	ctx, cancel := context.WithTimeout(t.Context(), installTime)
	defer cancel()
	ci := exec.CommandContext(ctx, npm, "ci")
	ci.Dir = folder
	if out, err := ci.CombinedOutput(); err != nil {
		t.Fatalf("npm ci in %s: %v\n%s", folder, err, out)
	}
}

// watchFiles looks at what the scripts and the page consist of, so that go test knows when they change.
func watchFiles(t *testing.T, folders ...string) {
	t.Helper()
	for _, folder := range folders {
		err := filepath.WalkDir(folder, func(path string, entry fs.DirEntry, err error) error {
			if err != nil {
				return err
			}
			if entry.Name() == "node_modules" {
				return fs.SkipDir
			}
			_, err = os.Stat(path)
			return err
		})
		if err != nil {
			t.Fatal(err)
		}
	}
}

// server is how a program runs: with its own issuer on a port, further settings, and the text of its application.yaml.
type server struct {
	port    int
	env     []string
	config  string
	program string   // empty: that of the page with wallets
	command []string // the program's arguments
}

// start builds the program, runs it until the test ends, and returns its base URL.
func (s server) start(t *testing.T) string {
	t.Helper()
	dir := t.TempDir()
	binary := filepath.Join(dir, "webwallet")
	if out, err := exec.CommandContext(t.Context(), "go", "build", "-o", binary, cmp.Or(s.program, program)).CombinedOutput(); err != nil {
		t.Fatalf("go build: %v\n%s", err, out)
	}
	if err := os.WriteFile(filepath.Join(dir, "application.yaml"), []byte(s.config), 0o600); err != nil {
		t.Fatal(err)
	}
	base := fmt.Sprintf("http://localhost:%d", s.port)
	ctx, cancel := context.WithCancel(context.Background())
	server := exec.CommandContext(ctx, binary, s.command...)
	server.Cancel = func() error { return server.Process.Signal(os.Interrupt) }
	server.WaitDelay = 10 * time.Second
	server.Dir = dir
	server.Stderr = os.Stderr
	server.Env = append(os.Environ(),
		fmt.Sprintf("APP__PORT=%d", s.port), "SERVER_AUTH__ISSUER="+base, "SERVER_AUTH__RATE_LIMIT_PER_MINUTE=0")
	server.Env = append(server.Env, s.env...)
	log, err := server.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := server.Start(); err != nil {
		t.Fatal(err)
	}
	listening, ended := make(chan bool, 1), make(chan struct{})
	go func() {
		defer close(ended)
		for lines := bufio.NewScanner(log); lines.Scan(); {
			if strings.Contains(lines.Text(), "msg=listening") {
				listening <- true
			}
		}
	}()
	t.Cleanup(func() {
		cancel()
		<-ended
		_ = server.Wait() // it was told to stop
	})
	select {
	case <-listening:
	case <-ended:
		t.Fatal("the server does not start")
	case <-time.After(startTime):
		t.Fatal("the server does not listen")
	}
	return base
}

var passedLine = regexp.MustCompile(`(?m)^ℹ pass (\d+)$`)

// runScripts runs node's test runner over the files that a pattern names; at least so many tests must pass.
func runScripts(t *testing.T, atLeast int, pattern string, env ...string) {
	t.Helper()
	files, err := filepath.Glob(pattern)
	if err != nil || len(files) == 0 {
		t.Fatalf("no files %s: %v", pattern, err)
	}
	ctx, cancel := context.WithTimeout(t.Context(), runTime)
	defer cancel()
	node := exec.CommandContext(ctx, "node", append([]string{"--test", "--test-reporter=spec"}, files...)...)
	node.Env = append(os.Environ(), env...)
	out, err := node.CombinedOutput()
	if err != nil {
		_, failures, _ := strings.Cut(string(out), "✖ failing tests:")
		t.Fatalf("%v\n%s", err, cmp.Or(failures, string(out)))
	}
	passed := passedLine.FindSubmatch(out)
	if passed == nil {
		t.Fatalf("no summary in\n%s", out)
	}
	if n, _ := strconv.Atoi(string(passed[1])); n < atLeast {
		t.Errorf("only %d tests ran", n)
	}
	t.Logf("%s tests passed", passed[1])
}
