package main

import (
	"regexp"
	"strings"
	"testing"

	"github.com/spf13/cobra"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/picoauth/picoauth/app"
)

func TestVersion(t *testing.T) {
	c := newConsole(t)
	assert.Equal(t, app.ReadBuildInfo(), decode[app.BuildInfo](t, c.must("version", "--output", "json")))
	assert.True(t, strings.HasPrefix(c.must("version"), "picoauth "+app.Version+" ("))
	assert.Equal(t, "picoauth version "+app.Version+"\n", c.must("--version"))
}

func TestEveryCommandExplainsItself(t *testing.T) {
	var began bool
	var visit func(c *cobra.Command)
	visit = func(c *cobra.Command) {
		assert.NotEmpty(t, c.Short, c.CommandPath())
		assert.NotEmpty(t, c.Example, c.CommandPath())
		for line := range strings.SplitSeq(c.Example, "\n") {
			assert.True(t, strings.HasPrefix(line, "  "), "%s: %q", c.CommandPath(), line)
		}
		for _, inner := range c.Commands() {
			visit(inner)
		}
	}
	visit(newRoot(&began))
}

// calledInExample is the last call of the program in a line of a shell.
var calledInExample = regexp.MustCompile(`^(?:.*[|;&(=0-9] *)?\s*picoauth (.*)$`)

// The examples name commands and flags that exist.
func TestTheExamplesAreCommandsThatExist(t *testing.T) {
	var began bool
	root := newRoot(&began)
	var visit func(c *cobra.Command)
	visit = func(c *cobra.Command) {
		for line := range strings.SplitSeq(c.Example, "\n") {
			calls := calledInExample.FindStringSubmatch(strings.Split(line, " # ")[0])
			if calls == nil {
				continue
			}
			call := calls[1]
			named, rest, err := newRoot(&began).Find(strings.Fields(strings.NewReplacer("(", "", ")", "").Replace(call)))
			require.NoError(t, err, call)
			assert.True(t, named.HasParent(), call)
			for _, argument := range rest {
				if name, isFlag := strings.CutPrefix(argument, "--"); isFlag && named.Flags().Lookup(name) == nil {
					assert.NotNil(t, named.InheritedFlags().Lookup(name), call)
				}
			}
		}
		for _, inner := range c.Commands() {
			visit(inner)
		}
	}
	visit(root)
}

func TestMistakesInTheCommandLine(t *testing.T) {
	c := newConsole(t)
	for name, test := range map[string]struct {
		line string
		want string
	}{
		"an unknown command":            {"srve", `unknown command "srve" for "picoauth"`},
		"an unknown command inside":     {"keys lst", `unknown command "lst" for "picoauth keys"; did you mean "list"?`},
		"an unknown flag":               {"version --loud", "unknown flag: --loud"},
		"an argument too many":          {"version now", `unknown command "now" for "picoauth version"`},
		"an argument too few":           {"keys compromised", "accepts 1 arg(s), received 0"},
		"a required flag":               {"wallet new", `required flag(s) "key" not set`},
		"none of two flags":             {"sessions end", "at least one of the flags in the group [sid sub] is required"},
		"both of two flags":             {"sessions end --sid a --sub b", "if any flags in the group [sid sub] are set none of the others can be"},
		"an unknown form of output":     {"version -o xml", `--output "xml" is not text or json`},
		"a limit that is no number":     {"tokens list --limit many", "invalid argument"},
		"an empty value of what to end": {"sessions end --sub=", "the value of the flag is empty; say what to end"},
	} {
		t.Run(name, func(t *testing.T) {
			r := c.run(strings.Fields(test.line)...)
			assert.Equal(t, exitUsage, r.code)
			assert.Contains(t, r.err, test.want)
			assert.Contains(t, r.err, "--help")
			assert.Empty(t, r.out)
		})
	}
}

func TestHelpAndCompletion(t *testing.T) {
	c := newConsole(t)
	for _, line := range []string{"", "--help", "keys", "keys --help", "help tokens"} {
		assert.Contains(t, c.must(strings.Fields(line)...), "Usage:", line)
	}
	assert.Contains(t, c.must("completion", "bash"), "__start_picoauth")
	assert.Contains(t, c.must("__complete", "wallet", "new", "--algorithm", ""), "ML-DSA-65")
}

func TestPrintableTakesControlOfTerminalsAway(t *testing.T) {
	var out strings.Builder
	c := &cobra.Command{}
	c.SetOut(&out)
	require.NoError(t, showTable(c, []string{"evil\x1b[2J\nname"}, []string{"NAME"}, func(text string) []string { return []string{text} }))
	assert.NotContains(t, out.String(), "\x1b")
	assert.Equal(t, 2, strings.Count(out.String(), "\n"))
}
