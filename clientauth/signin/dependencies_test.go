package signin_test

import (
	"os/exec"
	"regexp"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

// A program that only calls links no server, and no framework of one.
func TestWhatACallerLinks(t *testing.T) {
	output, err := exec.CommandContext(t.Context(), "go", "list", "-deps", ".").Output()
	require.NoError(t, err)
	foreign := regexp.MustCompile(`^(go\.uber\.org|github\.com/(labstack|prometheus|knadh|redis|jackc)|github\.com/picoauth/picoauth/(app|serverauth))(/|$)`)
	for _, name := range strings.Fields(string(output)) {
		if foreign.MatchString(name) {
			t.Errorf("it links %s", name)
		}
	}
}
