package main

import (
	"fmt"
	"net/http"
	"strings"

	"github.com/spf13/cobra"
)

func newHealth() *cobra.Command {
	c := &cobra.Command{
		Use:     "health",
		Short:   "Exit 0 if a server is ready for requests, 1 if not; for the health check of a container",
		Example: "  picoauth health --url http://127.0.0.1:8100",
	}
	address := c.Flags().String("url", "http://127.0.0.1:8100", "`URL` of the server")
	c.RunE = func(c *cobra.Command, _ []string) error {
		target := strings.TrimSuffix(*address, "/") + "/readyz"
		reply, err := get(c.Context(), newHTTPClient(), target, nil)
		if err != nil || reply.StatusCode != http.StatusOK {
			return fmt.Errorf("%s is not ready: %s; find out more with: picoauth doctor", target, outcome(reply, err))
		}
		return say(c, map[string]bool{"ready": true}, "ready\n")
	}
	return c
}
