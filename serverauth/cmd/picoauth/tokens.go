package main

import (
	"cmp"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/picoauth/picoauth/clientauth"
	"github.com/picoauth/picoauth/clientauth/jose"
)

func newTokens() *cobra.Command {
	group := &cobra.Command{
		Use:     "tokens",
		Short:   "Find, inspect and end access tokens",
		Example: "  picoauth tokens list --sub 0x71C7656EC7ab88b098defB751B7401B5f6d8976F\n  picoauth tokens revoke --jti 0b9c0b1e-6a6f-4f0e-8f4e-3b8a6a2f9a11",
	}
	sessionFlag(group)
	group.AddCommand(newTokensList(), newTokensInspect(), newEnd(&cobra.Command{
		Use:   "revoke",
		Short: "End a token, or every token of a session or a subject, and say how many were live",
		Example: "  picoauth tokens revoke --jti 0b9c0b1e-6a6f-4f0e-8f4e-3b8a6a2f9a11\n" +
			"  picoauth tokens revoke --sub alice@example.com --reason 'stolen laptop'",
	}, "jti", "sid", "sub"))
	return group
}

type tokenRow struct {
	ID        string `json:"jti"`
	Subject   string `json:"sub"`
	Session   string `json:"sid"`
	Role      string `json:"role"`
	IssuedAt  int64  `json:"iat"`
	ExpiresAt int64  `json:"exp"`
	Revoked   bool   `json:"revoked"`
	Lost      int64  `json:"lost"`

	Act *clientauth.Actor `json:"act"`
}

func (t tokenRow) row() []string {
	if t.Lost > 0 {
		return []string{fmt.Sprintf("(%d not recorded)", t.Lost), "-", "-", "-", at(t.IssuedAt), at(t.ExpiresAt), "-", "-"}
	}
	state := "live"
	switch {
	case t.Revoked:
		state = "revoked"
	case time.Now().Unix() >= t.ExpiresAt:
		state = "expired"
	}
	return []string{t.ID, shortened(t.Subject), t.Session, t.Role, at(t.IssuedAt), at(t.ExpiresAt), state, t.actors()}
}

// actors returns who acts for the subject, the current actor first.
func (t tokenRow) actors() string {
	var names []string
	for actor := t.Act; actor != nil; actor = actor.Actor {
		names = append(names, shortened(printable(cmp.Or(actor.Subject, actor.ClientID))))
	}
	return cmp.Or(strings.Join(names, " < "), "-")
}

func at(unix int64) string { return time.Unix(unix, 0).UTC().Format(time.RFC3339) }

func newTokensList() *cobra.Command {
	c := &cobra.Command{
		Use:   "list",
		Short: "List the issued access tokens, newest first",
		Long: "Lists the tokens in the mint audit. A token with a lifetime below server_auth.mint_audit_min_ttl_seconds is not in it. ACTORS are the\n" +
			"agents that act for the subject with this token, the current one first.\n" +
			"Exit 3: no token was found.",
		Example: "  picoauth tokens list --sub alice@example.com --output json",
	}
	filters := filterFlags(c, "sub", "sid", "jti")
	limit := limitFlag(c)
	c.RunE = func(c *cobra.Command, _ []string) error {
		return list[tokenRow](c, "/mints", filters.query(), *limit, "token", []string{"JTI", "SUB", "SID", "ROLE", "ISSUED", "EXPIRES", "STATE", "ACTORS"})
	}
	return c
}

// filters are flags that select what to look for.
type filters map[string]*string

var filterHelp = map[string]string{
	"sub": "`subject`: an address in any form, or the administrator's e-mail",
	"sid": "`id` of a session",
	"jti": "`id` of a token",
}

func filterFlags(c *cobra.Command, names ...string) filters {
	all := make(filters)
	for _, name := range names {
		all[name] = c.Flags().String(name, "", filterHelp[name])
	}
	return all
}

