package console

import (
	"cmp"
	"fmt"
	"net/http"
	"net/url"
	"strconv"
	"strings"

	"github.com/labstack/echo/v4"

	"github.com/picoauth/picoauth/serverauth/oauth/client"
)

// mint is an item of GET /mints.
type mint struct {
	JTI       string `json:"jti"`
	Subject   string `json:"sub"`
	SID       string `json:"sid"`
	Role      string `json:"role"`
	IssuedAt  int64  `json:"iat"`
	ExpiresAt int64  `json:"exp"`
	ClientID  string `json:"client_id"`
	Revoked   bool   `json:"revoked"`
	Lost      int64  `json:"lost"`
}

type sessionsView struct {
	Subject      string
	Sessions     []session
	MoreSessions bool
	Tokens       []mint
	MoreTokens   bool
}

// sessions handles GET /console/sessions: the live sessions and valid tokens of one subject, or of all.
func (p *Pages) sessions(c echo.Context, who *person) error {
	own := sessionsView{Subject: strings.TrimSpace(c.QueryParam("sub"))}
	query := url.Values{"limit": {"100"}}
	if own.Subject != "" {
		query.Set("sub", own.Subject)
	}
	mints, err := listOf[mint](p, c, who, "/mints?"+query.Encode())
	if err != nil {
		return err
	}
	sessions, err := listOf[session](p, c, who, "/sessions?"+query.Encode())
	if err != nil {
		return err
	}
	own.Sessions, own.MoreSessions, own.MoreTokens = sessions.Items, sessions.Next != "", mints.Next != ""
	for _, m := range mints.Items {
		if m.Lost == 0 && !m.Revoked && m.ExpiresAt > p.now().Unix() {
			own.Tokens = append(own.Tokens, m)
		}
	}
	return p.show(c, who, "sessions", "Sessions and tokens", own)
}

// end handles the form of an end button on the console.
func (p *Pages) end(c echo.Context, who *person) (next, said string, err error) {
	next = consolePath + "/sessions"
	if sub := c.FormValue("shown"); sub != "" {
		next += "?" + url.Values{"sub": {sub}}.Encode()
	}
	request := map[string]string{"reason": cmp.Or(strings.TrimSpace(c.FormValue("reason")), "ended in the console")}
	for _, name := range []string{"sub", "sid", "jti"} {
		if value := c.FormValue(name); value != "" {
			request[name] = value
		}
	}
	var answer struct {
		Ended struct{ Sessions, Tokens int }
	}
	err = p.api.call(c, http.MethodPost, "/revoke", who.token, request, &answer)
	return next, fmt.Sprintf("Ended %s and %s.", plural(answer.Ended.Sessions, "session"), plural(answer.Ended.Tokens, "token")), err
}

func plural(n int, what string) string {
	if n == 1 {
		return "1 " + what
	}
	return strconv.Itoa(n) + " " + what + "s"
}

// key is an item of GET /keys.
type key struct {
	KID         string `json:"kid"`
	Algorithm   string `json:"alg"`
	State       string `json:"state"`
	CreatedAt   string `json:"created_at"`
	ActivatesAt string `json:"activates_at"`
	RetiresAt   string `json:"retires_at"`
}

type keysView struct {
	Keys  []key
	Line  timeline
	Next  string // when the next key starts to sign; empty: not known
	Every int    // days between rotations; 0: manual
}

// keys handles GET /console/keys.
func (p *Pages) keys(c echo.Context, who *person) error {
	found, err := listOf[key](p, c, who, "/keys")
	if err != nil {
		return err
	}
	own := keysView{Keys: found.Items, Line: newTimeline(found.Items, p.now()), Every: p.settings.KeyRotationDays}
	for _, k := range found.Items {
		if k.State == "active" {
			own.Next = k.RetiresAt
		}
	}
	return p.show(c, who, "keys", "Signing keys", own)
}

