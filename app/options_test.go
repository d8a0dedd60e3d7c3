package app_test

import (
	"testing"

	"github.com/picoauth/picoauth/app"
)

// A file that somebody asked for must exist, whatever it is called.
func TestConfigFlag(t *testing.T) {
	t.Chdir(t.TempDir())
	for flag, want := range map[string]string{
		"":                 "",
		"application.yaml": `config file "./application.yaml": no such file or directory`,
		"other.yaml":       `config file "other.yaml": no such file or directory`,
	} {
		if got := text(app.New(app.ConfigFlag(flag)).Err()); got != want {
			t.Errorf("--config %q: got %q, want %q", flag, got, want)
		}
	}
}
