package config_test

import (
	"os"
	"path/filepath"
	"testing"

	"github.com/knadh/koanf/providers/confmap"
	"github.com/knadh/koanf/v2"
)

func writeFile(t *testing.T, content string) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), "config.yaml")
	if err := os.WriteFile(path, []byte(content), 0o600); err != nil {
		t.Fatal(err)
	}
	return path
}

func load(t *testing.T, values map[string]any, delim string) *koanf.Koanf {
	t.Helper()
	k := koanf.New(delim)
	if err := k.Load(confmap.Provider(values, delim), nil); err != nil {
		t.Fatal(err)
	}
	return k
}
