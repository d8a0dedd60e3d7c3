package examples_test

import (
	"encoding/json"
	"fmt"
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
)

func readme(t *testing.T) string {
	t.Helper()
	text, err := os.ReadFile("../README.md")
	require.NoError(t, err)
	return string(text)
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

var settingsRow = regexp.MustCompile("(?m)^\\| `([a-z_]+\\.[a-z_]+)` \\| (?:`([A-Z_]+)`)? ?\\| .* \\| (?:`([^`]*)`)? ?\\|$")

func TestTheReadmesSettingsAreThoseOfTheCode(t *testing.T) {
	want := map[string]string{}
	for section, defaults := range map[string]any{
		app.SectionName: app.DefaultSettings(), serverauth.SettingsSection: serverauth.DefaultServerAuthSettings(),
		clientauth.SettingsSection: clientauth.DefaultSettings(),
	} {
		value := reflect.ValueOf(defaults)
		for i := range value.NumField() {
			key := section + "." + value.Type().Field(i).Tag.Get("koanf")
			want[key] = text(value.Field(i))
		}
	}
	got := map[string]string{}
	for _, row := range settingsRow.FindAllStringSubmatch(readme(t), -1) {
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
	if v.Kind() == reflect.Slice {
		return ""
	}
	return fmt.Sprint(v.Interface())
}
