package main

import (
	"os"
	"regexp"
	"strings"
	"testing"

	"github.com/spf13/cobra"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

var (
	calledInBlock  = regexp.MustCompile(`(?m)(?:^|&& |\| )picoauth ([^|&#\n]*)`)
	calledInText   = regexp.MustCompile("`picoauth ([^`\n]*)`")
	flagInDocument = regexp.MustCompile(`--[a-z][a-z-]*`)
)

// calls are the command lines in a document.
func calls(document string) (found [][]string) {
	for i, part := range strings.Split(document, "```") {
		if i%2 == 1 {
			found = append(found, calledInBlock.FindAllStringSubmatch(part, -1)...)
		} else {
			found = append(found, calledInText.FindAllStringSubmatch(part, -1)...)
		}
	}
	return found
}

// Every command and flag in the documents exists, and every command is in OPERATING.md.
func TestTheDocumentsNameCommandsThatExist(t *testing.T) {
	var began bool
	named := map[string]bool{}
	for _, path := range []string{"../../OPERATING.md", "../../../README.md"} {
		text, err := os.ReadFile(path)
		require.NoError(t, err)
		require.NotEmpty(t, calls(string(text)), path)
		for _, call := range calls(string(text)) {
			root := newRoot(&began)
			root.InitDefaultCompletionCmd("completion")
			c, rest, err := root.Find(strings.Fields(call[1]))
			require.NoError(t, err, call[0])
			require.True(t, c.HasParent(), call[0])
			named[c.CommandPath()] = true
			for _, flag := range flagInDocument.FindAllString(strings.Join(rest, " "), -1) {
				name := strings.TrimPrefix(flag, "--")
				assert.True(t, name == "help" || c.Flags().Lookup(name) != nil || c.InheritedFlags().Lookup(name) != nil, "%s: %s", call[0], flag)
			}
		}
	}
	text, err := os.ReadFile("../../OPERATING.md")
	require.NoError(t, err)
	var visit func(c *cobra.Command)
	visit = func(c *cobra.Command) {
		if !c.HasSubCommands() {
			assert.True(t, named[c.CommandPath()] || strings.Contains(string(text), "`"+c.Name()+"`"), "%s is not in OPERATING.md", c.CommandPath())
		}
		for _, inner := range c.Commands() {
			visit(inner)
		}
	}
	visit(newRoot(&began))
}
