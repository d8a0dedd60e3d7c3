// Picoauth is the auth server as one program, with commands for its operators. It makes a configuration, runs the server
// and checks both. It ends tokens and sessions, and manages keys, backups and the audit.
package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"regexp"
	"slices"

	"github.com/spf13/cobra"

	"github.com/picoauth/picoauth/app"
)

func main() { os.Exit(execute(context.Background(), os.Args[1:], os.Stdin, os.Stdout, os.Stderr)) }

// Exit codes. exitFailed is for every other error.
const (
	exitFailed   = 1
	exitUsage    = 2
	exitNotFound = 3
)

// errNotFound is returned by a command that found nothing.
var errNotFound = errors.New("nothing found")

// errReported is returned by a command that has already printed the problem.
var errReported = errors.New("reported")

// usageError is a mistake in the command line.
type usageError struct{ error }

func (u usageError) Unwrap() error { return u.error }

// execute runs one command line and returns the exit code.
func execute(ctx context.Context, arguments []string, in io.Reader, out, errOut io.Writer) int {
	began := false // a command runs: the command line was correct
	root := newRoot(&began)
	root.SetArgs(withKeyLast(arguments))
	root.SetIn(in)
	root.SetOut(out)
	root.SetErr(errOut)
	command, err := root.ExecuteContextC(ctx)
	if err == nil {
		return 0
	}
	if !errors.Is(err, errReported) {
		fmt.Fprintf(errOut, "picoauth: %s\n", err)
	}
	switch {
	case errors.Is(err, errNotFound):
		return exitNotFound
	case errors.As(err, new(usageError)) || !began:
		fmt.Fprintf(errOut, "Try: %s --help\n", command.CommandPath())
		return exitUsage
	default:
		return exitFailed
	}
}

var keyWithDash = regexp.MustCompile(`^-[A-Za-z0-9_-]{42}$`)

// withKeyLast moves a key ID that begins with a dash, as one of 64 does, to the end after a double dash. It is then not
// parsed as flags.
func withKeyLast(arguments []string) []string {
	at := slices.IndexFunc(arguments, keyWithDash.MatchString)
	if at < 0 || slices.Contains(arguments, "--") {
		return arguments
	}
	return append(slices.Delete(slices.Clone(arguments), at, at+1), "--", arguments[at])
}

// newRoot returns the root command. Every command sets began before it runs.
func newRoot(began *bool) *cobra.Command {
	root := &cobra.Command{
		Use:   "picoauth",
		Short: "The auth server, and the commands for its operators",
		Example: `  picoauth init          # makes application.yaml and a key, asks for an administrator's password
  picoauth serve         # runs the server
  picoauth doctor        # looks for what is wrong
  picoauth sessions list # after: picoauth login --email admin@pico.local`,
		Version:       app.Version,
		SilenceErrors: true,
		SilenceUsage:  true,
	}
	root.PersistentFlags().StringP("output", "o", outputText, "how data is printed: text or json")
	_ = root.RegisterFlagCompletionFunc("output", cobra.FixedCompletions([]string{outputText, outputJSON}, cobra.ShellCompDirectiveNoFileComp))
	root.AddCommand(
		newServe(), newInit(), newConfig(), newDoctor(), newHealth(), newBackup(), newRestore(), newMigrate(),
		newLogin(), newLogout(), newSessions(), newTokens(), newKeys(), newClients(), newAudit(),
		newWallet(), newSecret(), newHashPassword(), newVersion(),
	)
	prepare(root, began)
	return root
}

// prepare adds the common checks to all commands, before they run.
func prepare(parent *cobra.Command, began *bool) {
	for _, c := range parent.Commands() {
		run := c.RunE
		switch {
		case run == nil:
			run = unknownCommand
		case c.Args == nil:
			c.Args = cobra.NoArgs
		}
		c.RunE = func(c *cobra.Command, arguments []string) error {
			*began = true
			if err := checkOutput(c); err != nil {
				return err
			}
			return run(c, arguments)
		}
		prepare(c, began)
	}
}

// unknownCommand runs for a group of commands: it prints the help, or an error for an unknown command.
func unknownCommand(c *cobra.Command, arguments []string) error {
	if len(arguments) == 0 {
		return c.Help()
	}
	text := fmt.Sprintf("unknown command %q for %q", arguments[0], c.CommandPath())
	c.SuggestionsMinimumDistance = 2
	if like := c.SuggestionsFor(arguments[0]); len(like) > 0 {
		text += fmt.Sprintf("; did you mean %q?", like[0])
	}
	return usageError{errors.New(text)}
}
