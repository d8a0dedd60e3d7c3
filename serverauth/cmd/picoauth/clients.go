package main

import (
	"fmt"
	"net/http"
	"net/url"
	"strings"

	"github.com/go-json-experiment/json"
	"github.com/spf13/cobra"

	"github.com/picoauth/picoauth/serverauth/oauth/client"
)

const clientsPath = "/oauth/clients"

func newClients() *cobra.Command {
	group := &cobra.Command{
		Use:     "clients",
		Short:   "Add, list and remove the programs that may sign people in or ask for tokens",
		Example: "  picoauth clients add grafana --redirect-uri https://grafana.example.com/login/generic_oauth\n  picoauth clients list",
	}
	sessionFlag(group)
	group.AddCommand(newClientsAdd(), newClientsList(), newClientsRemove())
	return group
}

func newClientsAdd() *cobra.Command {
	var asked client.Config
	c := &cobra.Command{
		Use:   "add ID",
		Short: "Add a client, and print the secret that the server made, this once",
		Long: "The server checks everything and keeps the client in its storage; it is active at once. A program that cannot keep a secret, such as\n" +
			"one on a phone, has --auth-method none.",
		Example: "  picoauth clients add grafana --name Grafana --redirect-uri https://grafana.example.com/login/generic_oauth\n" +
			"  picoauth clients add app --auth-method none --redirect-uri http://127.0.0.1/callback\n" +
			"  picoauth clients add backup-job --grant client_credentials --role service\n" +
			"  picoauth clients add assistant --grant client_credentials --may-act '{\"roles\":[\"wallet\"],\"scopes\":[\"read\"]}'",
		Args: cobra.ExactArgs(1),
	}
	f := c.Flags()
	f.StringVar(&asked.Name, "name", "", "the name that people see (default: the ID)")
	f.StringArrayVar(&asked.RedirectURIs, "redirect-uri", nil, "`URI` to which people are sent back; may be repeated")
	f.StringArrayVar(&asked.PostLogoutRedirectURIs, "post-logout-redirect-uri", nil, "`URI` after a logout; may be repeated")
	f.StringVar(&asked.AuthMethod, "auth-method", "", "none, client_secret_basic (default), client_secret_post or private_key_jwt")
	f.StringVar(&asked.JWKSURI, "jwks-uri", "", "`URL` of the keys of private_key_jwt")
	f.StringSliceVar(&asked.Grants, "grant", nil, "a grant (default: authorization_code, refresh_token); may be repeated")
	f.StringSliceVar(&asked.Scopes, "scope", nil, "a scope that it may ask for (default: the OpenID ones); may be repeated")
	f.StringArrayVar(&asked.Resources, "resource", nil, "`URI` of an API that its tokens may be for; may be repeated")
	f.StringVar(&asked.Role, "role", "", "role of its tokens of client_credentials (default: service)")
	f.StringVar(&asked.Consent, "consent", "", "ask (default) or implied")
	f.BoolVar(&asked.Introspect, "introspect", false, "it may introspect tokens")
	f.BoolVar(&asked.Denylist, "denylist", false, "it may read the denylist")
	f.BoolVar(&asked.DPoPBound, "dpop-bound", false, "its tokens are bound to a key of its own: it needs DPoP proofs (RFC 9449)")
	rules := f.StringArray("may-act", nil, "`rule` in JSON by which it acts for people; may be repeated")
	c.RunE = func(c *cobra.Command, arguments []string) error {
		for _, text := range *rules {
			var rule client.MayAct
			if err := json.Unmarshal([]byte(text), &rule, json.RejectUnknownMembers(true)); err != nil {
				return usageError{fmt.Errorf("--may-act %s is not a JSON object with roles, scopes and resources", shortened(printable(text)))}
			}
			asked.MayAct = append(asked.MayAct, rule)
		}
		asked.ID = arguments[0]
		var made client.Config
		if err := call(c, http.MethodPost, clientsPath, asked, &made); err != nil {
			return err
		}
		text := "Added " + printable(made.ID) + ".\n"
		if made.Secret != "" {
			text += "Its secret, which nobody can show again: " + made.Secret + "\n"
		}
		return say(c, made, "%s", text)
	}
	return c
}

type clientRow client.Config

func (r clientRow) row() []string {
	return []string{r.ID, r.Name, r.AuthMethod, strings.Join(r.Grants, " "), strings.Join(r.RedirectURIs, " ")}
}

func newClientsList() *cobra.Command {
	c := &cobra.Command{
		Use:     "list",
		Short:   "List the clients in the storage, not those of the configuration; exit 3 if there is none",
		Example: "  picoauth clients list --output json",
	}
	limit := limitFlag(c)
	c.RunE = func(c *cobra.Command, _ []string) error {
		return list[clientRow](c, clientsPath, url.Values{}, *limit, "client", []string{"ID", "NAME", "METHOD", "GRANTS", "REDIRECTS"})
	}
	return c
}

func newClientsRemove() *cobra.Command {
	return &cobra.Command{
		Use:     "remove ID",
		Short:   "Remove a client from the storage: it signs nobody in and refreshes nothing from now on; exit 3 if there is none",
		Example: "  picoauth clients remove grafana",
		Args:    cobra.ExactArgs(1),
		RunE: func(c *cobra.Command, arguments []string) error {
			if err := call(c, http.MethodDelete, clientsPath+"/"+url.PathEscape(arguments[0]), nil, nil); err != nil {
				return err
			}
			return say(c, map[string]string{"removed": arguments[0]}, "Removed %s.\n", printable(arguments[0]))
		},
	}
}