// changeKeys handles the form of the keys page: rotate, or mark a key compromised.
func (p *Pages) changeKeys(c echo.Context, who *person) (next, said string, err error) {
	next = consolePath + "/keys"
	if kid := c.FormValue("stolen"); kid != "" {
		err := p.api.call(c, http.MethodPost, "/keys/"+url.PathEscape(kid)+"/compromised", who.token, nil, nil)
		return next, "The key is removed, and what it signed is refused.", err
	}
	err = p.api.call(c, http.MethodPost, "/keys/rotate", who.token, nil, nil)
	return next, "The next key signs as soon as every service can have fetched it.", err
}

type clientsView struct {
	Clients []client.Config
	Known   bool // the server can list them
}

// clients handles GET /console/clients.
func (p *Pages) clients(c echo.Context, who *person) error {
	if err := p.api.call(c, http.MethodGet, "/keys", who.token, nil, nil); err != nil {
		return err // GET /keys refuses non-operators, also if the server has no list of clients
	}
	found, err := listOf[client.Config](p, c, who, "/oauth/clients")
	if err != nil && !isStatus(err, http.StatusNotFound) && !isStatus(err, http.StatusMethodNotAllowed) {
		return err
	}
	return p.show(c, who, "clients", "Clients", clientsView{found.Items, err == nil})
}

// changeClients handles the form of a remove button.
func (p *Pages) changeClients(c echo.Context, who *person) (next, said string, err error) {
	err = p.api.call(c, http.MethodDelete, "/oauth/clients/"+url.PathEscape(c.FormValue("id")), who.token, nil, nil)
	return consolePath + "/clients", "The client is removed: it signs nobody in any more.", err
}

type overviewView struct {
	Ready    bool
	Facts    []fact
	SignIns  chart
	Refusals chart
}

// fact is a number on the overview. State is "good", "bad" or empty.
type fact struct{ Name, Value, State string }

// overview handles GET /console: the state of the server and its sign-ins.
func (p *Pages) overview(c echo.Context, who *person) error {
	if err := p.api.call(c, http.MethodGet, "/keys", who.token, nil, nil); err != nil {
		return err // the page is for operators
	}
	values := readMetrics(p.history.metrics)
	good, bad := p.history.charts(values)
	return p.show(c, who, "overview", "Overview", overviewView{p.ready(c), facts(values), good, bad})
}

// ready reports whether /readyz replies 200.
func (p *Pages) ready(c echo.Context) bool {
	request, err := http.NewRequestWithContext(c.Request().Context(), http.MethodGet, "/readyz", nil)
	if err != nil {
		return false
	}
	reply := &recorder{header: make(http.Header), status: http.StatusOK}
	p.api.echo.ServeHTTP(reply, request)
	return reply.status == http.StatusOK
}

func facts(values metrics) []fact {
	state := func(bad bool) string {
		if bad {
			return "bad"
		}
		return "good"
	}
	seconds := func(v float64) string { return strconv.FormatFloat(v, 'f', 1, 64) + " s" }
	number := func(v float64) string { return strconv.FormatFloat(v, 'f', 0, 64) }
	age, errors := values.sum("picoauth_denylist_age_seconds"), values.sum("picoauth_store_errors_total")
	lost, broken := values.sum("picoauth_audit_lost_mints_total"), values.sum("picoauth_audit_broken")
	active := values.sum("picoauth_signing_keys", "state", "active")
	whole := "whole"
	if broken > 0 {
		whole = "broken: run picoauth audit verify"
	}
	return []fact{
		{"Denylist, last read", seconds(age) + " ago", state(age > 15)},
		{"Denylist, entries", number(values.sum("picoauth_denylist_entries")), ""},
		{"Audit", whole, state(broken > 0)},
		{"Audit, tokens not recorded", number(lost), state(lost > 0)},
		{"Audit, tokens to write", number(values.sum("picoauth_audit_pending_mints")), ""},
		{"Storage, errors since the start", number(errors), state(errors > 0)},
		{"Keys that sign", number(active), state(active < 1)},
	}
}
