package main

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"time"

	"github.com/spf13/cobra"

	"github.com/picoauth/picoauth/serverauth/keys"
	"github.com/picoauth/picoauth/serverauth/revocation"
)

func newKeys() *cobra.Command {
	group := &cobra.Command{
		Use:     "keys",
		Short:   "List and replace the signing keys",
		Example: "  picoauth keys list\n  picoauth keys rotate",
	}
	sessionFlag(group)
	group.PersistentFlags().Bool("offline", false, "work directly on the storage, without a session, whether or not a server runs")
	group.PersistentFlags().StringP("config", "c", "", "with --offline: YAML configuration `file` (default: application.yaml, if it is there)")
	group.AddCommand(
		newKeysCommand(&cobra.Command{
			Use:     "list",
			Short:   "List the signing keys with their states",
			Example: "  picoauth keys list --output json\n  picoauth keys list --offline --config /etc/picoauth/application.yaml",
		}, http.MethodGet, func([]string) string { return "/keys" }, func(context.Context, offline, []string) error { return nil }),
		newKeysCommand(&cobra.Command{
			Use:   "rotate",
			Short: "Switch to the next signing key soon, and publish a new spare key",
			Long: "The published spare signs as soon as every service can have fetched it (SIGNS FROM), and the old key stays published until its last\n" +
				"token has expired: nobody is signed out. For a key that was stolen this is not enough; see `picoauth keys compromised`.",
			Example: "  picoauth keys rotate",
		}, http.MethodPost, func([]string) string { return "/keys/rotate" }, func(ctx context.Context, o offline, _ []string) error {
			_, err := o.ring.Rotate(ctx)
			return err
		}),
		newKeysCommand(&cobra.Command{
			Use:   "compromised KID",
			Short: "Remove a stolen key, and refuse every token that it signed",
			Long: "The key is removed everywhere within seconds and never used again, and its tokens are refused: their holders must refresh.\n" +
				"`picoauth keys list` shows the KID.",
			Example: "  picoauth keys compromised ZzkYw3dP5r1bQ0aA8m2h4JtXc7uVnL6eKfRsGiTqO9w",
			Args:    cobra.ExactArgs(1),
		}, http.MethodPost, func(arguments []string) string { return "/keys/" + url.PathEscape(arguments[0]) + "/compromised" },
			func(ctx context.Context, o offline, arguments []string) error {
				err := o.compromise(ctx, arguments[0], revocation.Cause{By: "picoauth keys", Reason: "key compromised"})
				if errors.Is(err, keys.ErrUnknownKey) {
					return fmt.Errorf("%w: there is no such key", errNotFound)
				}
				return err
			}),
	)
	return group
}

type keyRow struct {
	KID         string  `json:"kid"`
	Algorithm   string  `json:"alg"`
	State       string  `json:"state"`
	CreatedAt   string  `json:"created_at"`
	ActivatesAt *string `json:"activates_at"`
	RetiresAt   *string `json:"retires_at"`
}

// newKeysCommand completes a command that sends a request, or does the same on the storage. It then prints the keys.
func newKeysCommand(c *cobra.Command, method string, path func(arguments []string) string, work func(context.Context, offline, []string) error) *cobra.Command {
	c.RunE = func(c *cobra.Command, arguments []string) error {
		isOffline, _ := c.Flags().GetBool("offline")
		config, _ := c.Flags().GetString("config")
		if config != "" && !isOffline {
			return usageError{errors.New("--config needs --offline; without --offline the command asks the server")}
		}
		var answer struct {
			Items []keyRow `json:"items"`
		}
		var err error
		if isOffline {
			answer.Items, err = keysOffline(c, config, func(ctx context.Context, o offline) error { return work(ctx, o, arguments) })
		} else {
			err = call(c, method, path(arguments), nil, &answer)
		}
		if err != nil {
			return err
		}
		return showTable(c, answer.Items, []string{"KID", "ALGORITHM", "STATE", "CREATED", "SIGNS FROM", "GONE AT"}, func(k keyRow) []string {
			return []string{k.KID, k.Algorithm, k.State, k.CreatedAt, orDash(k.ActivatesAt), orDash(k.RetiresAt)}
		})
	}
	return c
}

func keysOffline(c *cobra.Command, config string, work func(context.Context, offline) error) (items []keyRow, err error) {
	defer progress(c, "working on the storage", func() float64 { return -1 })()
	err = withStorage(c.Context(), config, func(ctx context.Context, o offline) error {
		if err := work(ctx, o); err != nil {
			return err
		}
		for _, k := range o.ring.List() {
			items = append(items, keyRow{k.ID, k.Algorithm, string(k.State), *rfc3339(k.CreatedAt), rfc3339(k.ActivatesAt), rfc3339(k.RetiresAt)})
		}
		return nil
	})
	return items, err
}

// rfc3339 returns nil for a zero time.
func rfc3339(t time.Time) *string {
	if t.IsZero() {
		return nil
	}
	text := t.UTC().Format(time.RFC3339)
	return &text
}

func orDash(text *string) string {
	if text == nil {
		return "-"
	}
	return *text
}
