package main

import (
	"errors"
	"fmt"
	"net/http"
	"strings"

	"github.com/spf13/cobra"
)

func newSessions() *cobra.Command {
	group := &cobra.Command{
		Use:     "sessions",
		Short:   "Find and end sessions",
		Example: "  picoauth sessions list --sub alice@example.com\n  picoauth sessions end --sid 5f0c7b9e-2d41-4a57-9f0e-7f6d3c1a8b22",
	}
	sessionFlag(group)
	group.AddCommand(newSessionsList(), newEnd(&cobra.Command{
		Use:     "end",
		Short:   "End a session or every session of a subject, with its access tokens, and say how many were live",
		Example: "  picoauth sessions end --sub 0x71C7656EC7ab88b098defB751B7401B5f6d8976F --reason 'stolen laptop'",
	}, "sid", "sub"))
	return group
}

type sessionRow struct {
	ID        string `json:"sid"`
	Subject   string `json:"sub"`
	Kind      string `json:"kind"`
	StartedAt string `json:"started_at"`
	ExpiresAt string `json:"expires_at"`
	Client    string `json:"client"`
	UserAgent string `json:"user_agent"`
}

func (s sessionRow) row() []string {
	return []string{s.ID, shortened(s.Subject), s.Kind, s.StartedAt, s.ExpiresAt, s.Client, shortened(s.UserAgent)}
}

func newSessionsList() *cobra.Command {
	c := &cobra.Command{
		Use:     "list",
		Short:   "List the live sessions, newest first; exit 3 if there is none",
		Example: "  picoauth sessions list --sub alice@example.com --output json",
	}
	filters := filterFlags(c, "sub")
	limit := limitFlag(c)
	c.RunE = func(c *cobra.Command, _ []string) error {
		return list[sessionRow](c, "/sessions", filters.query(), *limit, "session",
			[]string{"SID", "SUB", "KIND", "STARTED", "EXPIRES", "CLIENT", "USER AGENT"})
	}
	return c
}

// ended is the number of live sessions and tokens that were ended.
type ended struct {
	Sessions int `json:"sessions"`
	Tokens   int `json:"tokens"`
}

// newEnd completes a command that ends what one of the named flags selects.
func newEnd(c *cobra.Command, names ...string) *cobra.Command {
	filters := filterFlags(c, names...)
	reason := c.Flags().String("reason", "", "`text` for the audit and the denylist")
	c.MarkFlagsMutuallyExclusive(names...)
	c.MarkFlagsOneRequired(names...)
	c.RunE = func(c *cobra.Command, _ []string) error {
		request := map[string]string{"reason": *reason}
		for name, value := range filters {
			if strings.TrimSpace(*value) != "" {
				request[name] = *value
			}
		}
		if len(request) == 1 {
			return usageError{errors.New("the value of the flag is empty; say what to end")}
		}
		var answer struct {
			Ended ended `json:"ended"`
		}
		if err := call(c, http.MethodPost, "/revoke", request, &answer); err != nil {
			return err
		}
		if err := say(c, answer.Ended, "Ended %s and %s.\n", count(answer.Ended.Sessions, "session"), count(answer.Ended.Tokens, "token")); err != nil {
			return err
		}
		if answer.Ended == (ended{}) {
			return fmt.Errorf("%w that was live; it is on the denylist nevertheless", errNotFound)
		}
		return nil
	}
	return c
}

func count(n int, what string) string {
	if n == 1 {
		return "1 " + what
	}
	return fmt.Sprintf("%d %ss", n, what)
}
