package main

import (
	"cmp"

	"github.com/spf13/cobra"

	"github.com/picoauth/picoauth/app"
)

func newVersion() *cobra.Command {
	return &cobra.Command{
		Use:     "version",
		Short:   "Print the version, the commit and the version of Go",
		Example: "  picoauth version --output json",
		RunE: func(c *cobra.Command, _ []string) error {
			build := app.ReadBuildInfo()
			return say(c, build, "picoauth %s (commit %s, %s)\n", build.Version, cmp.Or(build.Revision, "unknown"), build.Go)
		},
	}
}
