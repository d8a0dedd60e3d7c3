package app_test

import (
	"os"
	"path/filepath"
	"testing"

	"github.com/knadh/koanf/v2"

	"github.com/picoauth/picoauth/app"
	"github.com/picoauth/picoauth/app/config"
)

func writeFile(t *testing.T, content string) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), "config.yaml")
	if err := os.WriteFile(path, []byte(content), 0o600); err != nil {
		t.Fatal(err)
	}
	return path
}

func load(t *testing.T, values map[string]any) *koanf.Koanf {
	t.Helper()
	k, _, err := config.Load(config.Sources{Sections: []string{app.SectionName}, Maps: []map[string]any{values}})
	if err != nil {
		t.Fatal(err)
	}
	return k
}

func text(err error) string {
	if err == nil {
		return ""
	}
	return err.Error()
}
