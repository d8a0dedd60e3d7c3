package main

import (
	"bytes"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/picoauth/picoauth/testutil/services"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// The story, as README.md tells it, with the three programs as processes.
func TestStory(t *testing.T) {
	dir := t.TempDir()
	build := func(name, folder, program string) string {
		binary := filepath.Join(dir, name)
		command := exec.CommandContext(t.Context(), "go", "build", "-o", binary, program)
		command.Dir = folder
		out, err := command.CombinedOutput()
		require.NoError(t, err, "%s", out)
		return binary
	}
	auth, server, story := build("auth", "../../..", "./examples/standalone"), build("mcp", "..", "."), build("story", ".", ".")
	authURL, mcpURL := "http://localhost:"+strconv.Itoa(services.FreePort(t)), "http://localhost:"+strconv.Itoa(services.FreePort(t))
	key := filepath.Join(dir, "person.key")
	address, err := exec.CommandContext(t.Context(), story, "--address", "--key", key).Output()
	require.NoError(t, err)

	text, err := os.ReadFile("../README.md")
	require.NoError(t, err)
	_, section, found := strings.Cut(string(text), "## A story")
	require.True(t, found)
	blocks := regexp.MustCompile("(?s)```yaml\n(.*?)```").FindAllStringSubmatch(section, -1)
	require.Len(t, blocks, 2)
	replace := strings.NewReplacer("http://localhost:8100", authURL, "http://localhost:8400", mcpURL, "ADDRESS", strings.TrimSpace(string(address)))
	environ := append(os.Environ(), "ASSISTANT_SECRET=a-secret-of-the-assistant-of-forty-chars", "NOTES_SECRET=a-secret-of-the-notes-server-of-40-chars")
	for i, p := range []struct{ name, binary, url, more string }{
		{"auth.yaml", auth, authURL, "SERVER_AUTH__ISSUER=" + authURL}, {"mcp.yaml", server, mcpURL, "AUTH_CLIENT__ISSUER=" + authURL},
	} {
		path := filepath.Join(dir, p.name)
		require.NoError(t, os.WriteFile(path, []byte(replace.Replace(blocks[i][1])), 0o600))
		command := exec.Command(p.binary, "--config", path) //nolint:gosec,noctx // it is the test's own, and ends with it
		command.Dir = dir
		command.Env = append(environ[:len(environ):len(environ)], p.more, "APP__PORT="+p.url[strings.LastIndexByte(p.url, ':')+1:], "AUTH_CLIENT__RESOURCE="+mcpURL+"/mcp")
		start(t, command)
	}

	command := exec.CommandContext(t.Context(), story, "--auth", authURL, "--mcp", mcpURL+"/mcp", "--key", key)
	command.Env = environ
	out, err := command.CombinedOutput()
	require.NoError(t, err, "%s", out)
	t.Logf("%s", out)
	person := strings.TrimSpace(string(address))
	for _, line := range []string{
		"1. A person signs in with a wallet, and may: notes:read notes:write\n", "gets less: notes:read, as DPoP, at " + mcpURL + "/mcp\n", "3. It asks for more, and is refused\n",
		`"client":"assistant"`, `"scopes":["notes:read"]`, `"agent":"0x`,
	} {
		assert.Contains(t, string(out), line)
	}
	assert.Contains(t, strings.ToLower(string(out)), strings.ToLower(`"subject":"`+person+`"`))
	// The program fails by itself when that takes more than ten seconds; without the denylist the token would live for minutes.
	assert.Regexp(t, `the agent is refused after \d+ ms`, strings.ToLower(string(out)))
}

// output is what a process writes.
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

// start runs a program until its test ends, and returns once it listens.
func start(t *testing.T, command *exec.Cmd) {
	t.Helper()
	var log output
	command.Stdout, command.Stderr = &log, &log
	require.NoError(t, command.Start())
	t.Cleanup(func() {
		_ = command.Process.Kill()
		_ = command.Wait() // it was killed
		if t.Failed() {
			t.Logf("%s: %s", command.Path, log.String())
		}
	})
	require.Eventually(t, func() bool { return strings.Contains(log.String(), "msg=listening") }, time.Minute, 20*time.Millisecond, "%s", command.Path)
}
