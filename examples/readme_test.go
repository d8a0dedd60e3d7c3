package examples_test

import (
	"encoding/json"
	"fmt"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"reflect"
	"regexp"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/picoauth/picoauth/app"
	"github.com/picoauth/picoauth/clientauth"
	"github.com/picoauth/picoauth/serverauth"
	"github.com/picoauth/picoauth/serverauth/oauth"
	"github.com/picoauth/picoauth/testutil"
	"github.com/picoauth/picoauth/testutil/services"
)

func readme(t *testing.T) string { return document(t, "../README.md") }

func document(t *testing.T, path string) string {
	t.Helper()
	text, err := os.ReadFile(path)
	require.NoError(t, err)
	return string(text)
}

// TestTheReadmesCommandsSignIn runs the README's curl commands.
func TestTheReadmesCommandsSignIn(t *testing.T) {
	for _, program := range []string{"bash", "curl", "jq"} {
		if _, err := exec.LookPath(program); err != nil {
			services.Missing(t, program+" is NOT installed, so the commands of the README were NOT run")
		}
	}
	_, script, found := strings.Cut(readme(t), "```sh\naddress=")
	require.True(t, found)
	script, _, _ = strings.Cut("address="+script, "```")
	dir := t.TempDir()
	program := exec.Command("go", "build", "-o", filepath.Join(dir, "picoauth"), "../serverauth/cmd/picoauth")
	out, err := program.CombinedOutput()
	require.NoError(t, err, "%s", out)
	issuer := serve(t, "standalone", issuerSettings(services.FreePort(t), "")...)
	run := exec.Command("bash", "-euo", "pipefail", "-c", strings.ReplaceAll(script, "localhost:8100", strings.TrimPrefix(issuer.url, "http://")))
	run.Dir = dir
	run.Env = append(os.Environ(), "PATH="+dir+":"+os.Getenv("PATH"))
	out, err = run.Output()
	require.NoError(t, err, "%s", out)
	var answer testutil.SignedIn
	require.NoError(t, json.Unmarshal(out, &answer), "%s", out)
	assert.NotEmpty(t, answer.AccessToken)
}

// Every file that a document of this repository links to is there.
func TestTheDocumentsLinkToFilesThatExist(t *testing.T) {
	link := regexp.MustCompile(`\]\(([^)#:\s]+)(#[^)]*)?\)`)
	documents := 0
	require.NoError(t, filepath.WalkDir("..", func(path string, entry fs.DirEntry, err error) error {
		switch {
		case err != nil:
			return err
		case entry.IsDir() && (entry.Name() == "node_modules" || entry.Name() == ".git"):
			return fs.SkipDir
		case filepath.Ext(path) != ".md":
			return nil
		}
		documents++
		for _, target := range link.FindAllStringSubmatch(document(t, path), -1) {
			_, err := os.Stat(filepath.Join(filepath.Dir(path), target[1]))
			assert.NoError(t, err, "%s links to %s", path, target[1])
		}
		return nil
	}))
	assert.Greater(t, documents, 8)
}

func TestTheReadmesProgramCompilesAsItStands(t *testing.T) {
	_, rest, found := strings.Cut(readme(t), "```go\n")
	require.True(t, found)
	program, _, _ := strings.Cut(rest, "```\n")
	require.True(t, strings.HasPrefix(program, "package main"))
	dir := t.TempDir()
	source := filepath.Join(dir, "main.go")
	require.NoError(t, os.WriteFile(source, []byte(program), 0o600))
	here, err := filepath.Abs("readme/main.go") // an overlay: the folder does not exist
	require.NoError(t, err)
	overlay, err := json.Marshal(map[string]any{"Replace": map[string]string{here: source}})
	require.NoError(t, err)
	require.NoError(t, os.WriteFile(filepath.Join(dir, "overlay.json"), overlay, 0o600))
	build := exec.Command("go", "build", "-overlay", filepath.Join(dir, "overlay.json"), "-o", filepath.Join(dir, "program"), "./readme")
	out, err := build.CombinedOutput()
	require.NoError(t, err, "%s", out)
}

var settingsRow = regexp.MustCompile("(?m)^\\| `([a-z_]+\\.[a-z0-9_]+)` \\| (?:`([A-Z0-9_]+)`)? ?\\| .* \\| (?:`([^`]*)`)? ?\\|$")

func TestTheDocumentedSettingsAreThoseOfTheCode(t *testing.T) {
	want := map[string]string{}
	for section, defaults := range map[string]any{
		app.SectionName: app.DefaultSettings(), serverauth.SettingsSection: serverauth.DefaultServerAuthSettings(),
		clientauth.SettingsSection: clientauth.DefaultSettings(), oauth.SettingsSection: oauth.DefaultSettings(),
	} {
		value := reflect.ValueOf(defaults)
		for _, field := range reflect.VisibleFields(value.Type()) {
			if key := field.Tag.Get("koanf"); key != "" {
				want[section+"."+key] = text(value.FieldByIndex(field.Index))
			}
		}
	}
	got := map[string]string{}
	for _, row := range settingsRow.FindAllStringSubmatch(document(t, "../serverauth/CONFIGURATION.md"), -1) {
		got[row[1]] = row[3]
		if row[2] != "" {
			assert.Equal(t, strings.ToUpper(strings.ReplaceAll(row[1], ".", "__")), row[2])
		}
	}
	assert.Equal(t, want, got)
}

// text is a default as the table shows it.
func text(v reflect.Value) string {
	if list, ok := v.Interface().([]string); ok {
		return strings.Join(list, ", ")
	}
	if v.Kind() == reflect.Slice || v.Kind() == reflect.Map {
		return ""
	}
	return fmt.Sprint(v.Interface())
}
