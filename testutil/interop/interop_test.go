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
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"testing"
	"time"

	_ "github.com/picoauth/picoauth/serverauth" // go test shall not take a result of another server from its cache
)

const (
	program     = "../../examples/webwallet"
	installTime = 5 * time.Minute
	runTime     = 5 * time.Minute
	startTime   = time.Minute
)

func TestInterop(t *testing.T) {
	find(t, "node", "node")
	installPackages(t)
	watchFiles(t, ".", program)
	base := startServer(t)

	t.Run("libraries", func(t *testing.T) {
		runScripts(t, 300, "libraries/*.test.mjs", "PICOAUTH_URL="+base)
	})
	t.Run("browser", func(t *testing.T) {
		chromium := os.Getenv("PICOAUTH_CHROMIUM")
		if chromium == "" {
			chromium = find(t, "Chromium", "chromium", "chromium-browser", "google-chrome")
		}
		runScripts(t, 20, "browser/*.test.mjs", "PICOAUTH_URL="+base, "PICOAUTH_CHROMIUM="+chromium)
	})
}

func required() bool { return os.Getenv("PICOAUTH_REQUIRE_SERVICES") == "1" }

// absent ends a test for which something is not there.
func absent(t *testing.T, what string) {
	t.Helper()
	if required() {
		t.Fatalf("PICOAUTH_REQUIRE_SERVICES=1, but %s", what)
	}
	t.Skipf("NOT TESTED: %s", what)
}

// find returns the first of the named programs that is there.
func find(t *testing.T, what string, names ...string) string {
	t.Helper()
	for _, name := range names {
		if found, err := exec.LookPath(name); err == nil {
			return found
		}
	}
	absent(t, what+" is not installed")
	return ""
}

// installPackages brings node_modules up to the lock file.
func installPackages(t *testing.T) {
	t.Helper()
	npm := find(t, "npm", "npm")
	installed, err := os.Stat("node_modules/.package-lock.json") // npm writes it last
	if err != nil && !required() {
		absent(t, "the npm packages are not installed; run npm ci in testutil/interop, or set PICOAUTH_REQUIRE_SERVICES=1")
	}
	lock, lockErr := os.Stat("package-lock.json")
	if lockErr != nil {
		t.Fatal(lockErr)
	}
	if err == nil && !installed.ModTime().Before(lock.ModTime()) {
		return
	}
	ctx, cancel := context.WithTimeout(t.Context(), installTime)
	defer cancel()
	if out, err := exec.CommandContext(ctx, npm, "ci").CombinedOutput(); err != nil {
		t.Fatalf("npm ci: %v\n%s", err, out)
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

// startServer builds the program, runs it until the test ends, and returns its base URL.
func startServer(t *testing.T) string {
	t.Helper()
	dir := t.TempDir()
	binary := filepath.Join(dir, "webwallet")
	if out, err := exec.CommandContext(t.Context(), "go", "build", "-o", binary, program).CombinedOutput(); err != nil {
		t.Fatalf("go build: %v\n%s", err, out)
	}
	port := freePort(t)
	host := fmt.Sprintf("localhost:%d", port)
	ctx, cancel := context.WithCancel(context.Background())
	server := exec.CommandContext(ctx, binary)
	server.Cancel = func() error { return server.Process.Signal(os.Interrupt) }
	server.WaitDelay = 10 * time.Second
	server.Dir = dir // where no application.yaml is
	server.Stderr = os.Stderr
	server.Env = append(os.Environ(),
		fmt.Sprintf("APP__PORT=%d", port),
		"SERVER_AUTH__ISSUER=http://"+host,
		"SERVER_AUTH__ALLOWED_DOMAINS="+host+",app.example.com",
		"SERVER_AUTH__ALLOWED_CHAINS=eip155:1,eip155:11155111,solana:5eykt4UsFv8P8NJdTREpY1vzqKqZKvdp,solana:EtWTRABZaYq6iMfeYKouRu166VU2xqa1",
		"SERVER_AUTH__SUPPORTED_WALLET_ALGORITHMS=ML-DSA-44,ML-DSA-65,ML-DSA-87,Ed25519,secp256k1,eip191",
		"SERVER_AUTH__RATE_LIMIT_PER_MINUTE=0",
	)
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
	return "http://" + host
}

// freePort returns a port on which nobody listens: the server has to know its own for its issuer and domains.
func freePort(t *testing.T) int {
	t.Helper()
	listener, err := new(net.ListenConfig).Listen(t.Context(), "tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer listener.Close()
	return listener.Addr().(*net.TCPAddr).Port
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