func (f filters) query() url.Values {
	values := url.Values{}
	for name, value := range f {
		if *value != "" {
			values.Set(name, *value)
		}
	}
	return values
}

func limitFlag(c *cobra.Command) *int {
	return c.Flags().Int("limit", 100, "`number` of rows at most")
}

// listed is an item of a list: JSON output has all that the server sent, a table only the fields of read.
type listed[T any] struct {
	json.RawMessage
	read T
}

// list prints the items of a list, which must have rows for a table.
func list[T interface{ row() []string }](c *cobra.Command, path string, query url.Values, limit int, what string, titles []string) error {
	if limit < 1 {
		return usageError{errors.New("--limit must be at least 1")}
	}
	o, err := newOperator(c)
	if err != nil {
		return err
	}
	items, err := o.list(c.Context(), path, query, limit)
	if err != nil {
		return err
	}
	rows := make([]listed[T], len(items))
	for i, item := range items {
		rows[i].RawMessage = item
		if err := json.Unmarshal(item, &rows[i].read); err != nil {
			return fmt.Errorf("the server's reply has a %s that cannot be read: %w", what, err)
		}
	}
	if err := showTable(c, rows, titles, func(l listed[T]) []string { return l.read.row() }); err != nil {
		return err
	}
	if len(items) == 0 {
		return fmt.Errorf("%w: there is no such %s", errNotFound, what)
	}
	return nil
}

func newTokensInspect() *cobra.Command {
	return &cobra.Command{
		Use:   "inspect TOKEN",
		Short: "Print a token's header and claims, and whether the server accepts it",
		Long: "Prints what the token says, and asks the server whether it is valid now. With - the token is read from standard input, so that\n" +
			"it is not in the list of processes. Exit 3: the server does not accept it.",
		Example: "  picoauth tokens inspect - < token.txt",
		Args:    cobra.ExactArgs(1),
		RunE: func(c *cobra.Command, arguments []string) error {
			token := arguments[0]
			if token == "-" {
				text, err := io.ReadAll(io.LimitReader(c.InOrStdin(), 64<<10))
				if err != nil {
					return err
				}
				token = string(text)
			}
			token = strings.TrimPrefix(strings.TrimSpace(token), "Bearer ")
			inspected, err := readToken(token)
			if err != nil {
				return err
			}
			var answer struct {
				Active bool `json:"active"`
			}
			if err := call(c, http.MethodPost, "/introspect", map[string]string{"token": token}, &answer); err != nil {
				return err
			}
			inspected.Active = answer.Active
			if err := show(c, inspected, inspected.print); err != nil {
				return err
			}
			if !answer.Active {
				return fmt.Errorf("%w: the server does not accept this token (it expired, was revoked, or is of another issuer, audience or key)", errNotFound)
			}
			return nil
		},
	}
}

// inspectedToken has the header and claims of a token. They are not verified unless Active is true.
type inspectedToken struct {
	Active bool           `json:"active"`
	Header map[string]any `json:"header"`
	Claims map[string]any `json:"claims"`
}

func readToken(token string) (inspectedToken, error) {
	parts, err := jose.ParseCompact(token)
	if err != nil {
		return inspectedToken{}, fmt.Errorf("this is not a JWT: %w; give the whole token, unchanged", err)
	}
	t := inspectedToken{Header: parts.Header}
	if json.Unmarshal(parts.Payload, &t.Claims) != nil {
		return t, errors.New("this is not a JWT: its claims are not JSON; give the whole token, unchanged")
	}
	return t, nil
}

func (t inspectedToken) subject() string {
	sub, _ := t.Claims["sub"].(string)
	return sub
}

func (t inspectedToken) print(w io.Writer) {
	header, _ := json.MarshalIndent(t.Header, "", "  ") // JSON values can always be encoded
	claims, _ := json.MarshalIndent(t.Claims, "", "  ")
	fmt.Fprintf(w, "header %s\nclaims %s\nactive %t\n", header, claims, t.Active)
}
