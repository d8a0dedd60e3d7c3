package bench_test

import (
	"bytes"
	"encoding/json"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"sync"
	"testing"

	"github.com/picoauth/picoauth/testutil/services"
	"github.com/stretchr/testify/require"
)

// scripts is where the programs of other languages are.
const scripts = "../interop/jose"

// python finds a Python that has the libraries: Debian's before any other.
var python = sync.OnceValue(func() string {
	for _, candidate := range []string{"/usr/bin/python3", "python3"} {
		if exec.Command(candidate, "-c", "import jwt, jose.jwt, cryptography").Run() == nil {
			return candidate
		}
	}
	return ""
})

func runPython(t *testing.T, script string, input, output any) {
	t.Helper()
	if python() == "" {
		services.Missing(t, "python3 with PyJWT, python-jose and cryptography is NOT installed (Debian: python3-jwt python3-jose python3-cryptography)")
	}
	run(t, exec.Command(python(), "-B", filepath.Join(scripts, script)), input, output)
}

// packages installs what package-lock.json names, once.
var packages = sync.OnceValue(func() error {
	installed, err := os.Stat(filepath.Join(scripts, "node_modules/.package-lock.json"))
	if err == nil {
		wanted, err := os.Stat(filepath.Join(scripts, "package-lock.json"))
		if err != nil || !wanted.ModTime().After(installed.ModTime()) {
			return err
		}
	}
	command := exec.Command("npm", "ci", "--ignore-scripts", "--no-audit", "--no-fund")
	command.Dir = scripts
	if out, err := command.CombinedOutput(); err != nil {
		return fmt.Errorf("npm ci: %w: %s", err, out)
	}
	return nil
})

func runNode(t *testing.T, script string, input, output any) {
	t.Helper()
	for _, program := range []string{"node", "npm"} {
		if _, err := exec.LookPath(program); err != nil {
			services.Missing(t, program+" is NOT installed (Debian: nodejs npm)")
		}
	}
	if err := packages(); err != nil {
		services.Missing(t, err.Error())
	}
	run(t, exec.Command("node", filepath.Join(scripts, script)), input, output)
}

// run hands input to a program as JSON and decodes what it prints.
func run(t *testing.T, command *exec.Cmd, input, output any) {
	t.Helper()
	text, err := json.Marshal(input)
	require.NoError(t, err)
	var printed, complaint bytes.Buffer
	command.Stdin, command.Stdout, command.Stderr = bytes.NewReader(text), &printed, &complaint
	require.NoError(t, command.Run(), "%v: %s", command, &complaint)
	require.NoError(t, json.Unmarshal(printed.Bytes(), output), "%s", &printed)
}

// question is what the scripts are asked.
type question struct {
	Issuer   string            `json:"issuer"`
	Audience string            `json:"audience"`
	JWKS     string            `json:"jwks"`
	Tokens   map[string]string `json:"tokens"`
}

// verdicts are the answers, by the names of the tokens: nil, or why a token was refused.
type verdicts map[string]*string

// accepted demands that the token of a name was accepted.
func (v verdicts) accepted(t *testing.T, name string) {
	t.Helper()
	reason, judged := v[name]
	require.True(t, judged, "%s was not judged", name)
	if reason != nil {
		t.Errorf("%s was refused: %s", name, *reason)
	}
}

// refused demands that the token of a name was refused.
func (v verdicts) refused(t *testing.T, name string) {
	t.Helper()
	if reason, judged := v[name]; !judged || reason == nil {
		t.Errorf("%s was accepted", name)
	} else {
		t.Logf("%s: %s", name, *reason)
	}
}

// A machine without Node: a test of its own process skips and says so, or fails where peers are required.
func TestAbsent(t *testing.T) {
	if os.Getenv("BENCH_TEST_CHILD") == "1" {
		runNode(t, "verify.mjs", question{}, new(verdicts))
		return
	}
	for _, require := range []string{"", "1"} {
		child := exec.Command(os.Args[0], "-test.run=^TestAbsent$", "-test.v")
		child.Env = append(os.Environ(), "PATH=/nowhere", "BENCH_TEST_CHILD=1", "PICOAUTH_REQUIRE_SERVICES="+require)
		out, err := child.CombinedOutput()
		if (err != nil) != (require == "1") || !bytes.Contains(out, []byte("node is NOT installed")) {
			t.Errorf("required %q: %v: %s", require, err, out)
		}
	}
}
