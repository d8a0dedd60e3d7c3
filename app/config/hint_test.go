package config_test

import (
	"os"
	"strings"
	"testing"

	"github.com/picoauth/picoauth/app/config"
)

func TestTheDocumentsNameWhatIsRefusedOfThePythonServer(t *testing.T) {
	readme, err := os.ReadFile("../../serverauth/README.md")
	if err != nil {
		t.Fatal(err)
	}
	_, section, _ := strings.Cut(string(readme), "## Compatibility")
	section, _, _ = strings.Cut(section, "\n## ")
	for _, name := range config.PythonNames() {
		if !strings.Contains(section, "`"+name+"`") {
			t.Errorf("%s is missing", name)
		}
	}
}
