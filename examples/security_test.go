package examples_test

import (
	"io/fs"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

var (
	namedTest    = regexp.MustCompile("`((?:Test|Fuzz)[A-Za-z0-9_]+)`")
	declaredTest = regexp.MustCompile(`(?m)^func ((?:Test|Fuzz)[A-Za-z0-9_]+)\(`)
)

// SECURITY.md promises nothing for which it names a test that is not there.
func TestEveryTestNamedInSecurityMDExists(t *testing.T) {
	text, err := os.ReadFile("../SECURITY.md")
	require.NoError(t, err)
	named := namedTest.FindAllStringSubmatch(string(text), -1)
	require.Greater(t, len(named), 30)
	declared := map[string]bool{}
	require.NoError(t, filepath.WalkDir("..", func(path string, _ fs.DirEntry, err error) error {
		if err != nil || !strings.HasSuffix(path, "_test.go") {
			return err
		}
		source, err := os.ReadFile(path)
		for _, match := range declaredTest.FindAllStringSubmatch(string(source), -1) {
			declared[match[1]] = true
		}
		return err
	}))
	for _, match := range named {
		assert.True(t, declared[match[1]], "%s is in no file", match[1])
	}
	assert.Contains(t, readme(t), "(SECURITY.md)")
}
